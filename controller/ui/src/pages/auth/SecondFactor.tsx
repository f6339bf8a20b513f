import { Anchor, Button, Stack } from '@mantine/core';
import { IconFingerprint } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useEffect } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { COOKIE_SESSION } from '@/api/session';
import { CodeForm } from '@/components/CodeForm';
import { FormError } from '@/components/FormError';
import { hasPasskeys } from '@/lib/webauthn';
import { AuthCard } from './AuthCard';
import type { Owed } from './next';
import { Or } from './Providers';
import { passkeySignIn } from './signIn';

export interface SecondFactorProps {
  owed: Owed;
  onSignedIn: () => void;
  /** From the beginning; with a word why, where it was not the person's wish. */
  onRestart: (why?: string) => void;
}

const TOO_LATE = 'The second step took too long. Begin again.';

/** After the password: a code of the app, a recovery code or a passkey. */
export function SecondFactor({ owed, onSignedIn, onRestart }: SecondFactorProps) {
  const { token, methods, expiresAt } = owed;
  useEffect(() => {
    const timer = setTimeout(() => onRestart(TOO_LATE), Math.max(0, expiresAt - Date.now()));
    return () => clearTimeout(timer);
  }, [expiresAt, onRestart]);
  const onError = (error: unknown) => {
    const problem = asApiError(error);
    if (problem.code === 'mfa_token_invalid') onRestart(problem.message);
  };
  const byCode = useMutation({
    mutationFn: (code: string) =>
      unwrap(api.POST('/api/auth/login/totp', { body: { mfa_token: token, code }, headers: COOKIE_SESSION })),
    meta: { showsError: true },
    onSuccess: onSignedIn,
    onError,
  });
  const byPasskey = useMutation({
    mutationFn: () => passkeySignIn({ mfa_token: token }),
    meta: { showsError: true },
    onSuccess: onSignedIn,
    onError,
  });
  const passkey = methods.includes('passkey') && hasPasskeys();
  const recovery = methods.includes('recovery_code');
  const totp = methods.includes('totp');
  return (
    <AuthCard title="One more step" text="Your account asks for more than the password.">
      {passkey && (
        <Stack gap="xs">
          <Button
            variant="default"
            leftSection={<IconFingerprint size={17} aria-hidden />}
            loading={byPasskey.isPending}
            onClick={() => byPasskey.mutate()}
            fullWidth
            data-testid="factor-passkey"
          >
            Use a passkey
          </Button>
          <FormError error={byPasskey.error} />
        </Stack>
      )}
      {passkey && (totp || recovery) && <Or />}
      {(totp || recovery || !passkey) && (
        <CodeForm
          label="Second factor"
          action="Sign in"
          auto
          recovery={recovery}
          recoveryOnly={recovery && !totp}
          busy={byCode.isPending}
          error={byCode.error}
          onCode={(code) => byCode.mutate(code)}
        />
      )}
      <Anchor component="button" type="button" size="sm" mt="lg" onClick={() => onRestart()} data-testid="restart">
        Sign in as somebody else
      </Anchor>
    </AuthCard>
  );
}
