import { Button, Group, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { asApiError } from '@/api/errors';
import { memberQuery } from '@/api/identityQueries';
import type { Member } from '@/api/types';
import { CopyButton } from '@/components/Copy';
import { PageHeader } from '@/components/PageHeader';
import { PageTabs } from '@/components/PageTabs';
import { ErrorState, LoadingRows } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { useSession } from '@/shell/session';
import { MemberAccess } from './MemberAccess';
import { RoleBadge } from './MemberList';
import { MemberGrants } from './MemberGrants';
import { RemoveMemberDialog } from './RemoveMemberDialog';

export default function MemberPage() {
  const { id } = useParams({ from: '/app/members/$id' });
  const { data: member, error, refetch } = useQuery(memberQuery(id));
  if (error && (!member || asApiError(error).status === 404)) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!member) return <LoadingRows rows={8} />;
  return <Page key={member.id} member={member} />;
}

/** Why this member cannot be changed from here, if so. */
function useFixed(member: Member): string | null {
  const { user, can } = useSession();
  if (member.is_owner) {
    return member.id === user.id
      ? 'You own the organization and may do everything. Handing it over is in the settings.'
      : 'The owner may do everything. Who owns the organization is changed by the owner alone.';
  }
  if (member.id === user.id) return 'Nobody changes what they may do themself. Ask another member who may.';
  return can('manage:members') ? null : 'Changing this takes the permission to manage members.';
}

function Page({ member }: { member: Member }) {
  const { tab } = useSearch({ from: '/app/members/$id' });
  const navigate = useNavigate({ from: '/members/$id' });
  const [removing, { open, close }] = useDisclosure();
  const fixed = useFixed(member);
  return (
    <>
      <PageHeader
        title={member.name}
        parent={<Link to="/members">Members</Link>}
        status={<RoleBadge role={member.role} />}
        subtitle={
          <Stack gap={0}>
            <Group gap={2}>
              {member.email}
              <CopyButton value={member.email} label="Copy the address" />
            </Group>
            <Text size="xs" component="div">
              Joined <TimeAgo at={member.joined_at} /> · last sign-in <TimeAgo at={member.last_login_at} /> ·{' '}
              {member.second_factor ? 'second factor set up' : 'no second factor'}
            </Text>
          </Stack>
        }
        actions={
          !fixed && (
            <Button color="red" variant="light" leftSection={<IconTrash size={16} />} onClick={open} data-testid="remove-member">
              Remove
            </Button>
          )
        }
      />
      <PageTabs
        value={tab}
        onChange={(value) => void navigate({ search: { tab: value === 'roles' ? undefined : value }, replace: true })}
        tabs={[
          { value: 'roles', label: 'Roles', render: () => <MemberGrants member={member} fixed={fixed} /> },
          { value: 'access', label: 'What they may do, and why', render: () => <MemberAccess member={member} fixed={fixed} /> },
        ]}
      />
      <RemoveMemberDialog
        member={removing ? member : null}
        onClose={close}
        onRemoved={() => void navigate({ to: '/members' })}
      />
    </>
  );
}
