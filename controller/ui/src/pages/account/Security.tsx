import { Stack } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconInfoCircle } from '@tabler/icons-react';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect } from 'react';
import { Notice } from '@/components/Notice';
import { oauthProblem } from '@/pages/auth/oauthErrors';
import { SignInAgain } from './AccountError';
import { Connected } from './Connected';
import { Passkeys } from './Passkeys';
import { Password } from './Password';
import { SecondFactor } from './SecondFactor';
import { useUser } from './useUser';

/** Every way to sign in, and what is asked for besides. */
export function Security() {
  const user = useUser();
  return (
    <Stack gap="md" maw={760}>
      <CameBack />
      <Password user={user} />
      <SecondFactor user={user} />
      <Passkeys />
      <Connected />
    </Stack>
  );
}

/** What came of going to a provider to connect an account. */
function CameBack() {
  const { oauth_error, connected } = useSearch({ from: '/app/account' });
  const navigate = useNavigate({ from: '/account' });
  const done = connected && !oauth_error ? connected : null;
  useEffect(() => {
    if (!done) return;
    notifications.show({ id: 'connected', color: 'green', message: `${done} is connected` });
    void navigate({ search: { tab: 'security' }, replace: true });
  }, [done, navigate]);
  if (oauth_error === 'second_factor_required') return <SignInAgain>{oauthProblem(oauth_error)}</SignInAgain>;
  if (!oauth_error) return null;
  return (
    <Notice tone="warn" icon={<IconInfoCircle size={18} />} title="The account was not connected" role="alert" testId="oauth-error">
      {oauthProblem(oauth_error)}
    </Notice>
  );
}
