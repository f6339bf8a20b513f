import { Button, PasswordInput, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconCircleCheck, IconLinkOff } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { ButtonLink } from '@/components/ButtonLink';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { PasswordStrength } from '@/components/PasswordStrength';
import { passwordProblem } from '@/lib/password';
import { AuthCard } from './AuthCard';
import { useHashToken } from './hashToken';

/** Where the mail for a forgotten password leads. */
export default function ResetPage() {
  const token = useHashToken();
  const [isVoid, setVoid] = useState(!token);
  const form = useForm({ initialValues: { password: '' }, validate: { password: passwordProblem } });
  const reset = useMutation({
    mutationFn: ({ password }: typeof form.values) =>
      unwrap(api.POST('/api/auth/reset-password', { body: { token: token ?? '', password } })),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { password: 'password' }));
      if (problem.fields.some(({ field }) => field === 'token')) setVoid(true);
    },
  });
  if (reset.isSuccess) {
    return (
      <AuthCard title="Your password is set" text="The one before works no longer.">
        <Stack gap="md" data-testid="reset-done">
          <Notice tone="good" icon={<IconCircleCheck size={18} />} role="status">
            To be safe, you are signed out everywhere. A second factor is asked for as before.
          </Notice>
          <ButtonLink to="/login" fullWidth>
            Sign in
          </ButtonLink>
        </Stack>
      </AuthCard>
    );
  }
  if (isVoid) {
    return (
      <AuthCard title="This link does not work any more" text="It was used, cut short, or its time is over.">
        <Stack gap="md" data-testid="reset-refused">
          <Notice tone="idle" icon={<IconLinkOff size={18} />}>
            Such a link works once. A new one takes a minute.
          </Notice>
          <ButtonLink to="/forgot-password" fullWidth>
            Ask for another link
          </ButtonLink>
        </Stack>
      </AuthCard>
    );
  }
  return (
    <AuthCard title="Choose a new password" text="All your sessions end, and you sign in with the new one.">
      <form onSubmit={form.onSubmit((values) => reset.mutate(values))} aria-label="Choose a new password" data-testid="reset-form" noValidate>
        <Stack gap="sm">
          <div>
            <PasswordInput label="New password" autoComplete="new-password" autoFocus {...form.getInputProps('password')} />
            <PasswordStrength password={form.values.password} />
          </div>
          <FormError error={reset.error} shown={form.errors} />
          <Button type="submit" loading={reset.isPending} mt="xs" fullWidth>
            Set the password
          </Button>
        </Stack>
      </form>
    </AuthCard>
  );
}
