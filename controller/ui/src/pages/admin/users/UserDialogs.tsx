// What an administrator does with an account, each after a question that says what follows.
import { Modal, Stack, Text, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useState, type ReactNode } from 'react';
import { adminKeys } from '@/api/adminQueries';
import { api, unwrap } from '@/api/client';
import { userQuery } from '@/api/queries';
import type { AdminUser, AdminUserDetail, PasswordLink } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { ConfirmByName } from '@/components/ConfirmByName';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { plural } from '@/lib/format';
import { useSession } from '@/shell/session';
import { PasswordLinkShown } from './PasswordLinkShown';

export type UserAction = 'suspend' | 'unsuspend' | 'promote' | 'demote' | 'totp' | 'password' | 'delete';

interface DialogProps {
  user: AdminUserDetail;
  opened: boolean;
  onClose: () => void;
}

export function UserDialogs({ user, action, onClose }: { user: AdminUserDetail; action: UserAction | null; onClose: () => void }) {
  const of = (kind: UserAction) => ({ user, opened: action === kind, onClose });
  return (
    <>
      <SuspendDialog {...of('suspend')} />
      <ChangeDialog {...of('unsuspend')} change="unsuspend" title="Let them in again" action="Let in" done="They may sign in again">
        <b>{user.name}</b> may sign in again, and their API keys count again.
      </ChangeDialog>
      <ChangeDialog {...of('promote')} change="promote" title="Make an administrator" action="Make an administrator" done="They are an administrator now">
        <b>{user.name}</b> will see all organizations, people and settings of the platform, and may do here what you may do.
      </ChangeDialog>
      <DemoteDialog {...of('demote')} />
      <ChangeDialog {...of('totp')} change="disable-totp" title="Remove the authenticator app" action="Remove it" done="The authenticator app is removed">
        For somebody who has lost it: the app of <b>{user.name}</b> and its recovery codes are forgotten; passkeys stay. Be sure
        that it is really them who ask.
      </ChangeDialog>
      <PasswordDialog {...of('password')} />
      <DeleteDialog {...of('delete')} />
    </>
  );
}

function ifMatch({ version }: AdminUser) {
  return { 'If-Match': `"${version}"` };
}

/** After a change, and after one that was refused because somebody else was faster. */
function useRefresh(user: AdminUser) {
  const client = useQueryClient();
  return () => {
    void client.invalidateQueries({ queryKey: adminKeys.user(user.id) });
    void client.invalidateQueries({ queryKey: adminKeys.users });
  };
}

type Change = 'unsuspend' | 'promote' | 'demote' | 'disable-totp';

function useUserChange(user: AdminUser, change: Change, done: string, onDone: () => void) {
  const refresh = useRefresh(user);
  return useMutation({
    mutationFn: () =>
      unwrap(api.POST(`/api/admin/users/{id}/${change}`, { params: { path: { id: user.id } }, headers: ifMatch(user) })),
    meta: { showsError: true },
    onSuccess: () => {
      notifications.show({ message: done });
      onDone();
    },
    onSettled: refresh,
  });
}

interface ChangeDialogProps extends DialogProps {
  change: Change;
  title: string;
  action: string;
  done: string;
  children: ReactNode;
}

function ChangeDialog({ user, opened, onClose, change, title, action, done, children }: ChangeDialogProps) {
  const run = useUserChange(user, change, done, onClose);
  return (
    <Confirm
      opened={opened}
      onClose={onClose}
      title={title}
      action={action}
      run={run}
      onConfirm={() => run.mutate()}
    >
      {children}
    </Confirm>
  );
}

function DemoteDialog({ user, opened, onClose }: DialogProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { user: me } = useSession();
  const isMe = user.id === me.id;
  const run = useUserChange(user, 'demote', isMe ? 'You are no administrator any more' : 'They are no administrator any more', () => {
    onClose();
    if (!isMe) return;
    // From here on these pages are closed.
    void navigate({ to: '/' }).then(() => client.fetchQuery({ ...userQuery, staleTime: 0 }));
  });
  return (
    <Confirm
      opened={opened}
      onClose={onClose}
      title="Take administrator rights"
      action={isMe ? 'Give them up' : 'Take them'}
      run={run}
      onConfirm={() => run.mutate()}
    >
      {isMe
        ? 'You will no longer see these pages. Another administrator can make you one again.'
        : `${user.name} will no longer see the pages of the platform. What they may do in organizations stays.`}
    </Confirm>
  );
}

function SuspendDialog({ user, opened, onClose }: DialogProps) {
  const refresh = useRefresh(user);
  const [reason, setReason] = useState('');
  const suspend = useMutation({
    mutationFn: () =>
      unwrap(
        api.POST('/api/admin/users/{id}/suspend', {
          params: { path: { id: user.id } },
          headers: ifMatch(user),
          body: { reason: reason.trim() },
        }),
      ),
    meta: { showsError: true },
    onSuccess: () => {
      notifications.show({ message: `${user.name} is suspended` });
      onClose();
    },
    onSettled: refresh,
  });
  const { reset } = suspend;
  useEffect(() => {
    if (opened) {
      setReason('');
      reset();
    }
  }, [opened, reset]);
  return (
    <Modal opened={opened} onClose={onClose} title={`Suspend ${user.name}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (reason.trim()) suspend.mutate();
        }}
      >
        <Stack>
          <Text size="sm">
            They are signed out everywhere within five seconds, and what uses their own API keys ({user.api_key_count}) is refused
            until they are let in again. Nothing is deleted.
          </Text>
          <Textarea
            label="Reason"
            description="For other administrators, and for the audit log."
            placeholder="Left the company"
            autosize
            minRows={2}
            maxLength={500}
            data-autofocus
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <FormError error={suspend.error} />
          <FormButtons onCancel={onClose} color="red" loading={suspend.isPending} disabled={!reason.trim()} data-testid="confirm-suspend">
            Suspend
          </FormButtons>
        </Stack>
      </form>
    </Modal>
  );
}

function PasswordDialog({ user, opened, onClose }: DialogProps) {
  const [link, setLink] = useState<PasswordLink | null>(null);
  const make = useMutation({
    mutationFn: () => unwrap(api.POST('/api/admin/users/{id}/reset-password', { params: { path: { id: user.id } } })),
    meta: { showsError: true },
    onSuccess: setLink,
  });
  const { reset } = make;
  useEffect(() => {
    if (opened) {
      setLink(null);
      reset();
    }
  }, [opened, reset]);
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      size={link ? 'lg' : 'md'}
      title="A link for a new password"
      closeOnClickOutside={!link}
      closeOnEscape={!link}
    >
      {link ? (
        <PasswordLinkShown link={link} email={user.email} onClose={onClose} />
      ) : (
        <Stack>
          <Text size="sm">
            <b>{user.name}</b> chooses a new password by it, within an hour. Until then the present one works. It goes by mail; where
            there is no mail server, you are shown it once. Be sure that it is really them who ask.
          </Text>
          <FormError error={make.error} />
          <FormButtons onCancel={onClose} loading={make.isPending} onClick={() => make.mutate()} data-testid="make-link">
            Make the link
          </FormButtons>
        </Stack>
      )}
    </Modal>
  );
}

function DeleteDialog({ user, opened, onClose }: DialogProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const request = (dry_run: boolean) =>
    unwrap(
      api.DELETE('/api/admin/users/{id}', {
        params: { path: { id: user.id }, query: dry_run ? { dry_run } : {} },
        headers: ifMatch(user),
      }),
    );
  // Asked first, so that nobody types a name for nothing.
  const check = useQuery({
    queryKey: [...adminKeys.user(user.id), 'deletable', user.version],
    queryFn: async () => {
      await request(true);
      return true;
    },
    enabled: opened,
    retry: false,
    staleTime: 0,
  });
  const remove = useMutation({
    mutationFn: () => request(false),
    meta: { showsError: true },
    onSuccess: async () => {
      notifications.show({ message: `The account of ${user.name} is deleted` });
      await navigate({ to: '/admin/users' });
      client.removeQueries({ queryKey: adminKeys.user(user.id) });
      void client.invalidateQueries({ queryKey: adminKeys.users });
    },
  });
  if (check.error) {
    return (
      <Confirm
        opened={opened}
        onClose={onClose}
        title="It cannot be deleted"
        action="Delete"
        keep="Close"
        impossible
        run={{ ...remove, error: check.error }}
        onConfirm={onClose}
      >
        Something must be settled first:
      </Confirm>
    );
  }
  return (
    <ConfirmByName
      opened={opened && check.isSuccess}
      onClose={onClose}
      title={`Delete the account of ${user.name}`}
      name={user.email}
      losses={[
        'The account with its password, second factors and SSH keys.',
        `Their place in ${plural(user.organizations.length, 'organization')}, and ${plural(user.api_key_count, 'own API key')}.`,
        'What they did stays in the audit log.',
      ]}
      action="Delete the account"
      run={remove}
      onConfirm={() => remove.mutate()}
    />
  );
}
