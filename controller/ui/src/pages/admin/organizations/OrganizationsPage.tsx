import { Group, Table, Text } from '@mantine/core';
import { IconSearchOff } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { adminOrganizationsQuery } from '@/api/adminQueries';
import { AdminOrganizationLink, AdminUserLink } from '@/components/Links';
import { ListTable } from '@/components/ListTable';
import { PageHeader } from '@/components/PageHeader';
import { Pager, usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, ErrorState, LoadingRows } from '@/components/States';
import { TimeAgo } from '@/components/Time';

export default function OrganizationsPage() {
  const { q } = useSearch({ from: '/app/admin/organizations' });
  const navigate = useNavigate({ from: '/admin/organizations' });
  const paging = usePaging(q ?? '');
  const list = useQuery({ ...adminOrganizationsQuery({ ...paging.query, q }), placeholderData: keepPreviousData });
  return (
    <>
      <PageHeader title="Organizations" subtitle="All of the platform, with who owns them and what they use." />
      <Panel flush>
        <Group p="sm">
          <SearchInput
            label="Search organizations"
            value={q ?? ''}
            onSearch={(next) => void navigate({ search: { q: next || undefined }, replace: true })}
          />
        </Group>
        {list.isPending ? (
          <LoadingRows />
        ) : list.isError ? (
          <ErrorState error={list.error} onRetry={() => void list.refetch()} />
        ) : list.data.data.length === 0 ? (
          <EmptyState icon={<IconSearchOff size={22} />} title="No organization matches" text="Try another word." />
        ) : (
          <ListTable
            label="Organizations"
            columns={[
              { label: 'Name' },
              { label: 'Owner' },
              { label: 'Members', from: 'sm' },
              { label: 'Servers', from: 'sm' },
              { label: 'Instances', from: 'sm' },
              { label: 'Made', from: 'md' },
            ]}
          >
            {list.data.data.map((organization) => (
              <Table.Tr key={organization.id} data-testid="organization-row">
                <Table.Td>
                  <AdminOrganizationLink id={organization.id} strong>
                    {organization.name}
                  </AdminOrganizationLink>
                  <Text size="xs" c="dimmed">
                    {organization.slug}
                  </Text>
                </Table.Td>
                <Table.Td style={{ overflowWrap: 'anywhere' }}>
                  {organization.owner_id ? <AdminUserLink id={organization.owner_id}>{organization.owner_name}</AdminUserLink> : '–'}
                  <Text size="xs" c="dimmed">
                    {organization.owner_email}
                  </Text>
                </Table.Td>
                <Table.Td visibleFrom="sm" className="numbers">
                  {organization.member_count}
                </Table.Td>
                <Table.Td visibleFrom="sm" className="numbers">
                  {organization.server_count}
                </Table.Td>
                <Table.Td visibleFrom="sm" className="numbers">
                  {organization.instance_count}
                </Table.Td>
                <Table.Td visibleFrom="md">
                  <TimeAgo at={organization.created_at} />
                </Table.Td>
              </Table.Tr>
            ))}
          </ListTable>
        )}
        <Pager paging={paging} page={list.data} noun="organization" />
      </Panel>
    </>
  );
}
