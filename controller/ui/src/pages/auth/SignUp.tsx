import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { userQuery } from '@/api/queries';
import { COOKIE_SESSION, setCurrentOrganization } from '@/api/session';
import type { InvitationView } from '@/api/types';
import { FormError } from '@/components/FormError';
import { PasswordStrength } from '@/components/PasswordStrength';
import { passwordProblem } from '@/lib/password';
import { forgetInvitation } from './invitation';

/** An account for the invited address: the link proves that it is theirs. */
export function SignUp({ token, view }: { token: string; view: InvitationView }) {
  const router = useRouter();
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: '', password: '' },
    validate: { name: (value) => (value.trim() ? null : 'Your name is needed'), password: passwordProblem },
  });
  const create = useMutation({
    mutationFn: async ({ name, password }: typeof form.values) => {
      const { email } = view;
      const { organization_id } = await unwrap(
        api.POST('/api/auth/signup', { body: { email, name: name.trim(), password, invitation_token: token } }),
      );
      forgetInvitation();
      await unwrap(api.POST('/api/auth/login', { body: { email, password }, headers: COOKIE_SESSION }));
      client.clear();
      const user = await client.fetchQuery(userQuery);
      return user.organizations.find(({ id }) => id === organization_id)?.slug ?? null;
    },
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), { name: 'name', password: 'password' })),
    onSuccess: (slug) => {
      if (slug) setCurrentOrganization(slug);
      router.history.push('/');
    },
  });
  return (
    <form
      onSubmit={form.onSubmit((values) => create.mutate(values))}
      aria-label="Create an account"
      data-testid="signup-form"
      noValidate
    >
      <Stack gap="sm">
        <Text size="sm">Create your account to join.</Text>
        <input type="hidden" name="username" autoComplete="username" value={view.email} readOnly />
        <TextInput label="Your name" autoComplete="name" autoFocus {...form.getInputProps('name')} />
        <div>
          <PasswordInput label="Password" autoComplete="new-password" {...form.getInputProps('password')} />
          <PasswordStrength password={form.values.password} />
        </div>
        <FormError error={create.error} shown={form.errors} />
        <Button type="submit" loading={create.isPending} fullWidth mt="xs">
          Create the account and join
        </Button>
      </Stack>
    </form>
  );
}
