import { Button, Group } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { asApiError } from '@/api/errors';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { useSignOut } from '@/shell/signOut';

/** What only a fresh session may do, or one with both factors. */
const SIGN_IN_AGAIN = ['sign_in_again', 'second_factor_required'];

/** What went wrong, with the way on where one has to sign in again. */
export function AccountError({ error, shown }: { error: unknown; shown?: Record<string, ReactNode> }) {
  if (error && SIGN_IN_AGAIN.includes(asApiError(error).code)) return <SignInAgain>{asApiError(error).message}</SignInAgain>;
  return <FormError error={error} shown={shown} />;
}

export function SignInAgain({ children }: { children: ReactNode }) {
  const signOut = useSignOut(window.location.pathname + window.location.search);
  return (
    <Notice tone="warn" icon={<IconLock size={18} />} role="alert" testId="sign-in-again">
      {children}
      <Group mt="xs">
        <Button size="xs" variant="default" loading={signOut.isPending} onClick={() => signOut.mutate()}>
          Sign in again
        </Button>
      </Group>
    </Notice>
  );
}
