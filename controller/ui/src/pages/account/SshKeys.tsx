import { ActionIcon, Badge, Button, Group, Menu, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDots, IconKey, IconPencil, IconPlus, IconStar, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { sshKeysQuery } from '@/api/accountQueries';
import { api, unwrap } from '@/api/client';
import type { SshKey } from '@/api/types';
import { CopyButton } from '@/components/Copy';
import { Panel } from '@/components/Panel';
import { EmptyState, Loaded } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { Row, Rows } from './Row';
import { AddSshKey, RemoveSshKey, RenameSshKey } from './SshKeyDialogs';

type Dialog = { kind: 'add' } | { kind: 'rename' | 'remove'; sshKey: SshKey };

export function SshKeys() {
  const list = useQuery(sshKeysQuery);
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const close = () => setDialog(null);
  const of = (kind: 'rename' | 'remove') => (dialog?.kind === kind ? dialog.sshKey : null);
  const addButton = (
    <Button
      size="xs"
      leftSection={<IconPlus size={15} aria-hidden />}
      onClick={() => setDialog({ kind: 'add' })}
      data-new
      data-testid="add-ssh-key"
    >
      Add a key
    </Button>
  );
  return (
    <Stack maw={760}>
      <Panel title="SSH keys" flush aside={list.data && list.data.length > 0 && addButton}>
        <Loaded query={list}>
          {(data) =>
            data.length === 0 ? (
              <EmptyState
                icon={<IconKey size={22} />}
                title="No key yet"
                text="Add the public key of your computer, to reach servers by SSH without a password."
                action={addButton}
              />
            ) : (
              <Rows label="SSH keys">
                {data.map((sshKey) => (
                  <KeyRow key={sshKey.id} sshKey={sshKey} onAction={(kind) => setDialog({ kind, sshKey })} />
                ))}
              </Rows>
            )
          }
        </Loaded>
      </Panel>
      <AddSshKey opened={dialog?.kind === 'add'} onClose={close} />
      <RenameSshKey sshKey={of('rename')} onClose={close} />
      <RemoveSshKey sshKey={of('remove')} onClose={close} />
    </Stack>
  );
}

function KeyRow({ sshKey, onAction }: { sshKey: SshKey; onAction: (kind: 'rename' | 'remove') => void }) {
  const client = useQueryClient();
  const prefer = useMutation({
    mutationFn: () =>
      unwrap(
        api.PATCH('/api/user/ssh-keys/{id}', {
          params: { path: { id: sshKey.id } },
          headers: { 'If-Match': `"${sshKey.version}"` },
          body: { is_default: true },
        }),
      ),
    onSuccess: () => notifications.show({ message: `${sshKey.name} is used where none is chosen` }),
    onSettled: () => void client.invalidateQueries({ queryKey: sshKeysQuery.queryKey }),
  });
  return (
    <Row
      testId="ssh-key-row"
      icon={<IconKey size={19} aria-hidden />}
      title={
        <Group gap={8}>
          {sshKey.name}
          {sshKey.is_default && <Badge color="teal">default</Badge>}
        </Group>
      }
      detail={
        <>
          <Text span inherit ff="monospace" style={{ overflowWrap: 'anywhere' }}>
            {sshKey.fingerprint}
          </Text>
          <br />
          {sshKey.key_type} · added <TimeAgo at={sshKey.created_at} /> · used <TimeAgo at={sshKey.last_used_at} />
        </>
      }
      actions={
        <Group gap={2} wrap="nowrap">
          <CopyButton value={sshKey.public_key} label="Copy the public key" />
          <Menu position="bottom-end" width={200}>
            <Menu.Target>
              <ActionIcon color="gray" aria-label={`Actions for ${sshKey.name}`} data-testid="ssh-key-actions">
                <IconDots size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              {!sshKey.is_default && (
                <Menu.Item leftSection={<IconStar size={16} />} onClick={() => prefer.mutate()}>
                  Make it the default
                </Menu.Item>
              )}
              <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => onAction('rename')}>
                Rename
              </Menu.Item>
              <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => onAction('remove')} data-testid="action-remove">
                Remove
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </Group>
      }
    />
  );
}
