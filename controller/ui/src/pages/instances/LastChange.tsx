import { CloseButton, Group, Text } from '@mantine/core';
import { IconAlertTriangle, IconCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { jobsQuery } from '@/api/queries';
import type { Instance, Job } from '@/api/types';
import { JobLink } from '@/components/Links';
import { Notice } from '@/components/Notice';
import { TimeAgo } from '@/components/Time';
import { useNow } from '@/lib/now';

const REMEMBERED_MS = 24 * 3_600_000;

/** Whether the database was touched, and what became of it then. */
function aftermath({ steps }: Job): string {
  const stop = steps.find((step) => step.name === 'stop')?.status ?? 'pending';
  if (stop === 'pending' || stop === 'skipped') return 'Nothing was stopped, and nothing was changed.';
  const copy = steps.find((step) => step.name === 'copy')?.status;
  if (copy === 'undone') return 'The copy of the database has taken its place again: all is as it was before.';
  if (copy === 'skipped') return 'There was no copy to put back: the database is as the change has left it.';
  return 'The log says how far it came.';
}

export interface LastChangeProps {
  instance: Instance;
  kind: 'instance_modules' | 'instance_addons' | 'instance_upgrade';
  /** The job that was asked for here: also its good end is worth a word. */
  asked: string | null;
  /** A good end is worth a word, whoever asked. */
  always?: boolean;
  words: { good: string; cancelled: string; failed: string };
  outcomeOf: (result: unknown) => string;
  /** What can be done after one that did not go well. */
  wayOn?: (job: Job) => ReactNode;
}

/** How the last change of a kind ended: what went wrong for a day, what went well for whom asked for it. */
export function LastChange({ instance, kind, asked, always = false, words, outcomeOf, wayOn }: LastChangeProps) {
  const now = useNow();
  const [closed, setClosed] = useState<string | null>(null);
  const jobs = useQuery(jobsQuery({ instance_id: instance.id, kind, limit: 1 }));
  const job = jobs.data?.data[0];
  if (!job?.finished_at || job.id === closed) return null;
  const went = job.status === 'succeeded';
  if (job.id !== asked && ((went && !always) || now - Date.parse(job.finished_at) > REMEMBERED_MS)) return null;
  return (
    <Notice
      tone={went ? 'good' : job.status === 'cancelled' ? 'warn' : 'bad'}
      icon={went ? <IconCheck size={18} /> : <IconAlertTriangle size={18} />}
      role="status"
      testId="last-change"
    >
      <Group justify="space-between" align="flex-start" wrap="nowrap">
        <div style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
          <Text size="sm" fw={600}>
            {went ? words.good : job.status === 'cancelled' ? words.cancelled : words.failed}
          </Text>
          {went ? outcomeOf(job.result) : job.failure && <Text size="sm">{job.failure.message}</Text>}
          {!went && <Text size="sm">{aftermath(job)}</Text>}
          <Text size="xs" c="dimmed" mt={4}>
            <JobLink id={job.id}>The job and its log</JobLink> · <TimeAgo at={job.finished_at} />
          </Text>
          {!went && wayOn?.(job)}
        </div>
        <CloseButton size="sm" aria-label="Close this notice" onClick={() => setClosed(job.id)} />
      </Group>
    </Notice>
  );
}
