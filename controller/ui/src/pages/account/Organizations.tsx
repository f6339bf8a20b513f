import { Button, Table, Text } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import type { Account } from '@/api/types';
import { ListTable } from '@/components/ListTable';
import { Panel } from '@/components/Panel';
import { RoleBadge } from '@/pages/members/MemberList';
import { useMaybeSession } from '@/shell/session';

/** Where one belongs; nothing where one belongs nowhere. */
export function Organizations({ user }: { user: Account }) {
  const session = useMaybeSession();
  const navigate = useNavigate();
  if (!session) return null;
  return (
    <Panel title="Organizations" flush>
      <ListTable label="Organizations" columns={[{ label: 'Name' }, { label: 'Role' }, { label: 'Go there', hiddenLabel: true }]}>
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
              {one.slug === session.organization.slug ? (
                <Text size="xs" c="dimmed">
                  you are here
                </Text>
              ) : (
                <Button
                  size="compact-xs"
                  variant="default"
                  onClick={() => {
                    session.switchTo(one.slug);
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
  );
}
