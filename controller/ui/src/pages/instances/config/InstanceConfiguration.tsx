import { Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { configQuery } from '@/api/configQueries';
import type { Instance, InstanceConfig } from '@/api/types';
import { Loaded } from '@/components/States';
import { JobPanel } from '@/pages/jobs/JobView';
import { useSession } from '@/shell/session';
import { ConfigForm } from './ConfigForm';
import { ConfigHistory } from './ConfigHistory';
import { NotInForce } from './NotInForce';

/** What the instance's Odoo is set to, how that came about, and how far it is in force. */
export function InstanceConfiguration({ instance }: { instance: Instance }) {
  const config = useQuery(configQuery(instance.id));
  return <Loaded query={config} rows={10}>{(loaded) => <Configuration instance={instance} config={loaded} />}</Loaded>;
}

function Configuration({ instance, config }: { instance: Instance; config: InstanceConfig }) {
  const { view } = useSearch({ from: '/app/instances/$id' });
  const navigate = useNavigate({ from: '/instances/$id' });
  const { can } = useSession();
  const editable = can('manage:instances') && instance.status !== 'removing';
  return (
    <Stack gap="md">
      <Group gap="md">
        <SegmentedControl
          size="xs"
          aria-label="View"
          value={view === 'history' ? 'history' : 'settings'}
          onChange={(next) => void navigate({ search: (s) => ({ ...s, view: next === 'history' ? next : undefined }), replace: true })}
          data={[
            { value: 'settings', label: 'Settings' },
            { value: 'history', label: 'History' },
          ]}
          data-testid="config-view"
        />
        <Text size="sm" c="dimmed" data-testid="revision">
          Revision {config.revision}
          {config.applied && ', in force'}
        </Text>
      </Group>
      {config.active_job_id && <JobPanel key={config.active_job_id} jobId={config.active_job_id} title="In progress" />}
      {!config.applied && !config.active_job_id && <NotInForce instance={instance} config={config} editable={editable} />}
      {view === 'history' ? (
        <ConfigHistory config={config} editable={editable} />
      ) : (
        <ConfigForm instance={instance} config={config} editable={editable} />
      )}
    </Stack>
  );
}
