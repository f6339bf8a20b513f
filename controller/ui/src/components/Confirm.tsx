import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { FormError } from './FormError';

export interface ConfirmProps {
  opened: boolean;
  onClose: () => void;
  title: string;
  action: string;
  keep?: string;
  /** It cannot be done; the text says why. */
  impossible?: boolean;
  busy: boolean;
  error: unknown;
  onConfirm: () => void;
  /** What happens then. */
  children: ReactNode;
}

/** A question before something that hurts little or can be made good again; for more there is ConfirmByName. */
export function Confirm(props: ConfirmProps) {
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={props.title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack>
        <Text size="sm" component="div">
          {props.children}
        </Text>
        <FormError error={props.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={props.onClose} data-autofocus>
            {props.keep ?? 'Cancel'}
          </Button>
          <Button color="red" loading={props.busy} disabled={props.impossible} onClick={props.onConfirm} data-testid="confirm">
            {props.action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
