import { ActionIcon, Badge, Group, Menu, Table, Text } from '@mantine/core';
import { IconDots, IconHelpCircle, IconSearchOff, IconShieldCheck, IconTrash, IconUsersGroup } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { placesOf } from '@/access/grants';
import { membersQuery } from '@/api/identityQueries';
import type { Member } from '@/api/types';
import { MemberLink } from '@/components/Links';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { useSession } from '@/shell/session';
import { RemoveMemberDialog } from './RemoveMemberDialog';
import { RoleDialog } from './RoleDialog';

export function MemberList() {
  const { q } = useSearch({ from: '/app/members' });
  const navigate = useNavigate({ from: '/members' });
  const paging = usePaging(q ?? '');
  const members = useQuery({ ...membersQuery({ ...paging.query, q }), placeholderData: keepPreviousData });
  const [changing, setChanging] = useState<Member | null>(null);
  const [removing, setRemoving] = useState<Member | null>(null);
  return (
    <Panel flush>
      <Group p="sm">
        <SearchInput
          label="Search members"
          value={q ?? ''}
          onSearch={(next) => void navigate({ search: (s) => ({ ...s, q: next || undefined }), replace: true })}
        />
      </Group>
      <PagedList
        query={members}
        paging={paging}
        noun="member"
        label="Members"
        columns={[
          { label: 'Name' },
          { label: 'Role' },
          { label: 'Scopes', from: 'md' },
          { label: 'Second factor', from: 'sm' },
          { label: 'Last sign-in', from: 'sm' },
          { label: 'Actions', hiddenLabel: true },
        ]}
        empty={
          <EmptyState
            icon={q ? <IconSearchOff size={22} /> : <IconUsersGroup size={22} />}
            title={q ? 'Nobody matches' : 'Nobody here'}
            text={q ? 'Try a part of a name or of an address.' : 'Invite somebody to work with.'}
          />
        }
      >
        {(member) => (
          <MemberRow key={member.id} member={member} onRole={() => setChanging(member)} onRemove={() => setRemoving(member)} />
        )}
      </PagedList>
      <RoleDialog member={changing} onClose={() => setChanging(null)} />
      <RemoveMemberDialog member={removing} onClose={() => setRemoving(null)} />
    </Panel>
  );
}

function MemberRow({ member, onRole, onRemove }: { member: Member; onRole: () => void; onRemove: () => void }) {
  const { user, can } = useSession();
  const navigate = useNavigate();
  const places = placesOf(member.grants);
  const changeable = can('manage:members') && !member.is_owner && member.id !== user.id;
  return (
    <Table.Tr data-testid="member-row" data-email={member.email}>
      <Table.Td>
        <Group gap="xs">
          <MemberLink id={member.id} strong>
            {member.name}
          </MemberLink>
          {member.id === user.id && (
            <Badge size="sm" variant="default">
              you
            </Badge>
          )}
        </Group>
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {member.email}
        </Text>
      </Table.Td>
      <Table.Td>
        <RoleBadge role={member.role} />
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Text size="sm" c={places ? undefined : 'dimmed'}>
          {scopesOf(member, places)}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <StatusBadge state={member.second_factor ? { label: 'Set up', tone: 'good' } : { label: 'None', tone: 'idle' }} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <TimeAgo at={member.last_login_at} />
      </Table.Td>
      <Table.Td ta="right">
        <Menu position="bottom-end" width={210}>
          <Menu.Target>
            <ActionIcon color="gray" aria-label={`Actions for ${member.name}`} data-testid="member-actions">
              <IconDots size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item
              leftSection={<IconHelpCircle size={16} />}
              onClick={() => void navigate({ to: '/members/$id', params: { id: member.id }, search: { tab: 'access' } })}
            >
              What they may do
            </Menu.Item>
            {changeable && (
              <>
                <Menu.Item leftSection={<IconShieldCheck size={16} />} onClick={onRole} data-testid="action-role">
                  Change the role
                </Menu.Item>
                <Menu.Divider />
                <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={onRemove} data-testid="action-remove">
                  Remove
                </Menu.Item>
              </>
            )}
          </Menu.Dropdown>
        </Menu>
      </Table.Td>
    </Table.Tr>
  );
}

function scopesOf(member: Member, places: string): string {
  const everywhere = member.grants.some(({ scope }) => scope.type === 'organization');
  if (!places) return everywhere ? 'Whole organization' : 'None';
  return everywhere ? `Whole organization, ${places}` : places;
}

export function RoleBadge({ role }: { role: string }) {
  const color = role === 'owner' ? 'orange' : role === 'member' ? 'gray' : 'harbor';
  return (
    <Badge color={color} miw="max-content" data-testid="role">
      {role === 'member' ? 'no role' : role}
    </Badge>
  );
}
