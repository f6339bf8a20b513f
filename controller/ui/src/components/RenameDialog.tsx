import { Modal, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient, type QueryKey } from '@tanstack/react-query';
import { asApiError, fieldMessages } from '@/api/errors';
import { FormButtons } from './FormButtons';
import { FormError } from './FormError';

interface RenameFormProps {
  title: string;
  name: string;
  /** The API's word for it. */
  field: string;
  problem: (name: string) => string | null;
  save: (name: string) => Promise<unknown>;
  /** What shows the name. */
  stale: QueryKey;
  onClose: () => void;
}

export interface RenameDialogProps<T> extends Omit<RenameFormProps, 'name' | 'save'> {
  /** What is renamed; none: the dialog is closed. */
  subject: T | null;
  nameOf: (subject: T) => string;
  save: (subject: T, name: string) => Promise<unknown>;
}

export function RenameDialog<T extends { id: string }>({ subject, nameOf, save, ...form }: RenameDialogProps<T>) {
  return (
    <Modal opened={subject !== null} onClose={form.onClose} title={form.title}>
      {subject && <RenameForm key={subject.id} {...form} name={nameOf(subject)} save={(name) => save(subject, name)} />}
    </Modal>
  );
}

function RenameForm({ title, name, field, problem, save, stale, onClose }: RenameFormProps) {
  const client = useQueryClient();
  const form = useForm({ initialValues: { name }, validate: { name: problem } });
  const run = useMutation({
    mutationFn: (values: typeof form.values) => save(values.name.trim()),
    meta: { showsError: true },
    onError: (error) => {
      const told = asApiError(error);
      form.setErrors(fieldMessages(told, { [field]: 'name' }));
      if (told.status === 409) form.setFieldError('name', told.message);
    },
    onSuccess: onClose,
    onSettled: () => void client.invalidateQueries({ queryKey: stale }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => run.mutate(values))} aria-label={title} noValidate>
      <Stack gap="sm">
        <TextInput label="Name" autoComplete="off" data-autofocus {...form.getInputProps('name')} />
        <FormError error={run.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={run.isPending} disabled={!form.isDirty()}>
          Save
        </FormButtons>
      </Stack>
    </form>
  );
}
