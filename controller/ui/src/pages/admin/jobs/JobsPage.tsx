import { Group, NativeSelect, Stack, Table, Text } from '@mantine/core';
import { IconListCheck, IconSearchOff } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { adminJobsQuery } from '@/api/adminQueries';
import { executorValues, jobStatusValues, type AdminJob, type Executor, type JobStatus } from '@/api/types';
import { FilterPill } from '@/components/FilterPill';
import { ListTable } from '@/components/ListTable';
import { PageHeader } from '@/components/PageHeader';
import { Pager, usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { RowButton } from '@/components/RowButton';
import { EmptyState, Loaded } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { StatusFilter } from '@/components/StatusFilter';
import { Elapsed, TimeAgo } from '@/components/Time';
import { humanize } from '@/lib/format';
import { jobState, stateOf } from '@/lib/status';
import { JobDrawer } from './JobDrawer';
import { Queues } from './Queues';

const BY: Record<Executor, string> = { agent: 'On servers', controller: 'In the controller' };

export default function JobsPage() {
  const search = useSearch({ from: '/app/admin/jobs' });
  const navigate = useNavigate({ from: '/admin/jobs' });
  const [opened, setOpened] = useState<AdminJob | null>(null);
  const { kind, organization_id } = search;
  const status = search.status as JobStatus | undefined;
  const executor = search.executor as Executor | undefined;
  const paging = usePaging(`${status}|${kind}|${executor}|${organization_id}`);
  const jobs = useQuery({
    ...adminJobsQuery({ ...paging.query, status, kind, executor, organization_id }),
    placeholderData: keepPreviousData,
  });
  const set = (change: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  const list = jobs.data?.data ?? [];
  const kinds = [...new Set([...(jobs.data?.queues.map((queue) => queue.kind) ?? []), ...(kind ? [kind] : [])])].sort();
  return (
    <>
      <PageHeader title="All jobs" subtitle="Work of every organization and of the controller itself: mail, deliveries, upkeep." />
      <Stack gap="md">
        {jobs.data && <Queues queues={jobs.data.queues} onKind={(next, of) => set({ kind: next, status: of })} />}
        <Panel flush>
          <Group p="sm" gap="xs">
            <StatusFilter value={status} all={jobStatusValues} states={jobState} onChange={(value) => set({ status: value })} />
            <NativeSelect
              aria-label="Kind"
              value={kind ?? ''}
              data={[{ value: '', label: 'Any kind' }, ...kinds.map((k) => ({ value: k, label: humanize(k) }))]}
              onChange={(event) => set({ kind: event.currentTarget.value || undefined })}
            />
            <NativeSelect
              aria-label="Where"
              value={executor ?? ''}
              data={[{ value: '', label: 'Anywhere' }, ...executorValues.map((e) => ({ value: e, label: BY[e] }))]}
              onChange={(event) => set({ executor: event.currentTarget.value || undefined })}
            />
            {organization_id && (
              <FilterPill label="Organization" onRemove={() => set({ organization_id: undefined })}>
                {list[0]?.organization_name ?? organization_id}
              </FilterPill>
            )}
          </Group>
          <Loaded query={jobs}>
            {() =>
              list.length === 0 ? (
                Object.values(search).some(Boolean) ? (
                  <EmptyState icon={<IconSearchOff size={22} />} title="No job matches" text="Try another filter." />
                ) : (
                  <EmptyState icon={<IconListCheck size={22} />} title="No job yet" text="What is being done anywhere appears here." />
                )
              ) : (
                <ListTable
                  label="Jobs"
                  columns={[
                    { label: 'Job' },
                    { label: 'Status' },
                    { label: 'Organization', from: 'md' },
                    { label: 'Attempts', from: 'lg' },
                    { label: 'Took', from: 'sm' },
                    { label: 'Asked for', from: 'sm' },
                  ]}
                >
                  {list.map((job) => (
                    <Row key={job.id} job={job} onOpen={() => setOpened(job)} />
                  ))}
                </ListTable>
              )
            }
          </Loaded>
          <Pager paging={paging} page={jobs.data} noun="job" />
        </Panel>
      </Stack>
      <JobDrawer job={opened && (list.find((job) => job.id === opened.id) ?? opened)} onClose={() => setOpened(null)} />
    </>
  );
}

function Row({ job, onOpen }: { job: AdminJob; onOpen: () => void }) {
  return (
    <Table.Tr data-testid="admin-job-row" data-status={job.status}>
      <Table.Td>
        <RowButton onClick={onOpen}>{humanize(job.kind)}</RowButton>
        <Text size="xs" c="dimmed" lineClamp={1} style={{ overflowWrap: 'anywhere' }}>
          {job.subject.name}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusBadge state={stateOf(jobState, job.status)} title={job.failure?.message} />
        <Text size="xs" c="dimmed" lineClamp={1} maw={300}>
          {job.failure?.message ?? (job.waiting ? 'behind another job' : null)}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md">{job.organization_name ?? <Text size="sm" c="dimmed">the platform</Text>}</Table.Td>
      <Table.Td visibleFrom="lg" className="numbers">
        {job.attempts}
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Elapsed from={job.started_at} to={job.finished_at} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <TimeAgo at={job.created_at} />
      </Table.Td>
    </Table.Tr>
  );
}
