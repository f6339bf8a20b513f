import { Table, Text, UnstyledButton } from '@mantine/core';
import type { JobQueue, JobStatus } from '@/api/types';
import { ListTable } from '@/components/ListTable';
import { Panel } from '@/components/Panel';
import { RowButton } from '@/components/RowButton';
import { TimeAgo } from '@/components/Time';
import { formatCount, humanize } from '@/lib/format';
import { useNow } from '@/lib/now';

/** Waiting for longer than this means that something is stuck. */
const LATE_MS = 60_000;

/** How deep the queue of each kind is, and how it went lately. */
export function Queues({ queues, onKind }: { queues: JobQueue[]; onKind: (kind: string, status?: JobStatus) => void }) {
  const now = useNow();
  if (queues.length === 0) return null;
  return (
    <Panel
      title="Queues"
      aside={
        <Text size="xs" c="dimmed">
          with what ended in the last 24 hours
        </Text>
      }
      flush
    >
      <ListTable
        label="Queues"
        columns={[
          { label: 'Kind' },
          { label: 'Waiting' },
          { label: 'Running' },
          { label: 'Oldest due', from: 'sm' },
          { label: 'Succeeded', from: 'sm' },
          { label: 'Failed' },
        ]}
      >
        {queues.map((queue) => {
          const late = queue.oldest_due_at != null && now - Date.parse(queue.oldest_due_at) > LATE_MS;
          return (
            <Table.Tr key={`${queue.kind} ${queue.executor}`} data-testid="queue-row" data-kind={queue.kind}>
              <Table.Td>
                <RowButton onClick={() => onKind(queue.kind)}>{humanize(queue.kind)}</RowButton>
                <Text size="xs" c="dimmed">
                  {queue.executor === 'agent' ? 'on servers' : 'in the controller'}
                </Text>
              </Table.Td>
              <Table.Td className="numbers">{formatCount(queue.queued)}</Table.Td>
              <Table.Td className="numbers">{formatCount(queue.running)}</Table.Td>
              <Table.Td visibleFrom="sm">
                <Text size="sm" c={late ? 'var(--oc-warn)' : undefined}>
                  <TimeAgo at={queue.oldest_due_at} never="–" />
                  {late && ' · late'}
                </Text>
              </Table.Td>
              <Table.Td visibleFrom="sm" className="numbers">
                {formatCount(queue.succeeded_24h)}
              </Table.Td>
              <Table.Td className="numbers">
                {queue.failed_24h > 0 ? (
                  <UnstyledButton fz="sm" c="var(--oc-bad)" td="underline" onClick={() => onKind(queue.kind, 'failed')}>
                    {formatCount(queue.failed_24h)}
                  </UnstyledButton>
                ) : (
                  '0'
                )}
              </Table.Td>
            </Table.Tr>
          );
        })}
      </ListTable>
    </Panel>
  );
}
