import { Modal, Stack, TextInput } from '@mantine/core';
import { useEffect, useState, type ReactNode } from 'react';
import type { Run } from './Confirm';
import { FormButtons } from './FormButtons';
import { FormError } from './FormError';
import { Losses } from './Losses';

export interface ConfirmByNameProps {
  opened: boolean;
  onClose: () => void;
  title: string;
  /** To be typed, so that nothing is lost by a stray click. */
  name: string;
  /** What will be lost, a line each. */
  losses: string[];
  action: string;
  /** For much to say. */
  size?: 'lg';
  /** It cannot be done yet; the text says why. */
  impossible?: boolean;
  run: Run;
  onConfirm: () => void;
  children?: ReactNode;
}

export function ConfirmByName({ run, ...props }: ConfirmByNameProps) {
  const close = () => {
    run.reset();
    props.onClose();
  };
  const [typed, setTyped] = useState('');
  useEffect(() => {
    if (props.opened) setTyped('');
  }, [props.opened]);
  const matches = typed.trim() === props.name && !props.impossible;
  return (
    <Modal opened={props.opened} onClose={close} title={props.title} size={props.size}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (matches) props.onConfirm();
        }}
      >
        <Stack gap="md">
          {props.children}
          <Losses losses={props.losses} />
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
          <FormError error={run.error} />
          <FormButtons onCancel={close} cancel="Keep it" color="red" disabled={!matches} loading={run.isPending} data-testid="confirm-delete">
            {props.action}
          </FormButtons>
        </Stack>
      </form>
    </Modal>
  );
}
