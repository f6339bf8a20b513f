// A job with its steps and its log, live: on its own page, and inside the page of what it works on.
import { Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { jobQuery } from '@/api/queries';
import type { Job } from '@/api/types';
import { JobLink } from '@/components/Links';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { StepList } from '@/components/StepList';
import { Elapsed } from '@/components/Time';
import { humanize } from '@/lib/format';
import { isFinished, jobState, stateOf } from '@/lib/status';
import { JobLog } from '@/logs/JobLog';

/** A job, asked for again now and then until it ends, should the live stream be away. */
export function useJob(id: string) {
  return useQuery({
    ...jobQuery(id),
    refetchInterval: ({ state }) => (state.data && isFinished(state.data.status) ? false : 5_000),
  });
}

export function Failure({ job }: { job: Job }) {
  if (!job.failure) return null;
  return (
    <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title="Why it failed" testId="job-failure">
      <Text size="sm">{job.failure.message}</Text>
      <Text size="xs" c="dimmed" mt={4}>
        {job.failure.retryable ? 'Trying again unchanged may succeed.' : 'It will fail again until the cause is mended.'} ·{' '}
        {job.failure.code}
      </Text>
    </Notice>
  );
}

/** With `quiet` it is not there for those who may not see it. */
export function JobPanel({ jobId, title, quiet = false }: { jobId: string; title: string; quiet?: boolean }) {
  const { data: job, error, refetch } = useJob(jobId);
  if (quiet && !job) return null;
  if (error && !job) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!job) return <LoadingRows />;
  return (
    <Panel
      title={title}
      aside={
        <Group gap="md" wrap="nowrap">
          <StatusBadge state={stateOf(jobState, job.status)} />
          <Text size="xs" c="dimmed">
            <Elapsed from={job.started_at} to={job.finished_at} />
          </Text>
        </Group>
      }
    >
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          <JobLink id={job.id}>{humanize(job.kind)}</JobLink>
          {job.created_by?.name && `, asked for by ${job.created_by.name}`}
        </Text>
        <Failure job={job} />
        <StepList steps={job.steps} />
        <JobLog jobId={job.id} height={280} />
      </Stack>
    </Panel>
  );
}
