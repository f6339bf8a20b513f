import { Group, Table, Text } from '@mantine/core';
import { IconSearchOff } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { adminOrganizationsQuery } from '@/api/adminQueries';
import { AdminOrganizationLink, AdminUserLink } from '@/components/Links';
import { PageHeader } from '@/components/PageHeader';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState } from '@/components/States';
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
        <PagedList
          query={list}
          paging={paging}
          noun="organization"
          label="Organizations"
          columns={[
            { label: 'Name' },
            { label: 'Owner' },
            { label: 'Members', from: 'sm' },
            { label: 'Servers', from: 'sm' },
            { label: 'Instances', from: 'sm' },
            { label: 'Made', from: 'md' },
          ]}
          empty={
            <EmptyState icon={<IconSearchOff size={22} />} title="No organization matches" text="Try another word." />
          }
        >
          {(organization) => (
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
          )}
        </PagedList>
      </Panel>
    </>
  );
}
