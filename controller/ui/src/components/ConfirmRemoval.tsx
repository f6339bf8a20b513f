import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient, type QueryKey } from '@tanstack/react-query';
import { Confirm, type ConfirmProps } from './Confirm';

export interface ConfirmRemovalProps<T> extends Omit<ConfirmProps, 'opened' | 'run' | 'onConfirm'> {
  /** What is to go; none: nothing is asked. */
  subject: T | null;
  remove: (subject: T) => Promise<unknown>;
  /** Said when it is gone. */
  done: string;
  /** What it was a part of. */
  stale: QueryKey[];
}

export function ConfirmRemoval<T>({ subject, remove, done, stale, onClose, ...question }: ConfirmRemovalProps<T>) {
  const client = useQueryClient();
  const run = useMutation({
    mutationFn: remove,
    meta: { showsError: true },
    onSuccess: () => {
      notifications.show({ message: done });
      onClose();
    },
    onSettled: () => stale.forEach((queryKey) => void client.invalidateQueries({ queryKey })),
  });
  return (
    <Confirm
      keep="Keep it"
      {...question}
      opened={subject !== null}
      onClose={onClose}
      run={run}
      onConfirm={() => subject !== null && run.mutate(subject)}
    />
  );
}
