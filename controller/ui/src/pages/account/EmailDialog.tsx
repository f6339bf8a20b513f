import { Button, Group, Modal, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { isEmail, useForm } from '@mantine/form';
import { IconMailForward } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import type { Account } from '@/api/types';
import { AnchorLink } from '@/components/AnchorLink';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';

export function EmailDialog({ opened, onClose, user }: { opened: boolean; onClose: () => void; user: Account }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Change your address">
      {user.has_password ? <EmailForm user={user} onClose={onClose} /> : <PasswordFirst onClose={onClose} />}
    </Modal>
  );
}

function PasswordFirst({ onClose }: { onClose: () => void }) {
  return (
    <Text size="sm">
      To be sure that it is you, your password is asked for here, and you have none yet. Set one under{' '}
      <AnchorLink to="/account" search={{ tab: 'security' }} onClick={onClose}>
        Security
      </AnchorLink>
      .
    </Text>
  );
}

function EmailForm({ user, onClose }: { user: Account; onClose: () => void }) {
  const form = useForm({
    initialValues: { email: '', password: '' },
    validate: {
      email: (value) =>
        value.trim().toLowerCase() === user.email.toLowerCase()
          ? 'This is your address already'
          : isEmail('This is not an e-mail address')(value.trim()),
      password: (value) => (value ? null : 'Your password is needed'),
    },
  });
  const change = useMutation({
    mutationFn: ({ email, password }: typeof form.values) =>
      unwrap(api.POST('/api/user/email', { body: { email: email.trim(), password } })),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { email: 'email', password: 'password' }));
      if (problem.code === 'wrong_password') form.setFieldError('password', problem.message);
    },
  });
  if (change.isSuccess) {
    return (
      <Stack data-testid="email-asked">
        <Notice tone="good" icon={<IconMailForward size={18} />} title="Check your mail" role="status">
          Open the link in the mail to <b>{form.values.email.trim()}</b> within a day. Until then you sign in with {user.email} as
          before.
        </Notice>
        <Group justify="flex-end">
          <Button onClick={onClose}>Done</Button>
        </Group>
      </Stack>
    );
  }
  return (
    <form onSubmit={form.onSubmit((values) => change.mutate(values))} aria-label="Change your address" data-testid="email-form" noValidate>
      <Stack gap="sm">
        <TextInput label="New address" type="email" autoComplete="email" data-autofocus {...form.getInputProps('email')} />
        <PasswordInput label="Your password" autoComplete="current-password" {...form.getInputProps('password')} />
        <Text size="xs" c="dimmed">
          A link goes to the new address; {user.email} is told once it was opened.
        </Text>
        <FormError error={change.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={change.isPending}>
          Send the link
        </FormButtons>
      </Stack>
    </form>
  );
}
