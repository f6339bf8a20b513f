import { Stack, Table, Text } from '@mantine/core';
import { IconAlertTriangle, IconMailOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { adminMetricsQuery } from '@/api/adminQueries';
import type { AdminMetrics } from '@/api/types';
import { ListTable } from '@/components/ListTable';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { formatBytes, formatCount, plural, shortId } from '@/lib/format';
import { instanceState, serverState, stateOf, type State } from '@/lib/status';
import { Figure, Figures } from './Figure';

/** So many wait at most while the sealer, which runs each second, is well. */
const UNSEALED_MANY = 1_000;

export default function OverviewPage() {
  const { data: metrics, error, refetch } = useQuery(adminMetricsQuery);
  return (
    <>
      <PageHeader
        title="Platform"
        subtitle={metrics ? `oCore ${metrics.version}, all organizations together.` : 'All organizations together.'}
      />
      {metrics ? (
        <Overview metrics={metrics} />
      ) : error ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : (
        <LoadingRows rows={8} />
      )}
    </>
  );
}

function Overview({ metrics }: { metrics: AdminMetrics }) {
  const { users, jobs, mails, audit } = metrics;
  return (
    <Stack gap="md">
      {mails.kept > 0 && (
        <Notice tone="warn" icon={<IconMailOff size={18} />} title={`${plural(mails.kept, 'mail is', 'mails are')} kept, not sent`}>
          They were made while there was no mail server.{' '}
          <Link to="/admin/mails" search={{ status: 'kept' }}>Open them</Link> and pass their links on, or{' '}
          <Link to="/admin/settings" search={{ tab: 'mail' }}>set a server</Link> and send them.
        </Notice>
      )}
      {audit.unsealed > UNSEALED_MANY && (
        <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title="The audit log is not being sealed">
          {formatCount(audit.unsealed)} entries wait to be chained and signed. The controller&rsquo;s log says why.
        </Notice>
      )}
      <Figures>
        <Figure
          label="People"
          value={formatCount(users.total)}
          details={`${plural(users.admins, 'administrator')}, ${users.suspended} suspended`}
          to="/admin/users"
        />
        <Figure
          label="Signed in within a day"
          value={formatCount(users.signed_in_24h)}
          details={`${plural(users.open_sessions, 'open session')}, ${users.with_second_factor} people with a second factor`}
        />
        <Figure label="Organizations" value={formatCount(metrics.organizations)} to="/admin/organizations" details="with what they use" />
        <Figure label="Servers" value={formatCount(sum(metrics.servers))} details={<ByState counts={metrics.servers} states={serverState} />} to="/admin/tunnels" />
        <Figure label="Instances" value={formatCount(sum(metrics.instances))} details={<ByState counts={metrics.instances} states={instanceState} />} />
        <Figure
          label="Jobs waiting"
          value={formatCount(jobs.queued)}
          details={`${formatCount(jobs.running)} running`}
          to="/admin/jobs"
        />
        <Figure
          label="Jobs failed within a day"
          value={formatCount(jobs.failed_24h)}
          details={`${formatCount(jobs.succeeded_24h)} succeeded`}
          to="/admin/jobs"
          search={{ status: 'failed' }}
        />
        <Figure
          label="Mail waiting"
          value={formatCount(mails.queued)}
          details={`${mails.kept} kept, ${mails.failed_24h} failed within a day`}
          to="/admin/mails"
        />
        <Figure
          label="Audit entries within a day"
          value={formatCount(audit.entries_24h)}
          details={audit.unsealed === 0 ? 'all sealed' : `${formatCount(audit.unsealed)} being sealed`}
          to="/admin/audit"
        />
        <Figure label="Database" value={formatBytes(metrics.database_bytes)} />
      </Figures>
      <Panel title="Controller" flush>
        <ListTable
          label="Processes of the controller"
          columns={[{ label: 'Process' }, { label: 'Version' }, { label: 'Agents' }, { label: 'Started', from: 'xs' }]}
        >
          {metrics.replicas.map((replica) => (
            <Table.Tr key={replica.id}>
              <Table.Td>
                <Text size="sm" ff="monospace" fz={12.5}>
                  {shortId(replica.id.replaceAll('-', '').slice(-12))}
                </Text>
              </Table.Td>
              <Table.Td>{replica.version}</Table.Td>
              <Table.Td className="numbers">{formatCount(replica.agents)}</Table.Td>
              <Table.Td visibleFrom="xs">
                <TimeAgo at={replica.started_at} />
              </Table.Td>
            </Table.Tr>
          ))}
        </ListTable>
      </Panel>
    </Stack>
  );
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, n) => total + n, 0);
}

function ByState({ counts, states }: { counts: Record<string, number>; states: Record<string, State> }) {
  const all = Object.entries(counts).filter(([, n]) => n > 0);
  if (all.length === 0) return <>none</>;
  return (
    <span style={{ display: 'flex', flexWrap: 'wrap', columnGap: 12 }}>
      {all.map(([status, n]) => {
        const { label, tone } = stateOf(states, status);
        return <StatusBadge key={status} state={{ label: `${n} ${label.toLowerCase()}`, tone }} />;
      })}
    </span>
  );
}
