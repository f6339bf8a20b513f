import { Button, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { IconDatabase, IconKey, IconPlayerPlay, IconTool } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { databaseMetricsQuery, databaseQuery } from '@/api/databaseQueries';
import type { DatabaseInfo, DatabaseMetrics, Instance } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { FactList, Panel } from '@/components/Panel';
import { EmptyState, ErrorState, LoadingRows } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { UsageBar } from '@/components/UsageBar';
import { formatBytes, formatCount, formatDuration, formatMegabytes, share } from '@/lib/format';
import { JobPanel } from '@/pages/jobs/JobView';
import { useSession } from '@/shell/session';
import { useStale } from '../useStale';
import { cacheText, ratesOf, readingOf, type Reading } from './database';
import { DatabaseList } from './DatabaseList';
import { DatabaseSettings } from './DatabaseSettings';
import { DatabaseTables } from './DatabaseTables';
import { MaintenanceDialog } from './MaintenanceDialog';
import { SlowStatements } from './SlowStatements';

/** An instance's PostgreSQL: what it holds, how it does, and the ways to change it. */
export default function InstanceDatabase({ instance }: { instance: Instance }) {
  const { active_job_id, container_id, status } = instance;
  const { can } = useSession();
  const runs = container_id != null && status !== 'stopped';
  const info = useQuery(databaseQuery(instance.id, runs));
  const manages = can('manage:databases') && status !== 'removing';
  const editable = manages && active_job_id == null;
  if (container_id == null) {
    return (
      <EmptyState
        icon={<IconDatabase size={22} />}
        title="No database yet"
        text="The instance is not set up. Its database is shown here once its Odoo runs."
      />
    );
  }
  return (
    <Stack gap="md">
      {active_job_id && <JobPanel key={active_job_id} jobId={active_job_id} title="In progress" />}
      {!runs ? (
        <EmptyState
          icon={<IconPlayerPlay size={22} />}
          title="The instance is stopped"
          text="Its PostgreSQL is asked each time this is looked at. Start the instance to see it; settings can be read meanwhile."
        />
      ) : info.data ? (
        <Live instance={instance} info={info.data} editable={editable} />
      ) : info.error ? (
        <ErrorState error={info.error} onRetry={() => void info.refetch()} />
      ) : (
        <LoadingRows rows={6} />
      )}
      <DatabaseSettings instance={instance} editable={editable} />
      {runs && info.data && <DatabaseTables instanceId={instance.id} />}
      {runs && info.data && <DatabaseList instance={instance} editable={editable} />}
    </Stack>
  );
}

function Live({ instance, info, editable }: { instance: Instance; info: DatabaseInfo; editable: boolean }) {
  const [asking, setAsking] = useState<'maintain' | 'password' | null>(null);
  const metrics = useQuery(databaseMetricsQuery(instance.id, true));
  return (
    <>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
        <Panel
          title="Database"
          aside={
            editable && (
              <Group gap="xs">
                <Button size="xs" variant="default" leftSection={<IconTool size={15} />} onClick={() => setAsking('maintain')} data-testid="maintain">
                  Maintain
                </Button>
                <Button size="xs" variant="default" leftSection={<IconKey size={15} />} onClick={() => setAsking('password')} data-testid="rotate">
                  New password
                </Button>
              </Group>
            )
          }
        >
          <About info={info} />
        </Panel>
        <Panel title="Now">
          {metrics.data ? (
            <Figures metrics={metrics.data} />
          ) : metrics.error ? (
            <ErrorState error={metrics.error} onRetry={() => void metrics.refetch()} />
          ) : (
            <LoadingRows rows={5} />
          )}
        </Panel>
      </SimpleGrid>
      {metrics.data && <SlowStatements statements={metrics.data.slow_statements ?? null} />}
      {asking === 'maintain' && <MaintenanceDialog instanceId={instance.id} onClose={() => setAsking(null)} />}
      <PasswordDialog instance={instance} opened={asking === 'password'} onClose={() => setAsking(null)} />
    </>
  );
}

function About({ info }: { info: DatabaseInfo }) {
  return (
    <FactList
      facts={[
        ['Name', info.name],
        ['Size', formatBytes(info.size_bytes)],
        ['PostgreSQL', info.version],
        ['Image', info.image],
        ['Owner', info.owner],
        ['Encoding', `${info.encoding} · ${info.collation}`],
        ['Memory', `${formatMegabytes(info.memory_mb)}, of it ${formatMegabytes(info.shared_memory_mb)} shared by parallel queries`],
        ['Extensions', info.extensions.map(({ name, version }) => `${name} ${version}`).join(', ') || 'none'],
        ['Runs since', <TimeAgo key="since" at={info.started_at} />],
      ]}
    />
  );
}

/** Figures of now, and rates since they were read before. */
function Figures({ metrics }: { metrics: DatabaseMetrics }) {
  const before = useRef<{ last: Reading; previous: Reading | null } | null>(null);
  const now = readingOf(metrics);
  if (before.current?.last.at !== now.at) before.current = { last: now, previous: before.current?.last ?? null };
  const rates = ratesOf(before.current.previous, now);
  const { connections } = metrics;
  const rate = (value: number | undefined, unit: string) => (value === undefined ? 'after the next reading' : `${formatCount(Math.round(value))} ${unit}`);
  const longest = (ms: number | null | undefined) => (ms == null ? 'none' : formatDuration(ms));
  return (
    <Stack gap="md">
      <div>
        <Text size="sm" fw={500}>
          Connections
        </Text>
        <UsageBar label="Connections" percent={share(connections.used, connections.most)} detail={`${connections.used} of ${connections.most}`} />
        <Text size="xs" c="dimmed" mt={3} className="numbers">
          {connections.used} of {connections.most}: {connections.active} at work, {connections.idle} idle
          {connections.idle_in_transaction > 0 && `, ${connections.idle_in_transaction} idle within a transaction`}
        </Text>
      </div>
      <FactList
        facts={[
          ['Read from memory', cacheText(metrics.cache_hit_ratio)],
          ['Transactions', rates ? `${rate(rates.transactions, 'a second')}, ${Math.round(rates.rollbacks)} % taken back` : rate(undefined, '')],
          ['Rows', rates ? `${rate(rates.rowsRead, 'read')}, ${rate(rates.rowsWritten, 'written a second')}` : rate(undefined, '')],
          ['Waiting for locks', String(metrics.waiting_locks)],
          ['Longest transaction', longest(metrics.longest_transaction_ms)],
          ['Deadlocks so far', formatCount(metrics.counters.deadlocks)],
          ['Checkpoints', `${formatCount(metrics.checkpoints.timed)} in time, ${formatCount(metrics.checkpoints.requested)} since the log was full`],
        ]}
      />
    </Stack>
  );
}

function PasswordDialog({ instance, opened, onClose }: { instance: Instance; opened: boolean; onClose: () => void }) {
  const rotate = useMutation({
    mutationFn: () => unwrap(api.POST('/api/instances/{id}/database/password', { params: { path: { id: instance.id } } })),
    meta: { showsError: true },
    onSuccess: () => {
      onClose();
      window.scrollTo({ top: 0 });
    },
    onSettled: useStale(instance.id),
  });
  return (
    <Confirm
      opened={opened}
      title="Another password for the database"
      action="Change it"
      harmless
      run={rotate}
      onClose={onClose}
      onConfirm={() => rotate.mutate()}
    >
      Odoo’s role in PostgreSQL gets a new password that nobody has seen, and Odoo is restarted with it: people wait for some
      seconds. Should Odoo not come up with it, the one before is put back.
    </Confirm>
  );
}
