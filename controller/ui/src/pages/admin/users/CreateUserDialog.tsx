import { Modal, PasswordInput, Radio, Stack, Switch, TextInput } from '@mantine/core';
import { isEmail, useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { adminKeys } from '@/api/adminQueries';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import type { AdminUserCreated } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { PasswordStrength } from '@/components/PasswordStrength';
import { passwordProblem } from '@/lib/password';
import { PasswordLinkShown } from './PasswordLinkShown';

export function CreateUserDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const navigate = useNavigate();
  const [made, setMade] = useState<AdminUserCreated | null>(null);
  useEffect(() => {
    if (opened) setMade(null);
  }, [opened]);
  const leave = () => {
    onClose();
    if (made) void navigate({ to: '/admin/users/$id', params: { id: made.id } });
  };
  const link = made?.password_link;
  return (
    <Modal
      opened={opened}
      onClose={leave}
      size={link ? 'lg' : 'md'}
      title={made ? `The account of ${made.name} is made` : 'New account'}
      closeOnClickOutside={!made}
      closeOnEscape={!made}
    >
      {made && link ? (
        <PasswordLinkShown link={link} email={made.email} onClose={leave} />
      ) : (
        <UserForm
          onCancel={onClose}
          onMade={(user) => {
            if (user.password_link) return setMade(user);
            notifications.show({ message: `The account of ${user.name} is made` });
            onClose();
            void navigate({ to: '/admin/users/$id', params: { id: user.id } });
          }}
        />
      )}
    </Modal>
  );
}

function UserForm({ onCancel, onMade }: { onCancel: () => void; onMade: (user: AdminUserCreated) => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: '', email: '', how: 'link', password: '', is_admin: false },
    validate: {
      name: (name) => (name.trim() ? null : 'Their name'),
      email: isEmail('This is not an e-mail address'),
      password: (password, { how }) => (how === 'password' ? passwordProblem(password) : null),
    },
  });
  const create = useMutation({
    mutationFn: ({ name, email, how, password, is_admin }: typeof form.values) =>
      unwrap(
        api.POST('/api/admin/users', {
          body: { name: name.trim(), email: email.trim(), password: how === 'password' ? password : undefined, is_admin },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { name: 'name', email: 'email', password: 'password' }));
      if (problem.code === 'email_taken') form.setFieldError('email', problem.message);
    },
    onSuccess: (user) => {
      void client.invalidateQueries({ queryKey: adminKeys.users });
      onMade(user);
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => create.mutate(values))} aria-label="New account" data-testid="user-form" noValidate>
      <Stack gap="sm">
        <TextInput label="Name" data-autofocus autoComplete="off" {...form.getInputProps('name')} />
        <TextInput
          label="E-mail"
          description="You vouch for it: it counts as confirmed."
          type="email"
          autoComplete="off"
          {...form.getInputProps('email')}
        />
        <Radio.Group label="Password" {...form.getInputProps('how')}>
          <Stack gap={8} mt={6}>
            <Radio value="link" label="They choose it by a link" description="By mail, or shown to you once where there is no mail server." />
            <Radio value="password" label="I choose it" />
          </Stack>
        </Radio.Group>
        {form.values.how === 'password' && (
          <div>
            <PasswordInput label="Their password" autoComplete="new-password" {...form.getInputProps('password')} />
            <PasswordStrength password={form.values.password} />
          </div>
        )}
        <Switch
          label="Administrator of the platform"
          {...form.getInputProps('is_admin', { type: 'checkbox' })}
        />
        {form.values.is_admin && (
          <Notice tone="warn" icon={<IconAlertTriangle size={18} />}>
            They will see all organizations and may do here what you may do, with your account too.
          </Notice>
        )}
        <FormError error={create.error} shown={form.errors} />
        <FormButtons onCancel={onCancel} loading={create.isPending} data-testid="create-user">
          Create account
        </FormButtons>
      </Stack>
    </form>
  );
}
