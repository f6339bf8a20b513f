import { Group, NativeSelect, TextInput } from '@mantine/core';
import { IconListCheck, IconSearch, IconSearchOff } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { jobsQuery } from '@/api/queries';
import { jobStatusValues, type Job, type JobStatus } from '@/api/types';
import { PageHeader } from '@/components/PageHeader';
import { Pager, usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { EmptyState, Loaded } from '@/components/States';
import { StatusFilter } from '@/components/StatusFilter';
import { humanize } from '@/lib/format';
import { jobState } from '@/lib/status';
import { JobTable } from './JobTable';
import { JOB_KINDS } from './kinds';

function mentions(job: Job, word: string): boolean {
  return [job.kind.replace(/_/g, ' '), job.subject?.name, job.created_by?.name, job.failure?.message, job.id].some((text) =>
    text?.toLowerCase().includes(word),
  );
}

export default function JobsPage() {
  const search = useSearch({ from: '/app/jobs' });
  const navigate = useNavigate({ from: '/jobs' });
  const status = search.status as JobStatus | undefined;
  const [word, setWord] = useState('');
  const paging = usePaging(`${status ?? ''}|${search.kind ?? ''}`);
  const jobs = useQuery({
    ...jobsQuery({ ...paging.query, status: status && [status], kind: search.kind }),
    placeholderData: keepPreviousData,
  });
  const shown = jobs.data?.data.filter((job) => mentions(job, word.trim().toLowerCase())) ?? [];
  return (
    <>
      <PageHeader title="Jobs" subtitle="Everything that is being done, and what became of it." />
      <Panel flush>
        <Group p="sm" gap="xs">
          <TextInput
            type="search"
            w={{ base: '100%', xs: 260 }}
            data-search
            leftSection={<IconSearch size={15} />}
            placeholder="Search on this page"
            aria-label="Search the jobs of this page"
            value={word}
            onChange={(event) => setWord(event.currentTarget.value)}
          />
          <StatusFilter
            value={status}
            all={jobStatusValues}
            states={jobState}
            onChange={(value) => void navigate({ search: (s) => ({ ...s, status: value }), replace: true })}
          />
          <NativeSelect
            aria-label="Kind"
            value={search.kind ?? ''}
            data={[{ value: '', label: 'Any kind' }, ...JOB_KINDS.map((kind) => ({ value: kind, label: humanize(kind) }))]}
            onChange={(event) => {
              const kind = event.currentTarget.value || undefined;
              void navigate({ search: (s) => ({ ...s, kind }), replace: true });
            }}
          />
        </Group>
        <Loaded query={jobs}>
          {() =>
            shown.length === 0 ? (
              status || search.kind || word ? (
                <EmptyState icon={<IconSearchOff size={22} />} title="No job matches" text="Try another filter." />
              ) : (
                <EmptyState
                  icon={<IconListCheck size={22} />}
                  title="No job yet"
                  text="Creating, starting and removing instances are jobs: each shows its steps and its log here."
                />
              )
            ) : (
              <JobTable jobs={shown} label="Jobs" />
            )
          }
        </Loaded>
        <Pager paging={paging} page={jobs.data} noun="job" />
      </Panel>
    </>
  );
}
