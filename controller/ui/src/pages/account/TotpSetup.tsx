import { Modal, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { TotpEnrollment, Account } from '@/api/types';
import { CodeForm } from '@/components/CodeForm';
import { CommandBox } from '@/components/Copy';
import { ErrorState, LoadingRows } from '@/components/States';
import { grouped } from '@/lib/codes';
import { retrying } from '@/lib/retrying';
import classes from './account.module.css';
import { RecoveryCodes } from './RecoveryCodes';

const QrCode = lazy(retrying(() => import('@/components/QrCode')));

/** Scan, show that it works, keep the recovery codes. */
export function TotpSetup({ opened, onClose, user }: { opened: boolean; onClose: () => void; user: Account }) {
  const client = useQueryClient();
  const verify = useMutation({
    mutationFn: (code: string) => unwrap(api.POST('/api/user/totp/verify', { body: { code } })),
    meta: { showsError: true },
  });
  const codes = verify.data?.recovery_codes;
  const close = () => {
    onClose();
    verify.reset();
    // Organizations may let one in from now on.
    if (codes) void client.invalidateQueries();
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={codes ? 'Keep your recovery codes' : 'Set up an authenticator app'}
      size="lg"
      withCloseButton={!codes}
      closeOnEscape={!codes}
      closeOnClickOutside={false}
    >
      {codes ? (
        <RecoveryCodes codes={codes} email={user.email} on onDone={close} />
      ) : (
        opened && <Enroll verify={(code) => verify.mutate(code)} busy={verify.isPending} error={verify.error} onCancel={close} />
      )}
    </Modal>
  );
}

interface EnrollProps {
  verify: (code: string) => void;
  busy: boolean;
  error: unknown;
  onCancel: () => void;
}

function Enroll(props: EnrollProps) {
  // Asked for once for this dialog, and kept no longer than it: each time it is another key.
  const enrollment = useQuery({
    queryKey: [...keys.account, 'enroll'],
    queryFn: () => unwrap(api.POST('/api/user/totp/enroll')),
    staleTime: Infinity,
    gcTime: 0,
    refetchOnReconnect: false,
  });
  if (enrollment.isPending) return <LoadingRows rows={5} />;
  if (enrollment.isError) return <ErrorState error={enrollment.error} onRetry={() => void enrollment.refetch()} />;
  return <Scan enrollment={enrollment.data} {...props} />;
}

function Scan({ enrollment, verify, busy, error, onCancel }: EnrollProps & { enrollment: TotpEnrollment }) {
  return (
    <div className={classes.setup}>
      <div className={classes.setupCode}>
        <Suspense fallback={<LoadingRows rows={4} />}>
          <QrCode text={enrollment.otpauth_uri} label="QR code of the key for your authenticator app" />
        </Suspense>
      </div>
      <Stack gap="md">
        <div>
          <Text size="sm" fw={600}>
            1. Scan it with your app
          </Text>
          <Text size="sm" c="dimmed" mb={6}>
            Or type this key in, for codes by time with six digits:
          </Text>
          <CommandBox command={grouped(enrollment.secret)} copied={enrollment.secret} label="key" testId="totp-secret" />
        </div>
        <div>
          <Text size="sm" fw={600} mb={4}>
            2. Show that it works
          </Text>
          <CodeForm label="First code" action="Switch on" auto busy={busy} error={error} onCode={verify} onCancel={onCancel} />
        </div>
      </Stack>
    </div>
  );
}
