import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconDeviceMobile } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { totpQuery } from '@/api/accountQueries';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { TotpStatus, Account } from '@/api/types';
import { CodeForm } from '@/components/CodeForm';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { Loaded } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { plural } from '@/lib/format';
import { RecoveryCodes } from './RecoveryCodes';
import { TotpSetup } from './TotpSetup';

/** So few codes left, and new ones are advised. */
const FEW = 3;

export function SecondFactor({ user }: { user: Account }) {
  const totp = useQuery(totpQuery);
  const [dialog, setDialog] = useState<'set-up' | 'codes' | 'off' | null>(null);
  const close = () => setDialog(null);
  return (
    <Panel
      title="Authenticator app"
      aside={
        totp.data && (
          <StatusBadge state={totp.data.enabled ? { label: 'On', tone: 'good' } : { label: 'Off', tone: 'idle' }} />
        )
      }
    >
      <Loaded query={totp} rows={2}>
        {(data) =>
          data.enabled ? (
            <On status={data} onCodes={() => setDialog('codes')} onOff={() => setDialog('off')} />
          ) : (
            <Stack gap="sm">
              <Text size="sm" c="dimmed">
                After your password, a code of an app on your phone is asked for: a stolen password alone is then of no use. Any app
                for such codes will do.
              </Text>
              <Group>
                <Button leftSection={<IconDeviceMobile size={16} aria-hidden />} onClick={() => setDialog('set-up')} data-testid="totp-set-up">
                  Set up
                </Button>
              </Group>
            </Stack>
          )
        }
      </Loaded>
      <TotpSetup opened={dialog === 'set-up'} onClose={close} user={user} />
      <NewCodes opened={dialog === 'codes'} onClose={close} user={user} />
      <SwitchOff opened={dialog === 'off'} onClose={close} />
    </Panel>
  );
}

function On({ status, onCodes, onOff }: { status: TotpStatus; onCodes: () => void; onOff: () => void }) {
  const left = status.recovery_codes_left;
  return (
    <Stack gap="sm">
      <Text size="sm">
        Codes are asked for since <TimeAgo at={status.enabled_at} />.{' '}
        <span data-testid="codes-left">{plural(left, 'recovery code')} left</span>.
      </Text>
      {left <= FEW && (
        <Notice tone="warn" icon={<IconAlertTriangle size={18} />}>
          {left === 0 ? 'No recovery code is left' : 'Few recovery codes are left'}: without your phone you would be locked out.
          Make new ones.
        </Notice>
      )}
      <Group gap="xs">
        <Button variant="default" onClick={onCodes} data-testid="new-codes">
          New recovery codes
        </Button>
        <Button variant="light" color="red" onClick={onOff} data-testid="totp-off">
          Switch off
        </Button>
      </Group>
    </Stack>
  );
}

function NewCodes({ opened, onClose, user }: { opened: boolean; onClose: () => void; user: Account }) {
  const client = useQueryClient();
  const make = useMutation({
    mutationFn: (code: string) => unwrap(api.POST('/api/user/totp/recovery-codes', { body: { code } })),
    meta: { showsError: true },
    onSettled: () => void client.invalidateQueries({ queryKey: totpQuery.queryKey }),
  });
  const made = make.data?.recovery_codes;
  const close = () => {
    onClose();
    make.reset();
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={made ? 'Keep your recovery codes' : 'New recovery codes'}
      withCloseButton={!made}
      closeOnEscape={!made}
      closeOnClickOutside={false}
    >
      {made ? (
        <RecoveryCodes codes={made} email={user.email} onDone={close} />
      ) : (
        <Stack>
          <Text size="sm">The codes that you have now are void once new ones are made.</Text>
          <CodeForm
            label="New recovery codes"
            action="Make new codes"
            recovery
            busy={make.isPending}
            error={make.error}
            onCode={(code) => make.mutate(code)}
            onCancel={close}
          />
        </Stack>
      )}
    </Modal>
  );
}

function SwitchOff({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const off = useMutation({
    mutationFn: (code: string) => unwrap(api.POST('/api/user/totp/disable', { body: { code } })),
    meta: { showsError: true },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.account });
      notifications.show({ message: 'No codes are asked for any more' });
      close();
    },
  });
  const close = () => {
    onClose();
    off.reset();
  };
  return (
    <Modal opened={opened} onClose={close} title="Switch the second factor off">
      <Stack>
        <Notice tone="warn" icon={<IconAlertTriangle size={18} />}>
          Your password alone signs in then. Key and recovery codes are deleted, and organizations that ask for a second factor
          let you in no longer.
        </Notice>
        <CodeForm
          label="Switch off"
          action="Switch off"
          danger
          recovery
          busy={off.isPending}
          error={off.error}
          onCode={(code) => off.mutate(code)}
          onCancel={close}
        />
      </Stack>
    </Modal>
  );
}
