import { Button, Checkbox, Modal, PasswordInput, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import type { Account } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { Panel } from '@/components/Panel';
import { PasswordStrength } from '@/components/PasswordStrength';
import { passwordProblem } from '@/lib/password';
import { AccountError } from './AccountError';

export function Password({ user }: { user: Account }) {
  const [opened, { open, close }] = useDisclosure();
  const title = user.has_password ? 'Change your password' : 'Set a password';
  return (
    <Panel
      title="Password"
      aside={
        <Button size="xs" variant="default" onClick={open} data-testid="password">
          {user.has_password ? 'Change' : 'Set one'}
        </Button>
      }
    >
      <Text size="sm" c="dimmed">
        {user.has_password
          ? 'You can sign in with it. A mail tells you whenever it was changed.'
          : 'You have none and sign in by other means. With one, you can also change your address.'}
      </Text>
      <Modal opened={opened} onClose={close} title={title}>
        <PasswordForm user={user} title={title} onClose={close} />
      </Modal>
    </Panel>
  );
}

function PasswordForm({ user, title, onClose }: { user: Account; title: string; onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { current: '', password: '', others: true },
    validate: {
      current: (value) => (value || !user.has_password ? null : 'Your present password is needed'),
      password: (value, { current }) =>
        passwordProblem(value) ?? (value === current ? 'This is the password that you have' : null),
    },
  });
  const save = useMutation({
    mutationFn: ({ current, password, others }: typeof form.values) =>
      user.has_password
        ? unwrap(
            api.POST('/api/user/password', {
              body: { current_password: current, new_password: password, revoke_other_sessions: others },
            }),
          )
        : unwrap(api.POST('/api/user/set-password', { body: { password } })),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { current_password: 'current', new_password: 'password', password: 'password' }));
      if (problem.code === 'wrong_password') form.setFieldError('current', problem.message);
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.user });
      void client.invalidateQueries({ queryKey: keys.account });
      notifications.show({ message: user.has_password ? 'Your password is changed' : 'Your password is set' });
      onClose();
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label={title} data-testid="password-form" noValidate>
      <Stack gap="sm">
        {/* For password managers, which then know whose it is. */}
        <input type="hidden" name="username" autoComplete="username" value={user.email} readOnly />
        {user.has_password && (
          <PasswordInput label="Present password" autoComplete="current-password" data-autofocus {...form.getInputProps('current')} />
        )}
        <div>
          <PasswordInput
            label="New password"
            autoComplete="new-password"
            data-autofocus={!user.has_password || undefined}
            {...form.getInputProps('password')}
          />
          <PasswordStrength password={form.values.password} />
        </div>
        {user.has_password && (
          <Checkbox label="Sign out everywhere else" {...form.getInputProps('others', { type: 'checkbox' })} />
        )}
        <AccountError error={save.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={save.isPending}>
          {user.has_password ? 'Change the password' : 'Set the password'}
        </FormButtons>
      </Stack>
    </form>
  );
}
