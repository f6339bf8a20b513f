import { Button, Group, List, Modal, Stack, Text, TextInput } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useEffect, useState, type ReactNode } from 'react';
import { asApiError } from '@/api/errors';
import { Notice } from './Notice';

export interface ConfirmByNameProps {
  opened: boolean;
  onClose: () => void;
  title: string;
  /** To be typed, so that nothing is lost by a stray click. */
  name: string;
  /** What will be lost, a line each. */
  losses: string[];
  action: string;
  busy: boolean;
  error: unknown;
  onConfirm: () => void;
  children?: ReactNode;
}

export function ConfirmByName(props: ConfirmByNameProps) {
  const [typed, setTyped] = useState('');
  useEffect(() => {
    if (props.opened) setTyped('');
  }, [props.opened]);
  const matches = typed.trim() === props.name;
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={props.title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (matches) props.onConfirm();
        }}
      >
        <Stack gap="md">
          {props.children}
          <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title="What will be lost">
            <List size="sm" spacing={2}>
              {props.losses.map((loss) => (
                <List.Item key={loss}>{loss}</List.Item>
              ))}
            </List>
          </Notice>
          <TextInput
            label={
              <>
                Type <b>{props.name}</b> to confirm
              </>
            }
            data-autofocus
            autoComplete="off"
            spellCheck={false}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            data-testid="confirm-name"
          />
          {Boolean(props.error) && (
            <Text size="sm" c="red" role="alert">
              {asApiError(props.error).message}
            </Text>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={props.onClose}>
              Keep it
            </Button>
            <Button type="submit" color="red" disabled={!matches} loading={props.busy} data-testid="confirm-delete">
              {props.action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
