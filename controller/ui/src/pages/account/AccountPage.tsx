import { Badge, Button, Stack, Table, Text } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { ListTable } from '@/components/ListTable';
import { PageHeader } from '@/components/PageHeader';
import { FactList, Panel } from '@/components/Panel';
import { TimeAgo } from '@/components/Time';
import { RoleBadge } from '@/pages/members/MemberList';
import { useSession } from '@/shell/session';

/** One's own account. */
export default function AccountPage() {
  const { user, organization, switchTo } = useSession();
  const navigate = useNavigate();
  return (
    <>
      <PageHeader
        title="Account"
        subtitle="You, in every organization that you belong to."
        status={user.is_admin && <Badge color="orange">platform administrator</Badge>}
      />
      <Stack gap="md" maw={760}>
        <Panel title="Profile">
          <FactList
            facts={[
              ['Name', user.name],
              ['E-mail', user.email],
              ['Member since', <TimeAgo key="since" at={user.created_at} />],
            ]}
          />
        </Panel>
        <Panel title="Organizations" flush>
          <ListTable
            label="Organizations"
            columns={[{ label: 'Name' }, { label: 'Role' }, { label: 'Go there', hiddenLabel: true }]}
          >
            {user.organizations.map((one) => (
              <Table.Tr key={one.id}>
                <Table.Td>
                  <Text size="sm" fw={600}>
                    {one.name}
                  </Text>
                  <Text size="xs" c="dimmed">
                    {one.slug}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <RoleBadge role={one.role} />
                </Table.Td>
                <Table.Td ta="right">
                  {one.slug === organization.slug ? (
                    <Text size="xs" c="dimmed">
                      you are here
                    </Text>
                  ) : (
                    <Button
                      size="compact-xs"
                      variant="default"
                      onClick={() => {
                        switchTo(one.slug);
                        void navigate({ to: '/' });
                      }}
                    >
                      Go there
                    </Button>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </ListTable>
        </Panel>
      </Stack>
    </>
  );
}
