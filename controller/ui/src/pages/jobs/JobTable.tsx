import { Table, Text } from '@mantine/core';
import type { Job } from '@/api/types';
import { JobLink, SubjectLink } from '@/components/Links';
import { ListTable } from '@/components/ListTable';
import { StatusBadge } from '@/components/StatusBadge';
import { Elapsed, TimeAgo } from '@/components/Time';
import { humanize } from '@/lib/format';
import { jobState, stateOf } from '@/lib/status';

/** What a job is at: its failure, its running step, or nothing. */
function noteOf(job: Job): string {
  if (job.failure) return job.failure.message;
  if (job.cancel_requested && job.status === 'running') return 'Being cancelled';
  return job.steps.find((step) => step.status === 'running')?.title ?? '';
}

export function JobTable({ jobs, label, short }: { jobs: Job[]; label: string; short?: boolean }) {
  return (
    <ListTable
      label={label}
      columns={[
        { label: 'Job' },
        { label: 'Status' },
        ...(short ? [] : [{ label: 'About', from: 'sm' as const }]),
        { label: 'Took', from: 'sm' },
        ...(short ? [] : [{ label: 'By', from: 'lg' as const }]),
        { label: 'Asked for', from: 'md' },
      ]}
    >
      {jobs.map((job) => (
        <Table.Tr key={job.id} data-testid="job-row" data-status={job.status}>
          <Table.Td>
            <JobLink id={job.id} strong>
              {humanize(job.kind)}
            </JobLink>
            {!short && (
              <Text size="xs" c="dimmed" hiddenFrom="sm">
                {job.subject?.name}
              </Text>
            )}
            <Text size="xs" c="dimmed" lineClamp={1}>
              {(short && job.subject?.name) || noteOf(job)}
            </Text>
          </Table.Td>
          <Table.Td>
            <StatusBadge state={stateOf(jobState, job.status)} title={job.failure?.message} />
          </Table.Td>
          {!short && (
            <Table.Td visibleFrom="sm">
              <SubjectLink subject={job.subject} />
            </Table.Td>
          )}
          <Table.Td visibleFrom="sm">
            <Elapsed from={job.started_at} to={job.finished_at} />
          </Table.Td>
          {!short && <Table.Td visibleFrom="lg">{job.created_by?.name ?? '–'}</Table.Td>}
          <Table.Td visibleFrom="md">
            <TimeAgo at={job.created_at} />
          </Table.Td>
        </Table.Tr>
      ))}
    </ListTable>
  );
}
