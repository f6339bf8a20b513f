import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Navigate, useRouter, useSearch } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { bootstrapQuery } from '@/api/queries';
import { COOKIE_SESSION } from '@/api/session';
import { AuthCard } from './AuthCard';
import { Notice } from '@/components/Notice';

/** Only a path of this console: never another site. */
function safeNext(next: string | undefined): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith('/login') ? next : '/';
}

export default function LoginPage() {
  const { next, email } = useSearch({ from: '/login' });
  const router = useRouter();
  const client = useQueryClient();
  const bootstrap = useQuery(bootstrapQuery);
  const form = useForm({
    initialValues: { email: email ?? '', password: '' },
    validate: {
      email: (value) => (value.trim() ? null : 'Your e-mail address is needed'),
      password: (value) => (value ? null : 'Your password is needed'),
    },
  });
  const login = useMutation({
    mutationFn: (body: { email: string; password: string }) =>
      unwrap(api.POST('/api/auth/login', { body, headers: COOKIE_SESSION })),
    meta: { showsError: true },
    onSuccess: () => {
      client.clear();
      router.history.push(safeNext(next));
    },
  });
  if (bootstrap.data?.needed) return <Navigate to="/bootstrap" />;
  return (
    <AuthCard title="Sign in" text="To the control plane of your Odoo servers.">
      <form
        onSubmit={form.onSubmit(({ email, password }) => login.mutate({ email: email.trim(), password }))}
        aria-label="Sign in"
        data-testid="login-form"
        noValidate
      >
        <Stack gap="sm">
          {login.error && (
            <Notice tone="bad" role="alert" testId="form-error">
              {asApiError(login.error).message}
            </Notice>
          )}
          <TextInput label="E-mail" type="email" autoComplete="username" autoFocus={!email} {...form.getInputProps('email')} />
          <PasswordInput label="Password" autoComplete="current-password" autoFocus={Boolean(email)} {...form.getInputProps('password')} />
          <Button type="submit" loading={login.isPending} mt="xs" fullWidth>
            Sign in
          </Button>
        </Stack>
      </form>
    </AuthCard>
  );
}
