import { Button, SimpleGrid, Stack, Text } from '@mantine/core';
import { IconPlayerStop } from '@tabler/icons-react';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { Job } from '@/api/types';
import { JobLink, ServerLink, SubjectLink } from '@/components/Links';
import { PageHeader } from '@/components/PageHeader';
import { FactList, Panel } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { StepList } from '@/components/StepList';
import { Elapsed } from '@/components/Time';
import { formatDateTime, humanize } from '@/lib/format';
import { isFinished, jobState, stateOf } from '@/lib/status';
import { JobLog } from '@/logs/JobLog';
import { Failure, useJob } from './JobView';

export default function JobPage() {
  const { id } = useParams({ from: '/app/jobs/$id' });
  const { data: job, error, refetch } = useJob(id);
  if (error && !job) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!job) return <LoadingRows rows={8} />;
  return (
    <>
      <PageHeader
        title={humanize(job.kind)}
        parent={<Link to="/jobs">Jobs</Link>}
        status={<StatusBadge state={stateOf(jobState, job.status)} />}
        actions={<CancelButton job={job} />}
      />
      <Stack gap="md">
        <Failure job={job} />
        <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
          <Panel title="Steps">
            <StepList steps={job.steps} />
          </Panel>
          <Panel title="About">
            <FactList
              facts={[
                ['Works on', <SubjectLink key="subject" subject={job.subject} />],
                ['Server', job.server_id ? <ServerLink id={job.server_id}>Open the server</ServerLink> : '–'],
                ['Asked for by', job.created_by?.name ?? '–'],
                ['Asked for', formatDateTime(job.created_at)],
                ['Started', formatDateTime(job.started_at)],
                ['Finished', formatDateTime(job.finished_at)],
                ['Took', <Elapsed key="took" from={job.started_at} to={job.finished_at} />],
                ['Has until', formatDateTime(job.deadline_at)],
                ['Attempts', String(job.attempts)],
                ['Part of', job.parent_id ? <JobLink id={job.parent_id}>A larger job</JobLink> : '–'],
                ['Id', <Text key="id" size="sm" ff="monospace" fz={12.5}>{job.id}</Text>],
              ]}
            />
          </Panel>
        </SimpleGrid>
        <JobLog jobId={job.id} height="max(300px, 46dvh)" />
      </Stack>
    </>
  );
}

function CancelButton({ job }: { job: Job }) {
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => unwrap(api.POST('/api/jobs/{id}/cancel', { params: { path: { id: job.id } } })),
    onSuccess: () => {
      notifications.show({ message: 'Cancelling: the running step ends first, then what it made is taken back' });
      void client.invalidateQueries({ queryKey: keys.job(job.id) });
    },
  });
  if (isFinished(job.status)) return null;
  return (
    <Button
      variant="default"
      leftSection={<IconPlayerStop size={16} />}
      loading={cancel.isPending}
      disabled={job.cancel_requested}
      onClick={() => cancel.mutate()}
      data-testid="cancel-job"
    >
      {job.cancel_requested ? 'Cancelling' : 'Cancel'}
    </Button>
  );
}
