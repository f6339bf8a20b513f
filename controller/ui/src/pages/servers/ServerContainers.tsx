import { Badge, Group, Switch, Table, Text } from '@mantine/core';
import { IconBox, IconSearchOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { containersQuery } from '@/api/queries';
import type { ContainerInfo } from '@/api/types';
import { InstanceLink } from '@/components/Links';
import { ListTable } from '@/components/ListTable';
import { Pager, usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, ErrorState, LoadingRows } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { humanize, shortId } from '@/lib/format';
import { containerTone } from '@/lib/status';

export function ServerContainers({ serverId }: { serverId: string }) {
  const [q, setQ] = useState('');
  const [ours, setOurs] = useState(false);
  const containers = useQuery(containersQuery(serverId));
  const paging = usePaging(`${q}|${ours}`);
  const found = useMemo(() => {
    const word = q.toLowerCase();
    return (containers.data?.data ?? []).filter(
      (c) => (!ours || c.managed) && (c.name.toLowerCase().includes(word) || c.image.toLowerCase().includes(word)),
    );
  }, [containers.data, q, ours]);

  if (containers.isPending) return <LoadingRows />;
  if (containers.isError) return <ErrorState error={containers.error} onRetry={() => void containers.refetch()} />;
  if (containers.data.data.length === 0) {
    return (
      <EmptyState
        icon={<IconBox size={22} />}
        title="No container"
        text="Containers appear as soon as Docker has them, whoever made them."
      />
    );
  }
  // The whole inventory comes at once; the pages are cut here.
  const from = Number(paging.query.cursor ?? 0);
  const to = from + paging.query.limit;
  const page = { data: found.slice(from, to), has_more: to < found.length, next_cursor: String(to) };
  return (
    <Panel flush>
      <Group p="sm" gap="md">
        <SearchInput label="Search containers" value={q} onSearch={setQ} />
        <Switch label="Only those that oCore manages" checked={ours} onChange={(e) => setOurs(e.currentTarget.checked)} />
      </Group>
      {page.data.length === 0 ? (
        <EmptyState icon={<IconSearchOff size={22} />} title="No container matches" text="Try another word." />
      ) : (
        <ListTable
          label="Containers"
          columns={[
            { label: 'Name' },
            { label: 'State' },
            { label: 'Image', from: 'sm' },
            { label: 'Ports', from: 'md' },
            { label: 'Started', from: 'lg' },
          ]}
        >
          {page.data.map((container) => (
            <ContainerRow key={container.id} container={container} />
          ))}
        </ListTable>
      )}
      <Pager paging={paging} page={page} noun="container" />
    </Panel>
  );
}

function ContainerRow({ container }: { container: ContainerInfo }) {
  const instance = container.labels?.['sh.ocore.instance'];
  const stopped = container.state === 'exited' && container.exit_code != null;
  return (
    <Table.Tr data-testid="container-row">
      <Table.Td>
        <Group gap="xs">
          {instance ? (
            <InstanceLink id={instance} strong>
              {container.name}
            </InstanceLink>
          ) : (
            <Text size="sm" fw={600}>
              {container.name}
            </Text>
          )}
          {container.managed && <Badge size="sm">oCore</Badge>}
        </Group>
        <Text size="xs" c="dimmed" ff="monospace">
          {shortId(container.id)}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusBadge
          state={{
            label: stopped ? `Exited (${container.exit_code})` : humanize(container.health ?? container.state),
            tone: containerTone(container.state, container.health),
          }}
        />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Text size="sm" ff="monospace" fz={12.5} style={{ overflowWrap: 'anywhere' }}>
          {container.image}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Text size="sm" ff="monospace" fz={12.5}>
          {container.ports?.join(', ') || '–'}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="lg">
        <TimeAgo at={container.started_at} />
      </Table.Td>
    </Table.Tr>
  );
}
