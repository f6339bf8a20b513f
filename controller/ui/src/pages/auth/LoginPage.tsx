import { Button, Group, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconFingerprint } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Navigate, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useState } from 'react';
import { signInWaysQuery } from '@/api/accountQueries';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { bootstrapQuery } from '@/api/queries';
import { COOKIE_SESSION } from '@/api/session';
import { AnchorLink } from '@/components/AnchorLink';
import { Notice } from '@/components/Notice';
import { hasPasskeys } from '@/lib/webauthn';
import { AuthCard } from './AuthCard';
import { CheckMail } from './CheckMail';
import { LoginNotices } from './LoginNotices';
import { owedOfHash, safeNext, type Owed } from './next';
import { Or, Providers } from './Providers';
import { SecondFactor } from './SecondFactor';
import { passkeySignIn, usePasskeyAutofill, useSignedIn } from './signIn';

export default function LoginPage() {
  const { next } = useSearch({ from: '/login' });
  const bootstrap = useQuery(bootstrapQuery);
  const [owed, setOwed] = useState(() => owedOfHash(window.location.hash, Date.now()));
  const [ended, setEnded] = useState<string | null>(null);
  const [unconfirmed, setUnconfirmed] = useState<string | null>(null);
  const signedIn = useSignedIn(next);
  useEffect(() => {
    // The token is taken; it need not stay in the address.
    const { pathname, search, hash } = window.location;
    if (hash.includes('mfa_token')) window.history.replaceState(window.history.state, '', pathname + search);
  }, []);
  const restart = useCallback((why?: string) => {
    setOwed(null);
    setEnded(why ?? null);
  }, []);
  if (bootstrap.data?.needed) return <Navigate to="/bootstrap" />;
  if (owed) return <SecondFactor owed={owed} onSignedIn={() => signedIn(owed.next)} onRestart={restart} />;
  if (unconfirmed) {
    return (
      <CheckMail
        email={unconfirmed}
        purpose="Your address is not confirmed yet. The link in the mail does that; then sign in."
        sent={false}
        onResend={() => unwrap(api.POST('/api/auth/verify-email/resend', { body: { email: unconfirmed } }))}
      />
    );
  }
  return <FirstFactor ended={ended} onOwed={setOwed} onUnconfirmed={setUnconfirmed} onSignedIn={signedIn} />;
}

interface FirstFactorProps {
  /** Why an earlier try has to begin again. */
  ended: string | null;
  onOwed: (owed: Owed) => void;
  onUnconfirmed: (email: string) => void;
  onSignedIn: () => void;
}

function FirstFactor({ ended, onOwed, onUnconfirmed, onSignedIn }: FirstFactorProps) {
  const { next, email } = useSearch({ from: '/login' });
  const ways = useQuery({ ...signInWaysQuery, retry: false });
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
    onSuccess: (answer) => {
      if (!('mfa_required' in answer)) return onSignedIn();
      const { mfa_token, methods, expires_in } = answer;
      onOwed({ token: mfa_token, methods, expiresAt: Date.now() + expires_in * 1000, next: safeNext(next) });
    },
    onError: (error, { email: typed }) => {
      if (asApiError(error).code === 'email_unverified') onUnconfirmed(typed);
    },
  });
  const passkey = useMutation({
    mutationFn: () => passkeySignIn({}),
    meta: { showsError: true },
    onMutate: () => login.reset(),
    onSuccess: () => onSignedIn(),
  });
  const autofill = usePasskeyAutofill(!passkey.isPending, onSignedIn);
  const problem = login.error ?? passkey.error ?? (login.isPending ? null : autofill.error);
  const offersPasskeys = hasPasskeys() && !autofill.unavailable;
  const providers = ways.data?.providers ?? [];
  return (
    <AuthCard title="Sign in" text="To the control plane of your Odoo servers.">
      <form
        onSubmit={form.onSubmit(({ email: typed, password }) => {
          passkey.reset();
          login.mutate({ email: typed.trim(), password });
        })}
        aria-label="Sign in"
        data-testid="login-form"
        noValidate
      >
        <Stack gap="sm">
          {problem ? (
            <Notice tone="bad" role="alert" testId="form-error">
              {asApiError(problem).message}
            </Notice>
          ) : (
            <LoginNotices ended={ended} />
          )}
          <TextInput
            label="E-mail"
            type="email"
            autoComplete="username webauthn"
            autoFocus={!email}
            {...form.getInputProps('email')}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            autoFocus={Boolean(email)}
            {...form.getInputProps('password')}
          />
          <Button type="submit" loading={login.isPending} mt="xs" fullWidth>
            Sign in
          </Button>
        </Stack>
      </form>
      {(offersPasskeys || providers.length > 0) && <Or />}
      <Stack gap="xs">
        {offersPasskeys && (
          <Button
            variant="default"
            leftSection={<IconFingerprint size={17} aria-hidden />}
            loading={passkey.isPending}
            onClick={() => passkey.mutate()}
            fullWidth
            data-testid="passkey-sign-in"
          >
            Sign in with a passkey
          </Button>
        )}
        <Providers providers={providers} next={next} />
      </Stack>
      <Group justify="space-between" mt="lg" gap="xs">
        <AnchorLink to="/forgot-password" search={emailOf(form.values.email)} data-testid="forgot">
          Forgot your password?
        </AnchorLink>
        {ways.data?.signup === 'open' && (
          <AnchorLink to="/signup" search={emailOf(form.values.email)} data-testid="to-signup">
            Create an account
          </AnchorLink>
        )}
      </Group>
    </AuthCard>
  );
}

/** What was typed goes along. */
function emailOf(typed: string): { email?: string } {
  return typed.trim() ? { email: typed.trim() } : {};
}
