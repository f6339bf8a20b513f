import { Badge, Group, Table, Text } from '@mantine/core';
import { IconPlus, IconSearchOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { sortedRoles } from '@/access/grants';
import { PermissionSummary } from '@/access/PermissionMatrix';
import { rolesQuery } from '@/api/identityQueries';
import { ButtonLink } from '@/components/ButtonLink';
import { RoleLink } from '@/components/Links';
import { ListTable } from '@/components/ListTable';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, Loaded } from '@/components/States';
import { useSession } from '@/shell/session';

export default function RolesPage() {
  const { q } = useSearch({ from: '/app/roles' });
  const navigate = useNavigate({ from: '/roles' });
  const { can } = useSession();
  const roles = useQuery(rolesQuery);
  const words = (q ?? '').toLowerCase();
  const shown = sortedRoles(roles.data ?? []).filter((role) => `${role.name} ${role.description}`.toLowerCase().includes(words));
  return (
    <>
      <PageHeader
        title="Roles"
        subtitle="What people and service accounts may do. The first four are the same in every organization."
        actions={
          can('manage:roles') && (
            <ButtonLink to="/roles/new" leftSection={<IconPlus size={16} />} data-new data-testid="new-role">
              New role
            </ButtonLink>
          )
        }
      />
      <Panel flush>
        <Group p="sm">
          <SearchInput
            label="Search roles"
            value={q ?? ''}
            onSearch={(next) => void navigate({ search: { q: next || undefined }, replace: true })}
          />
        </Group>
        <Loaded query={roles}>
          {() =>
            shown.length === 0 ? (
              <EmptyState icon={<IconSearchOff size={22} />} title="No role matches" text="Try another word." />
            ) : (
              <ListTable
                label="Roles"
                columns={[{ label: 'Name' }, { label: 'Permissions', from: 'sm' }, { label: 'Held by' }]}
              >
                {shown.map((role) => (
                  <Table.Tr key={role.id} data-testid="role-row" data-role={role.name}>
                    <Table.Td>
                      <Group gap="xs">
                        <RoleLink id={role.id} strong>
                          {role.name}
                        </RoleLink>
                        {role.is_system && (
                          <Badge size="sm" variant="default">
                            built in
                          </Badge>
                        )}
                      </Group>
                      <Text size="xs" c="dimmed">
                        {role.description}
                      </Text>
                    </Table.Td>
                    <Table.Td visibleFrom="sm">
                      <PermissionSummary permissions={role.permissions} />
                    </Table.Td>
                    <Table.Td className="numbers">
                      {role.member_count === 0 ? (
                        <Text size="sm" c="dimmed">
                          nobody
                        </Text>
                      ) : (
                        `${role.member_count} ${role.member_count === 1 ? 'person' : 'people'}`
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </ListTable>
            )
          }
        </Loaded>
      </Panel>
    </>
  );
}
