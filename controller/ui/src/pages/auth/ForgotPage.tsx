import { Button, Stack, TextInput } from '@mantine/core';
import { isEmail, useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { AnchorLink } from '@/components/AnchorLink';
import { FormError } from '@/components/FormError';
import { AuthCard } from './AuthCard';
import { CheckMail } from './CheckMail';

export default function ForgotPage() {
  const { email } = useSearch({ from: '/forgot-password' });
  const form = useForm({ initialValues: { email: email ?? '' }, validate: { email: isEmail('This is not an e-mail address') } });
  const request = (address: string) => unwrap(api.POST('/api/auth/forgot-password', { body: { email: address } }));
  const ask = useMutation({
    mutationFn: ({ email: typed }: typeof form.values) => request(typed.trim()),
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), { email: 'email' })),
  });
  if (ask.isSuccess) {
    const address = form.values.email.trim();
    return (
      <CheckMail
        email={address}
        purpose="The link in it lets you choose a new password. It works once, for an hour."
        onResend={() => request(address)}
      />
    );
  }
  return (
    <AuthCard title="Forgot your password?" text="A link for a new one goes to your address.">
      <form onSubmit={form.onSubmit((values) => ask.mutate(values))} aria-label="Ask for a new password" data-testid="forgot-form" noValidate>
        <Stack gap="sm">
          <TextInput label="E-mail" type="email" autoComplete="username" autoFocus {...form.getInputProps('email')} />
          <FormError error={ask.error} shown={form.errors} />
          <Button type="submit" loading={ask.isPending} mt="xs" fullWidth>
            Send the link
          </Button>
        </Stack>
      </form>
      <AnchorLink to="/login" mt="lg" display="inline-block">
        Back to signing in
      </AnchorLink>
    </AuthCard>
  );
}
