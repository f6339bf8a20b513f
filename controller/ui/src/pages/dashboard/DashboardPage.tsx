import { SimpleGrid, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { instanceCountsQuery, jobsQuery, serverCountsQuery, serversQuery } from '@/api/queries';
import { EventList } from '@/components/EventList';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import { instanceState, serverState } from '@/lib/status';
import { useLive } from '@/live/LiveProvider';
import { JobTable } from '@/pages/jobs/JobTable';
import { useSession } from '@/shell/session';
import { Counter } from './Counters';
import { FirstSteps } from './FirstSteps';
import { ServerUse } from './ServerUse';

export default function DashboardPage() {
  const { organization, user } = useSession();
  const servers = useQuery(serverCountsQuery);
  const instances = useQuery(instanceCountsQuery);
  const empty = servers.data && instances.data && (servers.data.total === 0 || instances.data.total === 0);
  const failed = servers.error ?? instances.error;
  return (
    <>
      <PageHeader title="Dashboard" subtitle={`${organization.name}, as ${user.name}`} />
      <Stack gap="md">
        {failed && !servers.data && <ErrorState error={failed} onRetry={() => void servers.refetch()} />}
        {empty && <FirstSteps servers={servers.data.total} instances={instances.data.total} />}
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
          <Counter title="Servers" to="/servers" counts={servers.data} states={serverState} />
          <Counter title="Instances" to="/instances" counts={instances.data} states={instanceState} />
        </SimpleGrid>
        <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
          <Stack gap="md">
            <ServersNow />
          </Stack>
          <Stack gap="md">
            <RecentJobs />
            <RecentEvents />
          </Stack>
        </SimpleGrid>
      </Stack>
    </>
  );
}

function ServersNow() {
  const servers = useQuery(serversQuery({ limit: 8 }));
  return (
    <Panel title="Use of the servers" flush>
      {servers.data ? <ServerUse servers={servers.data.data} /> : <LoadingRows rows={3} />}
    </Panel>
  );
}

function RecentJobs() {
  const jobs = useQuery(jobsQuery({ limit: 6 }));
  return (
    <Panel title="Recent jobs" flush>
      {!jobs.data ? (
        <LoadingRows rows={3} />
      ) : jobs.data.data.length === 0 ? (
        <Quiet text="No job yet." />
      ) : (
        <JobTable jobs={jobs.data.data} label="Recent jobs" short />
      )}
    </Panel>
  );
}

function RecentEvents() {
  const { events } = useLive();
  return (
    <Panel title="Happening now" flush>
      {events.length === 0 ? (
        <Quiet text="Quiet so far. What happens from now on appears here at once." />
      ) : (
        <EventList events={events.slice(0, 10)} subjects />
      )}
    </Panel>
  );
}

function Quiet({ text }: { text: string }) {
  return (
    <Text size="sm" c="dimmed" p="md">
      {text}
    </Text>
  );
}
