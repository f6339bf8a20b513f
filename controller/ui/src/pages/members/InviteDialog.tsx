import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { isEmail, useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { IconMailOff } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { RoleSelect } from '@/access/RoleSelect';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { rolesQuery } from '@/api/identityQueries';
import { keys } from '@/api/queries';
import type { InvitationSent } from '@/api/types';
import { CommandBox } from '@/components/Copy';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';

export function InviteDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [sent, setSent] = useState<InvitationSent | null>(null);
  useEffect(() => {
    if (opened) setSent(null);
  }, [opened]);
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={sent ? 'Hand the link over' : 'Invite somebody'}
      size={sent ? 'lg' : 'md'}
      closeOnClickOutside={!sent}
    >
      {sent ? (
        <InvitationLink invitation={sent} onClose={onClose} onAnother={() => setSent(null)} />
      ) : (
        <InviteForm onClose={onClose} onLink={setSent} />
      )}
    </Modal>
  );
}

/** Where no mail is configured, the link is handed over by whoever invites. */
export function InvitationLink({ invitation, onClose, onAnother }: { invitation: InvitationSent; onClose: () => void; onAnother?: () => void }) {
  return (
    <Stack>
      <Notice tone="warn" icon={<IconMailOff size={18} />} title="No mail was sent">
        This controller has no mail server yet. Send this link to <b>{invitation.email}</b> yourself. It is shown this once,
        works once and for seven days.
      </Notice>
      <CommandBox command={invitation.link ?? ''} label="invitation link" testId="invitation-link" />
      <Text size="xs" c="dimmed">
        Only an account of this very address can use it.
      </Text>
      <Group justify="flex-end" gap="xs">
        {onAnother && (
          <Button variant="default" onClick={onAnother}>
            Invite another one
          </Button>
        )}
        <Button onClick={onClose}>Done</Button>
      </Group>
    </Stack>
  );
}

function InviteForm({ onClose, onLink }: { onClose: () => void; onLink: (sent: InvitationSent) => void }) {
  const client = useQueryClient();
  const roles = useQuery(rolesQuery);
  const form = useForm({
    initialValues: { email: '', role_id: null as string | null },
    validate: { email: isEmail('This is not an e-mail address') },
  });
  // Who says nothing gives little.
  const viewer = roles.data?.find((role) => role.is_system && role.name === 'viewer')?.id ?? null;
  const role = form.values.role_id ?? viewer;
  const invite = useMutation({
    mutationFn: (email: string) => unwrap(api.POST('/api/members/invite', { body: { email, role_id: role ?? '' } })),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { email: 'email', role_id: 'role_id' }));
      if (problem.code === 'already_member' || problem.code === 'already_invited') form.setFieldError('email', problem.message);
    },
    onSuccess: (sent) => {
      void client.invalidateQueries({ queryKey: keys.invitations });
      if (sent.link) return onLink(sent);
      notifications.show({ message: `The invitation is on its way to ${sent.email}` });
      onClose();
    },
  });
  return (
    <form onSubmit={form.onSubmit(({ email }) => invite.mutate(email.trim()))} aria-label="Invite somebody" data-testid="invite-form" noValidate>
      <Stack gap="sm">
        <TextInput label="E-mail" type="email" placeholder="grace@example.com" autoComplete="off" data-autofocus {...form.getInputProps('email')} />
        <RoleSelect
          label="Role"
          description="In the whole organization. Once they have joined, it can be narrowed to projects or servers."
          value={role}
          onChange={(id) => form.setFieldValue('role_id', id)}
          error={form.errors.role_id}
        />
        <FormError error={invite.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={invite.isPending} disabled={!role}>
          Invite
        </FormButtons>
      </Stack>
    </form>
  );
}
