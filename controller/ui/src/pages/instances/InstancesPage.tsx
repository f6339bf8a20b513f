import { ActionIcon, Group, Table, Text, Tooltip } from '@mantine/core';
import { IconBox, IconExternalLink, IconPlus, IconSearchOff } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { environmentQuery } from '@/api/projectQueries';
import { instancesQuery } from '@/api/queries';
import { instanceStatusValues, type Instance, type InstanceStatus } from '@/api/types';
import { ButtonLink } from '@/components/ButtonLink';
import { FilterPill } from '@/components/FilterPill';
import { InstanceLink, ServerLink } from '@/components/Links';
import { PageHeader } from '@/components/PageHeader';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { StatusFilter } from '@/components/StatusFilter';
import { TimeAgo } from '@/components/Time';
import { formatMegabytes } from '@/lib/format';
import { healthState, instanceState, stateOf } from '@/lib/status';
import { useSession } from '@/shell/session';

export default function InstancesPage() {
  const search = useSearch({ from: '/app/instances' });
  const navigate = useNavigate({ from: '/instances' });
  const { can } = useSession();
  const status = search.status as InstanceStatus | undefined;
  const paging = usePaging(`${search.q ?? ''}|${status ?? ''}|${search.server_id ?? ''}|${search.environment_id ?? ''}`);
  const instances = useQuery({
    ...instancesQuery({
      ...paging.query,
      q: search.q,
      status: status && [status],
      server_id: search.server_id,
      environment_id: search.environment_id,
    }),
    placeholderData: keepPreviousData,
  });
  const environment = useQuery({
    ...environmentQuery(search.environment_id ?? ''),
    enabled: search.environment_id !== undefined && can('view:projects'),
  });
  const newButton = can('manage:instances') && (
    <ButtonLink to="/instances/new" leftSection={<IconPlus size={16} />} data-new data-testid="new-instance">
      New instance
    </ButtonLink>
  );
  return (
    <>
      <PageHeader title="Instances" subtitle="Odoo, each with its own database." actions={newButton} />
      <Panel flush>
        <Group p="sm" gap="xs">
          <SearchInput
            label="Search instances"
            value={search.q ?? ''}
            onSearch={(q) => void navigate({ search: (s) => ({ ...s, q: q || undefined }), replace: true })}
          />
          <StatusFilter
            value={status}
            all={instanceStatusValues}
            states={instanceState}
            onChange={(value) => void navigate({ search: (s) => ({ ...s, status: value }), replace: true })}
          />
          {search.server_id && (
            <FilterPill label="On" onRemove={() => void navigate({ search: (s) => ({ ...s, server_id: undefined }), replace: true })}>
              {instances.data?.data[0]?.server_name ?? 'one server'}
            </FilterPill>
          )}
          {search.environment_id && (
            <FilterPill label="In" onRemove={() => void navigate({ search: (s) => ({ ...s, environment_id: undefined }), replace: true })}>
              {environment.data ? `${environment.data.project_name} / ${environment.data.name}` : 'one environment'}
            </FilterPill>
          )}
        </Group>
        <PagedList
          query={instances}
          paging={paging}
          noun="instance"
          label="Instances"
          columns={[
            { label: 'Name' },
            { label: 'Status' },
            { label: 'Odoo', from: 'sm' },
            { label: 'Server', from: 'sm' },
            { label: 'Size', from: 'lg' },
            { label: 'Changed', from: 'md' },
            { label: 'Open', hiddenLabel: true },
          ]}
          empty={
            search.q || status || search.server_id || search.environment_id ? (
              <EmptyState icon={<IconSearchOff size={22} />} title="No instance matches" text="Try another word or status." />
            ) : (
              <EmptyState
                icon={<IconBox size={22} />}
                title="No instance yet"
                text="An instance is an Odoo with a database of its own on one of your servers. The first one takes a few minutes."
                action={newButton}
              />
            )
          }
        >
          {(instance) => <InstanceRow key={instance.id} instance={instance} />}
        </PagedList>
      </Panel>
    </>
  );
}

function InstanceRow({ instance }: { instance: Instance }) {
  const sick = instance.status === 'running' && instance.health !== 'healthy';
  return (
    <Table.Tr data-testid="instance-row" data-instance={instance.name} data-status={instance.status}>
      <Table.Td>
        <InstanceLink id={instance.id} strong>
          {instance.name}
        </InstanceLink>
        <Text size="xs" c="dimmed">
          {instance.slug}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusBadge state={stateOf(instanceState, instance.status)} title={instance.status_reason} />
        {sick && (
          <Text size="xs" c={instance.health === 'unhealthy' ? 'red' : 'dimmed'}>
            {stateOf(healthState, instance.health).label}
          </Text>
        )}
      </Table.Td>
      <Table.Td visibleFrom="sm" className="numbers">
        {instance.odoo_version}
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <ServerLink id={instance.server_id}>{instance.server_name ?? 'Server'}</ServerLink>
      </Table.Td>
      <Table.Td visibleFrom="lg" className="numbers">
        {instance.limits.cpus} CPU · {formatMegabytes(instance.limits.memory_mb)}
      </Table.Td>
      <Table.Td visibleFrom="md">
        <TimeAgo at={instance.updated_at} />
      </Table.Td>
      <Table.Td>
        {instance.url && (
          <Tooltip label={instance.url}>
            <ActionIcon component="a" href={instance.url} target="_blank" rel="noreferrer" aria-label={`Open ${instance.name}`}>
              <IconExternalLink size={16} />
            </ActionIcon>
          </Tooltip>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
