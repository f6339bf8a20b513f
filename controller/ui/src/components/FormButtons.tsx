import { Button, Group, type ButtonProps } from '@mantine/core';
import type { ComponentPropsWithoutRef } from 'react';

export interface FormButtonsProps extends ButtonProps, Omit<ComponentPropsWithoutRef<'button'>, keyof ButtonProps | 'type'> {
  onCancel?: () => void;
  cancel?: string;
  'data-testid'?: string;
}

/** What a form or a dialog ends with: the way out, and the button that does it. */
export function FormButtons({ onCancel, cancel = 'Cancel', ...submit }: FormButtonsProps) {
  return (
    <Group justify="flex-end" gap="xs">
      {onCancel && (
        <Button variant="default" onClick={onCancel}>
          {cancel}
        </Button>
      )}
      <Button type="submit" {...submit} />
    </Group>
  );
}
