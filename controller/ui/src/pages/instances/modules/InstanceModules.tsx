import { Stack, Text } from '@mantine/core';
import { IconPlayerPlay, IconPuzzle } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { modulesQuery } from '@/api/moduleQueries';
import type { Instance } from '@/api/types';
import { EmptyState, ErrorState, LoadingRows } from '@/components/States';
import { JobPanel } from '@/pages/jobs/JobView';
import { useSession } from '@/shell/session';
import { LastChange } from '../LastChange';
import { ChangeDialog } from './ChangeDialog';
import { ModuleList } from './ModuleList';
import { byTechnicalName, outcomeOf, type Change } from './modules';

const ENDINGS = {
  good: 'The modules are changed',
  cancelled: 'The change of modules was cancelled',
  failed: 'The change of modules failed',
};

/** What is installed in an instance's Odoo and what could be, and the ways to change it. */
export default function InstanceModules({ instance }: { instance: Instance }) {
  const { can } = useSession();
  const modules = useQuery({ ...modulesQuery(instance), placeholderData: keepPreviousData });
  const [change, setChange] = useState<Change | null>(null);
  /** The job that was asked for here: also its good end is worth a word. */
  const [asked, setAsked] = useState<string | null>(null);
  const [round, setRound] = useState(0);
  const { active_job_id, container_id, status } = instance;
  const editable = can('manage:instances') && active_job_id == null && status !== 'removing';
  return (
    <Stack gap="md">
      {active_job_id ? (
        <JobPanel key={active_job_id} jobId={active_job_id} title="In progress" />
      ) : (
        container_id != null && <LastChange instance={instance} kind="instance_modules" asked={asked} words={ENDINGS} outcomeOf={outcomeOf} />
      )}
      {container_id == null ? (
        <EmptyState
          icon={<IconPuzzle size={22} />}
          title="No modules yet"
          text="The instance is not set up. Its modules are listed here once its Odoo runs."
        />
      ) : status === 'stopped' && !active_job_id ? (
        <EmptyState
          icon={<IconPlayerPlay size={22} />}
          title="The instance is stopped"
          text="Modules are read from its running database and files. Start the instance to see and change them."
        />
      ) : modules.data ? (
        <ModuleList
          key={round}
          modules={modules.data}
          readAt={modules.dataUpdatedAt}
          reading={modules.isFetching}
          error={modules.error}
          onRead={active_job_id ? undefined : () => void modules.refetch()}
          onChange={editable ? setChange : undefined}
        />
      ) : modules.error ? (
        <ErrorState error={modules.error} onRetry={() => void modules.refetch()} />
      ) : active_job_id ? (
        <Text size="sm" c="dimmed">
          The modules are listed when the job has ended.
        </Text>
      ) : (
        <div>
          <Text size="sm" c="dimmed" px="md">
            The database and the files of every module are looked at. This takes some seconds.
          </Text>
          <LoadingRows rows={8} />
        </div>
      )}
      <ChangeDialog
        instance={instance}
        modules={byTechnicalName(modules.data ?? [])}
        change={change}
        onClose={() => setChange(null)}
        onAsked={(job) => {
          setAsked(job);
          // What was chosen is on its way.
          setRound((n) => n + 1);
          window.scrollTo({ top: 0 });
        }}
      />
    </Stack>
  );
}
