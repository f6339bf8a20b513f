import { Button, Group, Stack, Text } from '@mantine/core';
import { IconMailForward } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { AnchorLink } from '@/components/AnchorLink';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { AuthCard } from './AuthCard';

const PAUSE_SECONDS = 60;

export interface CheckMailProps {
  email: string;
  /** What the mail is for. */
  purpose: string;
  onResend: () => Promise<unknown>;
  /** Asked for just now: a moment must pass before the next one. */
  sent?: boolean;
}

/** A mail is on its way, as far as anybody may know. */
export function CheckMail({ email, purpose, onResend, sent = true }: CheckMailProps) {
  const [wait, setWait] = useState(sent ? PAUSE_SECONDS : 0);
  useEffect(() => {
    if (wait === 0) return;
    const timer = setTimeout(() => setWait(wait - 1), 1000);
    return () => clearTimeout(timer);
  }, [wait]);
  const resend = useMutation({
    mutationFn: onResend,
    meta: { showsError: true },
    onSuccess: () => setWait(PAUSE_SECONDS),
  });
  return (
    <AuthCard title="Check your mail" text={purpose}>
      <Stack gap="md" data-testid="check-mail">
        <Notice tone="good" icon={<IconMailForward size={18} />} role="status">
          {sent ? (
            <>
              If <b>{email}</b> is right, a mail with a link is there in a minute.
            </>
          ) : (
            <>
              The mail went to <b>{email}</b> when you signed up. It can be sent again.
            </>
          )}
        </Notice>
        <Text size="sm" c="dimmed">
          Nothing there? Look among the unwanted mail. Where this platform sends no mail at all, its administrator can help.
        </Text>
        <FormError error={resend.error} />
        <Group justify="space-between">
          <Button variant="default" loading={resend.isPending} disabled={wait > 0} onClick={() => resend.mutate()} data-testid="resend-mail">
            {wait > 0 ? `Send again in ${wait} s` : 'Send again'}
          </Button>
          <AnchorLink to="/login">
            To the sign-in page
          </AnchorLink>
        </Group>
      </Stack>
    </AuthCard>
  );
}
