import { Badge, Button, Group, Table, Text } from '@mantine/core';
import { IconPlus, IconSearchOff, IconServer2 } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { serversQuery } from '@/api/queries';
import { serverStatusValues, type Server, type ServerStatus } from '@/api/types';
import { ServerLink } from '@/components/Links';
import { PageHeader } from '@/components/PageHeader';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { StatusFilter } from '@/components/StatusFilter';
import { TimeAgo } from '@/components/Time';
import { formatBytes, share } from '@/lib/format';
import { tagsFromLabels } from '@/lib/labels';
import { serverState, stateOf } from '@/lib/status';
import { UsageBar } from '@/components/UsageBar';
import { useSession } from '@/shell/session';
import { AddServerDialog } from './AddServerDialog';

export default function ServersPage() {
  const search = useSearch({ from: '/app/servers' });
  const navigate = useNavigate({ from: '/servers' });
  const { can } = useSession();
  const status = search.status as ServerStatus | undefined;
  const paging = usePaging(`${search.q ?? ''}|${status ?? ''}`);
  const servers = useQuery({
    ...serversQuery({ ...paging.query, q: search.q, status: status && [status] }),
    placeholderData: keepPreviousData,
  });
  const setAdding = (add: boolean) => void navigate({ search: (s) => ({ ...s, add: add ? 'server' : undefined }) });
  const addButton = can('manage:servers') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAdding(true)} data-new data-testid="add-server">
      Add server
    </Button>
  );
  return (
    <>
      <PageHeader title="Servers" subtitle="Machines with Docker that run your instances." actions={addButton} />
      <Panel flush>
        <Group p="sm" gap="xs">
          <SearchInput
            label="Search servers"
            value={search.q ?? ''}
            onSearch={(q) => void navigate({ search: (s) => ({ ...s, q: q || undefined }), replace: true })}
          />
          <StatusFilter
            value={status}
            all={serverStatusValues}
            states={serverState}
            onChange={(value) => void navigate({ search: (s) => ({ ...s, status: value }), replace: true })}
          />
        </Group>
        <PagedList
          query={servers}
          paging={paging}
          noun="server"
          label="Servers"
          columns={[
            { label: 'Name' },
            { label: 'Status' },
            { label: 'CPU', from: 'sm' },
            { label: 'Memory', from: 'sm' },
            { label: 'Disk', from: 'md' },
            { label: 'Instances', from: 'md' },
            { label: 'Last seen', from: 'lg' },
          ]}
          empty={
            search.q || status ? (
              <EmptyState icon={<IconSearchOff size={22} />} title="No server matches" text="Try another word or status." />
            ) : (
              <EmptyState
                icon={<IconServer2 size={22} />}
                title="No server yet"
                text="Give a server a name, run one command on it, and it appears here within a minute."
                action={addButton}
              />
            )
          }
        >
          {(server) => <ServerRow key={server.id} server={server} />}
        </PagedList>
      </Panel>
      <AddServerDialog opened={search.add !== undefined} onClose={() => setAdding(false)} />
    </>
  );
}

function ServerRow({ server }: { server: Server }) {
  const usage = server.status === 'offline' ? null : server.usage;
  return (
    <Table.Tr data-testid="server-row" data-server={server.name} data-status={server.status}>
      <Table.Td>
        <Group gap="xs">
          <ServerLink id={server.id} strong>
            {server.name}
          </ServerLink>
          {tagsFromLabels(server.labels)
            .slice(0, 3)
            .map((tag) => (
              <Badge key={tag} size="sm" color="gray" visibleFrom="sm">
                {tag}
              </Badge>
            ))}
        </Group>
        <Text size="xs" c="dimmed" lineClamp={1}>
          {server.description || (server.facts && server.facts.hostname !== server.name ? server.facts.hostname : '')}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusBadge state={stateOf(serverState, server.status)} title={server.status_reason} />
        {server.facts && !server.facts.docker.available && (
          <Text size="xs" c="red">
            No Docker
          </Text>
        )}
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <UsageBar
          label="CPU"
          percent={usage?.cpu_percent ?? null}
          detail={server.facts ? `${server.facts.cpu_cores} cores` : undefined}
        />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <UsageBar
          label="Memory"
          percent={usage && share(usage.memory_used_bytes, usage.memory_total_bytes)}
          detail={usage ? `${formatBytes(usage.memory_used_bytes)} of ${formatBytes(usage.memory_total_bytes)}` : undefined}
        />
      </Table.Td>
      <Table.Td visibleFrom="md">
        <UsageBar
          label="Disk"
          percent={usage && share(usage.disk_used_bytes, usage.disk_total_bytes)}
          detail={usage ? `${formatBytes(usage.disk_used_bytes)} of ${formatBytes(usage.disk_total_bytes)}` : undefined}
        />
      </Table.Td>
      <Table.Td visibleFrom="md" className="numbers">
        {server.instances_count}
      </Table.Td>
      <Table.Td visibleFrom="lg">
        <TimeAgo at={server.last_seen_at} />
      </Table.Td>
    </Table.Tr>
  );
}
