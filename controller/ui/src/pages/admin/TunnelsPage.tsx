import { Group, Stack, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconPlugConnected, IconSearch, IconSearchOff } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { tunnelsQuery, tunnelStatsQuery } from '@/api/adminQueries';
import type { ConnectedAgent } from '@/api/types';
import { AdminOrganizationLink } from '@/components/Links';
import { PageHeader } from '@/components/PageHeader';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { formatCount, plural } from '@/lib/format';
import { Figure, Figures } from './Figure';

export default function TunnelsPage() {
  const { name } = useSearch({ from: '/app/admin/tunnels' });
  const navigate = useNavigate({ from: '/admin/tunnels' });
  const paging = usePaging(name ?? '');
  const list = useQuery({ ...tunnelsQuery({ ...paging.query, name }), placeholderData: keepPreviousData });
  const search = useDebouncedCallback((text: string) => {
    void navigate({ search: { name: text.trim() || undefined }, replace: true });
  }, 400);
  return (
    <>
      <PageHeader title="Tunnels" subtitle="Every agent that is connected, and the process of the controller that holds its tunnel." />
      <Stack gap="md">
        <Stats />
        <Panel flush>
          <Group p="sm">
            <TextInput
              type="search"
              data-search
              w={{ base: '100%', xs: 260 }}
              leftSection={<IconSearch size={15} />}
              placeholder="Exact name of a server"
              aria-label="Exact name of a server"
              defaultValue={name ?? ''}
              onChange={(event) => search(event.currentTarget.value)}
            />
          </Group>
          <PagedList
            query={list}
            paging={paging}
            noun="tunnel"
            label="Tunnels"
            columns={[
              { label: 'Server' },
              { label: 'Organization', from: 'sm' },
              { label: 'From', from: 'md' },
              { label: 'Open requests' },
              { label: 'Agent', from: 'lg' },
              { label: 'Connected', from: 'xs' },
            ]}
            empty={
              name ? (
                <EmptyState icon={<IconSearchOff size={22} />} title="No such server is connected" text="The name must be whole." />
              ) : (
                <EmptyState icon={<IconPlugConnected size={22} />} title="No agent is connected" text="Agents dial in from their servers; none has." />
              )
            }
          >
            {(agent) => <Row key={agent.server_id} agent={agent} />}
          </PagedList>
        </Panel>
      </Stack>
    </>
  );
}

function Stats() {
  const { data: stats } = useQuery(tunnelStatsQuery);
  if (!stats) return null;
  return (
    <Figures>
      <Figure label="Connected" value={formatCount(stats.connected)} details={`${formatCount(stats.disconnected)} installed and not connected`} />
      <Figure label="Open requests" value={formatCount(stats.streams)} details="in the tunnels of the process that answers" />
      <Figure label="Oldest tunnel" value={<TimeAgo at={stats.oldest_connection} never="–" />} details={<>newest <TimeAgo at={stats.newest_connection} never="–" /></>} />
      <Figure
        label="Processes"
        value={formatCount(stats.replicas.length)}
        details={stats.replicas.map((replica) => plural(replica.agents, 'agent')).join(', ')}
      />
    </Figures>
  );
}

function Row({ agent }: { agent: ConnectedAgent }) {
  return (
    <Table.Tr data-testid="tunnel-row">
      <Table.Td>
        <Text size="sm" fw={600}>
          {agent.server_name}
        </Text>
        <Text size="xs" c="dimmed" hiddenFrom="sm">
          {agent.organization_name}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <AdminOrganizationLink id={agent.organization_id}>{agent.organization_name}</AdminOrganizationLink>
      </Table.Td>
      <Table.Td visibleFrom="md" className="numbers">
        {agent.address ?? '–'}
      </Table.Td>
      <Table.Td className="numbers">
        {agent.streams ?? (
          <Text span size="sm" c="dimmed" title="Another process holds this tunnel">
            elsewhere
          </Text>
        )}
      </Table.Td>
      <Table.Td visibleFrom="lg">{agent.agent_version ?? '–'}</Table.Td>
      <Table.Td visibleFrom="xs">
        <TimeAgo at={agent.connected_since} />
        <Text size="xs" c="dimmed" visibleFrom="lg">
          connection {formatCount(agent.epoch)}
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}
