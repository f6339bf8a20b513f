import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { isEmail, useForm } from '@mantine/form';
import { IconUserOff } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { signInWaysQuery } from '@/api/accountQueries';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { COOKIE_SESSION } from '@/api/session';
import type { SignInProvider } from '@/api/types';
import { AnchorLink } from '@/components/AnchorLink';
import { ButtonLink } from '@/components/ButtonLink';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { PasswordStrength } from '@/components/PasswordStrength';
import { ErrorState, LoadingRows } from '@/components/States';
import { passwordProblem } from '@/lib/password';
import { AuthCard } from './AuthCard';
import { CheckMail } from './CheckMail';
import { Or, Providers } from './Providers';
import { useSignedIn } from './signIn';

const FIELDS = { name: 'name', email: 'email', password: 'password', organization_name: 'organization' };

export default function SignUpPage() {
  const ways = useQuery(signInWaysQuery);
  const [mailed, setMailed] = useState<string | null>(null);
  if (mailed) {
    return (
      <CheckMail
        email={mailed}
        purpose="Your account is made once you open the link."
        onResend={() => unwrap(api.POST('/api/auth/verify-email/resend', { body: { email: mailed } }))}
      />
    );
  }
  if (ways.isPending || ways.isError) {
    return (
      <AuthCard title="Create an account" text={ways.isError ? 'The controller could not be asked.' : 'Asking the controller …'}>
        {ways.isError ? <ErrorState error={ways.error} onRetry={() => void ways.refetch()} /> : <LoadingRows rows={3} />}
      </AuthCard>
    );
  }
  if (ways.data.signup !== 'open') return <Closed byInvitation={ways.data.signup === 'invitation'} />;
  return <Open providers={ways.data.providers} onMailed={setMailed} />;
}

function Closed({ byInvitation }: { byInvitation: boolean }) {
  return (
    <AuthCard
      title={byInvitation ? 'By invitation only' : 'Nobody can sign up here'}
      text="Accounts of this platform are not made by oneself."
    >
      <Stack gap="md">
        <Notice tone="idle" icon={<IconUserOff size={18} />}>
          {byInvitation
            ? 'Open the link of your invitation; the account is made there. Without one, ask a member to invite you.'
            : 'Ask the administrator of this platform for an account.'}
        </Notice>
        <ButtonLink to="/login" variant="default" fullWidth>
          To the sign-in page
        </ButtonLink>
      </Stack>
    </AuthCard>
  );
}

function Open({ providers, onMailed }: { providers: SignInProvider[]; onMailed: (email: string) => void }) {
  const { email: given } = useSearch({ from: '/signup' });
  const navigate = useNavigate();
  const signedIn = useSignedIn('/');
  const form = useForm({
    initialValues: { name: '', email: given ?? '', organization: '', password: '' },
    validate: {
      name: (value) => (value.trim() ? null : 'Your name is needed'),
      email: isEmail('This is not an e-mail address'),
      organization: (value) => (value.trim().length === 1 ? 'At least two characters' : null),
      password: passwordProblem,
    },
  });
  const create = useMutation({
    mutationFn: async ({ name, email: typed, organization, password }: typeof form.values) => {
      const email = typed.trim();
      const organization_name = organization.trim() || undefined;
      const body = { email, name: name.trim(), password, organization_name };
      const { verification_required } = await unwrap(api.POST('/api/auth/signup', { body }));
      if (verification_required) return 'mailed' as const;
      const answer = await api.POST('/api/auth/login', { body: { email, password }, headers: COOKIE_SESSION });
      // The answer is the same for an address that has an account already.
      return answer.response.ok && answer.data && !('mfa_required' in answer.data) ? ('signed in' as const) : ('sign in' as const);
    },
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), FIELDS)),
    onSuccess: (came, { email }) => {
      if (came === 'mailed') onMailed(email.trim());
      else if (came === 'signed in') signedIn();
      else void navigate({ to: '/login', search: { email: email.trim() } });
    },
  });
  return (
    <AuthCard title="Create an account" text="With an organization of your own, which others can be invited to.">
      {providers.length > 0 && (
        <>
          <Providers providers={providers} next="/" />
          <Or />
        </>
      )}
      <form
        onSubmit={form.onSubmit((values) => create.mutate(values))}
        aria-label="Create an account"
        data-testid="signup-form"
        noValidate
      >
        <Stack gap="sm">
          <TextInput label="Your name" autoComplete="name" autoFocus {...form.getInputProps('name')} />
          <TextInput label="E-mail" type="email" autoComplete="username" {...form.getInputProps('email')} />
          <TextInput
            label="Organization"
            description="Can be left empty and changed later."
            autoComplete="organization"
            {...form.getInputProps('organization')}
          />
          <div>
            <PasswordInput label="Password" autoComplete="new-password" {...form.getInputProps('password')} />
            <PasswordStrength password={form.values.password} />
          </div>
          <FormError error={create.error} shown={form.errors} />
          <Button type="submit" loading={create.isPending} mt="xs" fullWidth>
            Create the account
          </Button>
        </Stack>
      </form>
      <Text size="sm" mt="lg">
        You have one?{' '}
        <AnchorLink to="/login">
          Sign in
        </AnchorLink>
      </Text>
    </AuthCard>
  );
}
