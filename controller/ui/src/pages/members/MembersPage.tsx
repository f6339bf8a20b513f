import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconUserPlus } from '@tabler/icons-react';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { PageHeader } from '@/components/PageHeader';
import { PageTabs } from '@/components/PageTabs';
import { useSession } from '@/shell/session';
import { Invitations } from './Invitations';
import { InviteDialog } from './InviteDialog';
import { MemberList } from './MemberList';

export default function MembersPage() {
  const { tab } = useSearch({ from: '/app/members' });
  const navigate = useNavigate({ from: '/members' });
  const { can, organization } = useSession();
  const [inviting, { open, close }] = useDisclosure();
  const inviteButton = can('manage:members') && (
    <Button leftSection={<IconUserPlus size={16} />} onClick={open} data-new data-testid="invite">
      Invite
    </Button>
  );
  return (
    <>
      <PageHeader title="Members" subtitle={`Who belongs to ${organization.name}, and what they may do.`} actions={inviteButton} />
      <PageTabs
        value={tab}
        onChange={(value) => void navigate({ search: { tab: value === 'members' ? undefined : value }, replace: true })}
        tabs={[
          { value: 'members', label: 'Members', render: () => <MemberList /> },
          { value: 'invitations', label: 'Invitations', render: () => <Invitations invite={inviteButton} /> },
        ]}
      />
      <InviteDialog opened={inviting} onClose={close} />
    </>
  );
}
