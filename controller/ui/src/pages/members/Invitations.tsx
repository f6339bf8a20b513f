import { ActionIcon, Button, Group, Menu, Modal, Table, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDots, IconMail, IconMailForward, IconTrash } from '@tabler/icons-react';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';
import { api, unwrap } from '@/api/client';
import { invitationsQuery } from '@/api/identityQueries';
import { keys } from '@/api/queries';
import { invitationStatusValues, type Invitation, type InvitationSent, type InvitationStatus } from '@/api/types';
import { ConfirmRemoval } from '@/components/ConfirmRemoval';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { StatusFilter } from '@/components/StatusFilter';
import { TimeAgo } from '@/components/Time';
import { invitationState, stateOf } from '@/lib/status';
import { useSession } from '@/shell/session';
import { InvitationLink } from './InviteDialog';

export function Invitations({ invite }: { invite: ReactNode }) {
  const { status: asked } = useSearch({ from: '/app/members' });
  const navigate = useNavigate({ from: '/members' });
  const status = asked as InvitationStatus | undefined;
  const paging = usePaging(status ?? '');
  const list = useQuery({ ...invitationsQuery({ ...paging.query, status }), placeholderData: keepPreviousData });
  const [cancelling, setCancelling] = useState<Invitation | null>(null);
  const [link, setLink] = useState<InvitationSent | null>(null);
  return (
    <Panel flush>
      <Group p="sm">
        <StatusFilter
          value={status}
          all={invitationStatusValues}
          states={invitationState}
          onChange={(value) => void navigate({ search: (s) => ({ ...s, status: value }), replace: true })}
        />
      </Group>
      <PagedList
        query={list}
        paging={paging}
        noun="invitation"
        label="Invitations"
        columns={[
          { label: 'Address' },
          { label: 'Status' },
          { label: 'Role', from: 'sm' },
          { label: 'Invited by', from: 'md' },
          { label: 'Sent', from: 'md' },
          { label: 'Expires', from: 'sm' },
          { label: 'Actions', hiddenLabel: true },
        ]}
        empty={
          <EmptyState
            icon={<IconMail size={22} />}
            title={status ? 'No such invitation' : 'Nobody has been invited'}
            text={status ? 'Choose another status.' : 'An invitation is a link for one address. It works once and for seven days.'}
            action={status ? undefined : invite}
          />
        }
      >
        {(invitation) => (
          <InvitationRow key={invitation.id} invitation={invitation} onCancel={() => setCancelling(invitation)} onLink={setLink} />
        )}
      </PagedList>
      <CancelDialog invitation={cancelling} onClose={() => setCancelling(null)} />
      <Modal
        opened={link !== null}
        onClose={() => setLink(null)}
        title="Hand the link over"
        size="lg"
        closeOnClickOutside={false}
      >
        {link && <InvitationLink invitation={link} onClose={() => setLink(null)} />}
      </Modal>
    </Panel>
  );
}

interface RowProps {
  invitation: Invitation;
  onCancel: () => void;
  onLink: (sent: InvitationSent) => void;
}

function InvitationRow({ invitation, onCancel, onLink }: RowProps) {
  const client = useQueryClient();
  const { can } = useSession();
  const resend = useMutation({
    mutationFn: () => unwrap(api.POST('/api/invites/{id}/resend', { params: { path: { id: invitation.id } } })),
    onSuccess: (sent) => {
      void client.invalidateQueries({ queryKey: keys.invitations });
      if (sent.link) onLink(sent);
      else notifications.show({ message: `Sent again to ${sent.email}; the link before is void` });
    },
  });
  const open = invitation.status === 'pending' || invitation.status === 'expired';
  return (
    <Table.Tr data-testid="invitation-row" data-email={invitation.email} data-status={invitation.status}>
      <Table.Td>
        <Text size="sm" fw={600} style={{ overflowWrap: 'anywhere' }}>
          {invitation.email}
        </Text>
        <Text size="xs" c="dimmed" hiddenFrom="sm">
          {invitation.role}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusBadge state={stateOf(invitationState, invitation.status)} />
      </Table.Td>
      <Table.Td visibleFrom="sm">{invitation.role}</Table.Td>
      <Table.Td visibleFrom="md">{invitation.invited_by.name}</Table.Td>
      <Table.Td visibleFrom="md">
        <TimeAgo at={invitation.created_at} />
      </Table.Td>
      <Table.Td visibleFrom="sm">{open ? <TimeAgo at={invitation.expires_at} /> : '–'}</Table.Td>
      <Table.Td ta="right">
        {open && can('manage:members') && (
          <Group gap={4} justify="flex-end" wrap="nowrap">
            <Button
              size="compact-xs"
              variant="default"
              leftSection={<IconMailForward size={14} />}
              loading={resend.isPending}
              onClick={() => resend.mutate()}
              visibleFrom="sm"
              data-testid="resend"
            >
              Send again
            </Button>
            <Menu position="bottom-end" width={220}>
              <Menu.Target>
                <ActionIcon color="gray" aria-label={`Actions for ${invitation.email}`}>
                  <IconDots size={16} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item leftSection={<IconMailForward size={16} />} onClick={() => resend.mutate()}>
                  Send again with a new link
                </Menu.Item>
                <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={onCancel} data-testid="action-cancel">
                  Take it back
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </Group>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function CancelDialog({ invitation, onClose }: { invitation: Invitation | null; onClose: () => void }) {
  return (
    <ConfirmRemoval
      subject={invitation}
      onClose={onClose}
      title="Take the invitation back"
      action="Take it back"
      remove={({ id, version }) =>
        unwrap(api.DELETE('/api/invites/{id}', { params: { path: { id } }, headers: { 'If-Match': `"${version}"` } }))
      }
      done="The invitation is taken back"
      stale={[keys.invitations]}
    >
      The link that <b>{invitation?.email}</b> has got stops working at once.
    </ConfirmRemoval>
  );
}
