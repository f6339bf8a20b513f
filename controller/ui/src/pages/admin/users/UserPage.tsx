import { Badge, Button, Group, Menu, SimpleGrid, Stack, Table, Text } from '@mantine/core';
import {
  IconDeviceMobileOff,
  IconDots,
  IconKey,
  IconLock,
  IconLockOpen,
  IconShieldMinus,
  IconShieldPlus,
  IconTrash,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { adminUserQuery } from '@/api/adminQueries';
import { asApiError } from '@/api/errors';
import type { AdminUserDetail } from '@/api/types';
import { CopyButton } from '@/components/Copy';
import { AdminOrganizationLink } from '@/components/Links';
import { ListTable } from '@/components/ListTable';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { FactList, Panel } from '@/components/Panel';
import { EmptyState, ErrorState, LoadingRows } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { formatDateTime } from '@/lib/format';
import { stateOf } from '@/lib/status';
import { useSession } from '@/shell/session';
import { UserDialogs, type UserAction } from './UserDialogs';
import { factorsOf, userState } from './users';

export default function UserPage() {
  const { id } = useParams({ from: '/app/admin/users/$id' });
  const { data: user, error, refetch } = useQuery(adminUserQuery(id));
  if (error && (!user || asApiError(error).status === 404)) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!user) return <LoadingRows rows={8} />;
  return <Page key={user.id} user={user} />;
}

function Page({ user }: { user: AdminUserDetail }) {
  const { user: me } = useSession();
  const [action, setAction] = useState<UserAction | null>(null);
  const isMe = user.id === me.id;
  return (
    <>
      <PageHeader
        title={user.name}
        parent={<Link to="/admin/users">People</Link>}
        status={
          <Group gap="xs">
            <StatusBadge state={stateOf(userState, user.status)} />
            {user.is_admin && <Badge color="orange">administrator</Badge>}
            {isMe && <Badge variant="default">you</Badge>}
          </Group>
        }
        subtitle={
          <Group gap={2}>
            {user.email}
            <CopyButton value={user.email} label="Copy the address" />
          </Group>
        }
        actions={<Actions user={user} isMe={isMe} onAction={setAction} />}
      />
      <Stack gap="md">
        {user.status === 'suspended' && (
          <Notice tone="bad" icon={<IconLock size={18} />} title="Suspended" testId="suspended">
            {user.suspended_reason} · <TimeAgo at={user.suspended_at} />. They cannot sign in, and their API keys are refused.
          </Notice>
        )}
        {user.status === 'deactivated' && (
          <Notice tone="idle" icon={<IconLock size={18} />} title="Closed by its person">
            They have closed their account themself.
          </Notice>
        )}
        <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
          <Panel title="Account">
            <FactList
              facts={[
                ['E-mail', user.email_verified_at ? <>confirmed <TimeAgo key="v" at={user.email_verified_at} /></> : 'not confirmed'],
                ['Second factor', factorsOf(user)],
                ['Last sign-in', <TimeAgo key="l" at={user.last_login_at} />],
                ['Signed in at', user.session_count === 1 ? '1 place' : `${user.session_count} places`],
                ['Own API keys', String(user.api_key_count)],
                ['Made', formatDateTime(user.created_at)],
                ['Id', <Text key="id" size="sm" ff="monospace" fz={12.5}>{user.id}</Text>],
                [
                  'Audit log',
                  <Link key="audit" to="/admin/audit" search={{ actor: user.id }}>
                    What they did
                  </Link>,
                ],
              ]}
            />
          </Panel>
          <Panel title="Organizations" flush>
            {user.organizations.length === 0 ? (
              <EmptyState icon={<IconKey size={22} />} title="In no organization" text="They can make one, or be invited." />
            ) : (
              <ListTable label="Organizations" columns={[{ label: 'Name' }, { label: 'Part' }, { label: 'Joined' }]}>
                {user.organizations.map((organization) => (
                  <Table.Tr key={organization.id}>
                    <Table.Td>
                      <AdminOrganizationLink id={organization.id} strong>
                        {organization.name}
                      </AdminOrganizationLink>
                    </Table.Td>
                    <Table.Td>{organization.is_owner ? 'owner' : 'member'}</Table.Td>
                    <Table.Td>
                      <TimeAgo at={organization.joined_at} />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </ListTable>
            )}
          </Panel>
        </SimpleGrid>
      </Stack>
      <UserDialogs user={user} action={action} onClose={() => setAction(null)} />
    </>
  );
}

function Actions({ user, isMe, onAction }: { user: AdminUserDetail; isMe: boolean; onAction: (action: UserAction) => void }) {
  const active = user.status === 'active';
  return (
    <>
      {user.status === 'suspended' && (
        <Button leftSection={<IconLockOpen size={16} />} onClick={() => onAction('unsuspend')} data-testid="action-unsuspend">
          Let in again
        </Button>
      )}
      {active && !isMe && (
        <Button variant="default" leftSection={<IconLock size={16} />} onClick={() => onAction('suspend')} data-testid="action-suspend">
          Suspend
        </Button>
      )}
      <Menu position="bottom-end" width={260}>
        <Menu.Target>
          <Button variant="default" px="xs" aria-label="More actions" data-testid="more-actions">
            <IconDots size={16} />
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {active && (
            <Menu.Item leftSection={<IconKey size={16} />} onClick={() => onAction('password')} data-testid="action-password">
              A link for a new password
            </Menu.Item>
          )}
          {user.totp_enabled && (
            <Menu.Item leftSection={<IconDeviceMobileOff size={16} />} onClick={() => onAction('totp')} data-testid="action-totp">
              Remove the authenticator app
            </Menu.Item>
          )}
          {user.is_admin ? (
            <Menu.Item leftSection={<IconShieldMinus size={16} />} onClick={() => onAction('demote')} data-testid="action-demote">
              Take administrator rights
            </Menu.Item>
          ) : (
            active && (
              <Menu.Item leftSection={<IconShieldPlus size={16} />} onClick={() => onAction('promote')} data-testid="action-promote">
                Make an administrator
              </Menu.Item>
            )
          )}
          {!isMe && (
            <>
              <Menu.Divider />
              <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => onAction('delete')} data-testid="action-delete">
                Delete the account
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
    </>
  );
}
