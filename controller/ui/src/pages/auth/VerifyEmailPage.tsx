import { Button, Stack } from '@mantine/core';
import { IconMailCheck, IconMailX } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { ButtonLink } from '@/components/ButtonLink';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { AuthCard } from './AuthCard';
import { useHashToken } from './hashToken';

/**
 * Where the mail after a sign-up leads. It takes a click: a mail filter that opens links must not make an account, nor
 * somebody who never asked for one.
 */
export default function VerifyEmailPage() {
  const token = useHashToken();
  const verify = useMutation({
    mutationFn: () => unwrap(api.POST('/api/auth/verify-email', { body: { token: token ?? '' } })),
    meta: { showsError: true },
  });
  const status = verify.error ? asApiError(verify.error).status : null;
  if (verify.data) {
    return (
      <AuthCard title="Your address is confirmed" text="Your account is made.">
        <Stack gap="md" data-testid="verified">
          <Notice tone="good" icon={<IconMailCheck size={18} />} role="status">
            Sign in as <b>{verify.data.email}</b> with the password that you have chosen.
          </Notice>
          <ButtonLink to="/login" search={{ email: verify.data.email }} fullWidth>
            Sign in
          </ButtonLink>
        </Stack>
      </AuthCard>
    );
  }
  if (!token || status === 400 || status === 409) {
    return (
      <AuthCard title="This link does not work any more" text="It was used, a newer one was sent, or its day is over.">
        <Stack gap="md" data-testid="verify-refused">
          <Notice tone="idle" icon={<IconMailX size={18} />}>
            If you have opened it before, your account is there: just sign in. Otherwise sign in as well, and the link can be
            sent again.
          </Notice>
          <ButtonLink to="/login" variant="default" fullWidth>
            To the sign-in page
          </ButtonLink>
        </Stack>
      </AuthCard>
    );
  }
  return (
    <AuthCard title="Confirm your address" text="Somebody, hopefully you, has asked for an account of this address.">
      <Stack gap="md">
        <FormError error={verify.error} />
        <Button loading={verify.isPending} onClick={() => verify.mutate()} fullWidth autoFocus data-testid="verify">
          Yes, make my account
        </Button>
        <Notice tone="idle">It was not you? Close this page, and nothing happens.</Notice>
      </Stack>
    </AuthCard>
  );
}
