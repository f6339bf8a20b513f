import { Anchor, Button, Checkbox, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { isEmail, useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useRouter } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { bootstrapQuery } from '@/api/queries';
import { COOKIE_SESSION } from '@/api/session';
import { Notice } from '@/components/Notice';
import { PasswordStrength } from '@/components/PasswordStrength';
import { ErrorState, LoadingRows } from '@/components/States';
import { passwordProblem } from '@/lib/password';
import { nameProblem } from '@/lib/slug';
import { AuthCard } from './AuthCard';

const FIELDS = {
  name: 'name',
  email: 'email',
  password: 'password',
  organization_name: 'organization',
  token: 'token',
  public_urls: 'address',
  'public_urls[0]': 'address',
};

/** The address by which the console was opened, if others can use it too. */
function addressOfPage(): string {
  const { hostname, origin } = window.location;
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.') ? '' : origin;
}

/** `?token=` or `#token=`; the router would read digits as a number. */
function tokenOfAddress(): string {
  const hash = new URLSearchParams(window.location.hash.slice(1));
  return new URLSearchParams(window.location.search).get('token') ?? hash.get('token') ?? '';
}

export default function BootstrapPage() {
  const status = useQuery(bootstrapQuery);
  if (status.isPending) {
    return (
      <AuthCard title="First start" text="Asking the controller …">
        <LoadingRows rows={3} />
      </AuthCard>
    );
  }
  if (status.isError) {
    return (
      <AuthCard title="First start" text="The controller could not be asked.">
        <ErrorState error={status.error} onRetry={() => void status.refetch()} />
      </AuthCard>
    );
  }
  if (!status.data.needed) {
    return (
      <AuthCard title="Already set up" text="This controller has an administrator. Sign in with an account that exists.">
        <Anchor component={Link} to="/login">
          To the sign-in page
        </Anchor>
      </AuthCard>
    );
  }
  return (
    <AuthCard title="Welcome" text="Make the first administrator and your organization. Both can be changed later.">
      <BootstrapForm tokenRequired={status.data.token_required} />
      <Text size="xs" c="dimmed" mt="md" ta="center">
        Version {status.data.version}
      </Text>
    </AuthCard>
  );
}

function BootstrapForm({ tokenRequired }: { tokenRequired: boolean }) {
  const router = useRouter();
  const client = useQueryClient();
  const [given] = useState(tokenOfAddress);
  const form = useForm({
    initialValues: { name: '', email: '', password: '', organization: '', token: given, address: addressOfPage(), unchecked: false },
    validate: {
      name: (value) => (value.trim() ? null : 'Your name is needed'),
      email: isEmail('This is not an e-mail address'),
      password: passwordProblem,
      organization: nameProblem,
      token: (value) => (tokenRequired && !value.trim() ? 'The token that the controller printed is needed' : null),
    },
  });
  const create = useMutation({
    mutationFn: (values: typeof form.values) =>
      unwrap(
        api.POST('/api/auth/bootstrap', {
          headers: COOKIE_SESSION,
          body: {
            name: values.name.trim(),
            email: values.email.trim(),
            password: values.password,
            organization_name: values.organization.trim(),
            token: values.token.trim() || undefined,
            public_urls: values.address.trim() ? [values.address.trim()] : undefined,
            public_urls_unchecked: values.unchecked || undefined,
          },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), FIELDS)),
    onSuccess: () => {
      client.clear();
      router.history.replace('/');
    },
  });
  const problem = create.error && asApiError(create.error);
  const isAtField = Object.values(form.errors).includes(problem?.message);
  return (
    <form
      onSubmit={form.onSubmit((values) => create.mutate(values))}
      aria-label="First administrator"
      data-testid="bootstrap-form"
      noValidate
    >
      <Stack gap="sm">
        {problem && !isAtField && (
          <Notice tone="bad" role="alert" testId="form-error">
            {problem.message}
          </Notice>
        )}
        {tokenRequired && (!given || form.errors.token) && (
          <TextInput
            label="Setup token"
            description="The controller printed it at its first start."
            autoComplete="off"
            spellCheck={false}
            {...form.getInputProps('token')}
          />
        )}
        <TextInput label="Your name" autoComplete="name" autoFocus {...form.getInputProps('name')} />
        <TextInput label="E-mail" type="email" autoComplete="username" {...form.getInputProps('email')} />
        <div>
          <PasswordInput label="Password" autoComplete="new-password" {...form.getInputProps('password')} />
          <PasswordStrength password={form.values.password} />
        </div>
        <TextInput
          label="Organization"
          description="Servers and instances belong to it."
          autoComplete="organization"
          {...form.getInputProps('organization')}
        />
        <TextInput
          label="Address of this controller"
          description="Servers and people reach it there. It is tried out now; leave it empty to use this machine's own address."
          placeholder="https://ocore.example.com:8080"
          inputMode="url"
          spellCheck={false}
          {...form.getInputProps('address')}
        />
        {(form.errors.address || form.values.unchecked) && (
          <Checkbox label="Use this address anyway" {...form.getInputProps('unchecked', { type: 'checkbox' })} />
        )}
        <Button type="submit" loading={create.isPending} mt="xs" fullWidth>
          Create and sign in
        </Button>
      </Stack>
    </form>
  );
}
