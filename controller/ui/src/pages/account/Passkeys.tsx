import { ActionIcon, Button, Menu, Text } from '@mantine/core';
import { IconDots, IconFingerprint, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { passkeysQuery } from '@/api/accountQueries';
import type { Passkey } from '@/api/types';
import { Panel } from '@/components/Panel';
import { Loaded } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { hasPasskeys } from '@/lib/webauthn';
import { AddPasskey, RemovePasskey, RenamePasskey } from './PasskeyDialogs';
import { Row, Rows } from './Row';

type Dialog = { kind: 'add' } | { kind: 'rename' | 'remove'; passkey: Passkey };

export function Passkeys() {
  const passkeys = useQuery(passkeysQuery);
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const close = () => setDialog(null);
  const of = (kind: 'rename' | 'remove') => (dialog?.kind === kind ? dialog.passkey : null);
  const list = passkeys.data ?? [];
  return (
    <Panel
      title="Passkeys"
      flush
      aside={
        hasPasskeys() && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlus size={15} aria-hidden />}
            onClick={() => setDialog({ kind: 'add' })}
            data-testid="add-passkey"
          >
            Add
          </Button>
        )
      }
    >
      <Loaded query={passkeys} rows={2}>
        {() =>
          list.length === 0 ? (
            <Text size="sm" c="dimmed" p="md">
              {hasPasskeys()
                ? 'Sign in with a finger, a face, a PIN or a security key, without a password. A passkey cannot be phished, and counts as two factors.'
                : 'Passkeys need HTTPS and a host name: this browser allows none at this address.'}
            </Text>
          ) : (
            <Rows label="Passkeys">
              {list.map((passkey) => (
                <Row
                  key={passkey.id}
                  testId="passkey-row"
                  icon={<IconFingerprint size={19} aria-hidden />}
                  title={passkey.device_name}
                  detail={
                    <>
                      {passkey.host !== window.location.hostname && `works at ${passkey.host} · `}
                      {passkey.backup_state && 'synced between devices · '}
                      added <TimeAgo at={passkey.created_at} /> · used <TimeAgo at={passkey.last_used_at} />
                    </>
                  }
                  actions={
                    <Menu position="bottom-end" width={180}>
                      <Menu.Target>
                        <ActionIcon color="gray" aria-label={`Actions for ${passkey.device_name}`} data-testid="passkey-actions">
                          <IconDots size={16} />
                        </ActionIcon>
                      </Menu.Target>
                      <Menu.Dropdown>
                        <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog({ kind: 'rename', passkey })}>
                          Rename
                        </Menu.Item>
                        <Menu.Item
                          color="red"
                          leftSection={<IconTrash size={16} />}
                          onClick={() => setDialog({ kind: 'remove', passkey })}
                          data-testid="action-remove"
                        >
                          Remove
                        </Menu.Item>
                      </Menu.Dropdown>
                    </Menu>
                  }
                />
              ))}
            </Rows>
          )
        }
      </Loaded>
      <AddPasskey opened={dialog?.kind === 'add'} onClose={close} />
      <RenamePasskey passkey={of('rename')} onClose={close} />
      <RemovePasskey passkey={of('remove')} onClose={close} />
    </Panel>
  );
}
