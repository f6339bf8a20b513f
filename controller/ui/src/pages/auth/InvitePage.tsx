import { Button, Stack, Text } from '@mantine/core';
import { IconMailX, IconUserExclamation } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { useState } from 'react';
import { signInWaysQuery } from '@/api/accountQueries';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { invitationQuery } from '@/api/identityQueries';
import { userQuery } from '@/api/queries';
import { setCurrentOrganization } from '@/api/session';
import type { InvitationView, Account } from '@/api/types';
import { ButtonLink } from '@/components/ButtonLink';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { FactList } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { useSignOut } from '@/shell/signOut';
import { AuthCard } from './AuthCard';
import { forgetInvitation, tokenOfInvitation } from './invitation';
import { Or, Providers } from './Providers';
import { SignUp } from './SignUp';

/** Where the link of an invitation leads: it says who invites where, and works signed out. */
export default function InvitePage() {
  const [token] = useState(tokenOfInvitation);
  if (!token) {
    return (
      <AuthCard title="No invitation" text="The link is not whole. Open it again as you have got it, or ask for another one.">
        <ButtonLink to="/" variant="default" fullWidth>
          To the console
        </ButtonLink>
      </AuthCard>
    );
  }
  return <Invitation token={token} />;
}

function Invitation({ token }: { token: string }) {
  const invitation = useQuery(invitationQuery(token));
  // Nobody has to be signed in here.
  const user = useQuery({ ...userQuery, retry: false });
  if (invitation.isPending || user.isPending) {
    return (
      <AuthCard title="Invitation" text="Asking the controller …">
        <LoadingRows rows={3} />
      </AuthCard>
    );
  }
  if (invitation.isError) {
    if (asApiError(invitation.error).status !== 404) {
      return (
        <AuthCard title="Invitation" text="The controller could not be asked.">
          <ErrorState error={invitation.error} onRetry={() => void invitation.refetch()} />
        </AuthCard>
      );
    }
    return (
      <AuthCard title="This invitation has ended" text="It was used, taken back or sent again, or its seven days are over.">
        <Stack gap="sm">
          <Notice tone="idle" icon={<IconMailX size={18} />}>
            Ask whoever invited you to send it again. If you have joined already, just go to the console.
          </Notice>
          <ButtonLink to="/" variant="default" fullWidth>
            To the console
          </ButtonLink>
        </Stack>
      </AuthCard>
    );
  }
  const view = invitation.data;
  return (
    <AuthCard title={`Join ${view.organization}`} text={`${view.invited_by} invites you to work there.`}>
      <Stack gap="md">
        <FactList
          facts={[
            ['For', view.email],
            ['As', view.role],
            ['Until', <TimeAgo key="until" at={view.expires_at} />],
          ]}
        />
        {user.data ? <Answer token={token} view={view} user={user.data} /> : <SignInFirst token={token} view={view} />}
      </Stack>
    </AuthCard>
  );
}

function SignInFirst({ token, view }: { token: string; view: InvitationView }) {
  const ways = useQuery({ ...signInWaysQuery, retry: false });
  const providers = ways.data?.providers ?? [];
  if (!view.has_account) {
    return (
      <div>
        <SignUp token={token} view={view} />
        {providers.length > 0 && ways.data?.signup !== 'closed' && (
          <>
            <Or />
            <Providers providers={providers} next="/invite" />
          </>
        )}
      </div>
    );
  }
  return (
    <Stack gap="xs">
      <ButtonLink to="/login" search={{ next: '/invite', email: view.email }} fullWidth data-testid="invite-sign-in">
        Sign in to join
      </ButtonLink>
      <Text size="xs" c="dimmed" ta="center">
        With your account of {view.email}.
      </Text>
    </Stack>
  );
}

function Answer({ token, view, user }: { token: string; view: InvitationView; user: Account }) {
  const router = useRouter();
  const client = useQueryClient();
  const signOut = useSignOut('/invite');
  const accept = useMutation({
    mutationFn: async () => {
      const { organization_id } = await unwrap(api.POST('/api/invites/{token}/accept', { params: { path: { token } } }));
      const now = await client.fetchQuery({ ...userQuery, staleTime: 0 });
      return now.organizations.find(({ id }) => id === organization_id)?.slug ?? null;
    },
    meta: { showsError: true },
    onSuccess: (slug) => {
      forgetInvitation();
      if (slug) setCurrentOrganization(slug);
      router.history.push('/');
    },
  });
  if (user.email.toLowerCase() !== view.email.toLowerCase()) {
    return (
      <>
        <Notice tone="warn" icon={<IconUserExclamation size={18} />} title="For another address" testId="invite-other">
          You are signed in as {user.email}. This invitation is for {view.email} only.
        </Notice>
        <Button loading={signOut.isPending} onClick={() => signOut.mutate()} fullWidth>
          Sign out and use another account
        </Button>
        <ButtonLink to="/" variant="default" fullWidth>
          To the console
        </ButtonLink>
      </>
    );
  }
  return (
    <>
      <FormError error={accept.error} />
      <Button loading={accept.isPending} onClick={() => accept.mutate()} fullWidth autoFocus data-testid="accept-invitation">
        Join {view.organization}
      </Button>
      <Text size="xs" c="dimmed" ta="center">
        You are signed in as {user.email}.
      </Text>
    </>
  );
}
