import { Badge, Button, Group, NativeSelect, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconSearchOff, IconUserPlus } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { adminUsersQuery } from '@/api/adminQueries';
import { userStatusValues, type AdminUser, type UserStatus } from '@/api/types';
import { AdminUserLink } from '@/components/Links';
import { PageHeader } from '@/components/PageHeader';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { StatusFilter } from '@/components/StatusFilter';
import { TimeAgo } from '@/components/Time';
import { stateOf } from '@/lib/status';
import { useSession } from '@/shell/session';
import { CreateUserDialog } from './CreateUserDialog';
import { factorsOf, userState } from './users';

export default function UsersPage() {
  const search = useSearch({ from: '/app/admin/users' });
  const navigate = useNavigate({ from: '/admin/users' });
  const [creating, { open, close }] = useDisclosure();
  const { q, is_admin } = search;
  const status = search.status as UserStatus | undefined;
  const paging = usePaging(`${q ?? ''}|${status ?? ''}|${is_admin ?? ''}`);
  const list = useQuery({
    ...adminUsersQuery({ ...paging.query, q, status, is_admin: is_admin === undefined ? undefined : is_admin === 'true' }),
    placeholderData: keepPreviousData,
  });
  const set = (change: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  return (
    <>
      <PageHeader
        title="People"
        subtitle="Everybody with an account, whatever organization they belong to."
        actions={
          <Button leftSection={<IconUserPlus size={16} />} onClick={open} data-new data-testid="new-user">
            New account
          </Button>
        }
      />
      <Panel flush>
        <Group p="sm" gap="xs">
          <SearchInput label="Search people" value={q ?? ''} onSearch={(next) => set({ q: next || undefined })} />
          <StatusFilter value={status} all={userStatusValues} states={userState} onChange={(value) => set({ status: value })} />
          <NativeSelect
            aria-label="Rights"
            value={is_admin ?? ''}
            data={[
              { value: '', label: 'Everybody' },
              { value: 'true', label: 'Administrators' },
              { value: 'false', label: 'Others' },
            ]}
            onChange={(event) => set({ is_admin: event.currentTarget.value || undefined })}
          />
        </Group>
        <PagedList
          query={list}
          paging={paging}
          noun="person"
          many="people"
          label="People"
          columns={[
            { label: 'Name' },
            { label: 'State' },
            { label: 'Second factor', from: 'md' },
            { label: 'Organizations', from: 'sm' },
            { label: 'Last sign-in', from: 'sm' },
            { label: 'Joined', from: 'lg' },
          ]}
          empty={
            <EmptyState icon={<IconSearchOff size={22} />} title="Nobody matches" text="Try another word or filter." />
          }
        >
          {(user) => <Row key={user.id} user={user} />}
        </PagedList>
      </Panel>
      <CreateUserDialog opened={creating} onClose={close} />
    </>
  );
}

function Row({ user }: { user: AdminUser }) {
  const { user: me } = useSession();
  return (
    <Table.Tr data-testid="user-row" data-email={user.email}>
      <Table.Td style={{ overflowWrap: 'anywhere' }}>
        <Group gap="xs">
          <AdminUserLink id={user.id} strong>
            {user.name}
          </AdminUserLink>
          {user.is_admin && <Badge color="orange">administrator</Badge>}
          {user.id === me.id && (
            <Badge size="sm" variant="default">
              you
            </Badge>
          )}
        </Group>
        <Text size="xs" c="dimmed">
          {user.email}
          {!user.email_verified_at && ' · not confirmed'}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusBadge state={stateOf(userState, user.status)} title={user.suspended_reason} />
      </Table.Td>
      <Table.Td visibleFrom="md">{factorsOf(user)}</Table.Td>
      <Table.Td visibleFrom="sm" className="numbers">
        {user.organization_count}
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <TimeAgo at={user.last_login_at} />
      </Table.Td>
      <Table.Td visibleFrom="lg">
        <TimeAgo at={user.created_at} />
      </Table.Td>
    </Table.Tr>
  );
}
