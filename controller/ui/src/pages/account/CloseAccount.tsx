import { Button, Group, List, Modal, PasswordInput, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { COOKIE_SESSION } from '@/api/session';
import type { Account } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { forgetPerson } from '@/lib/storage';
import { AccountError } from './AccountError';

export function CloseAccount({ user }: { user: Account }) {
  const [opened, { open, close }] = useDisclosure();
  return (
    <Panel title="Close your account">
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          You are signed out everywhere and cannot sign in any more. It cannot be taken back.
        </Text>
        <Group>
          <Button color="red" variant="light" onClick={open} data-testid="close-account">
            Close my account
          </Button>
        </Group>
      </Stack>
      <Modal opened={opened} onClose={close} title="Close your account">
        <CloseForm user={user} onCancel={close} />
      </Modal>
    </Panel>
  );
}

function CloseForm({ user, onCancel }: { user: Account; onCancel: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const form = useForm({
    initialValues: { password: '' },
    validate: { password: (value) => (value || !user.has_password ? null : 'Your password is needed') },
  });
  const remove = useMutation({
    mutationFn: ({ password }: typeof form.values) =>
      unwrap(api.DELETE('/api/user', { body: { password: password || undefined }, headers: COOKIE_SESSION })),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { password: 'password' }));
      if (problem.code === 'wrong_password') form.setFieldError('password', problem.message);
    },
    onSuccess: async () => {
      await navigate({ to: '/login' });
      client.clear();
      forgetPerson();
      notifications.show({ message: 'Your account is closed' });
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => remove.mutate(values))} aria-label="Close your account" data-testid="close-form" noValidate>
      <Stack gap="md">
        <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title="What will be lost">
          <List size="sm" spacing={2}>
            <List.Item>Every way to sign in as {user.email}: password, passkeys, connected accounts.</List.Item>
            <List.Item>Your API keys stop working at once; keys of service accounts stay.</List.Item>
            <List.Item>Your place in {user.organizations.length === 1 ? 'your organization' : `${user.organizations.length} organizations`}, with what you were given there.</List.Item>
            <List.Item>Organizations that you own alone, if they are empty. Others must get another owner first.</List.Item>
          </List>
        </Notice>
        {user.has_password && (
          <PasswordInput label="Your password" autoComplete="current-password" data-autofocus {...form.getInputProps('password')} />
        )}
        <AccountError error={remove.error} shown={form.errors} />
        <FormButtons onCancel={onCancel} cancel="Keep it" color="red" loading={remove.isPending} data-testid="confirm-close">
          Close my account
        </FormButtons>
      </Stack>
    </form>
  );
}
