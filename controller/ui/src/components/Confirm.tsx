import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { FormError } from './FormError';

/** What is done on a yes. */
export interface Run {
  isPending: boolean;
  error: unknown;
  reset: () => void;
}

export interface ConfirmProps {
  opened: boolean;
  onClose: () => void;
  title: string;
  action: string;
  /** For much to say. */
  size?: 'lg';
  keep?: string;
  /** Nothing is lost by it. */
  harmless?: boolean;
  /** It cannot be done; the text says why. */
  impossible?: boolean;
  run: Run;
  onConfirm: () => void;
  /** What happens then. */
  children: ReactNode;
}

/** A question before something that hurts little or can be made good again; for more there is ConfirmByName. */
export function Confirm({ run, ...props }: ConfirmProps) {
  const close = () => {
    run.reset();
    props.onClose();
  };
  return (
    <Modal opened={props.opened} onClose={close} title={props.title} size={props.size}>
      <Stack>
        <Text size="sm" component="div">
          {props.children}
        </Text>
        <FormError error={run.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close} data-autofocus>
            {props.keep ?? 'Cancel'}
          </Button>
          <Button color={props.harmless ? undefined : 'red'} loading={run.isPending} disabled={props.impossible} onClick={props.onConfirm} data-testid="confirm">
            {props.action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
