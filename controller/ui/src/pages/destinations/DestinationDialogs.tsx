// A new destination, and what becomes of one that is there. Both are tried before they are kept.
import { Checkbox, Modal, Stack } from '@mantine/core';
import { useForm, type UseFormReturnType } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { IconHandStop } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { destinationQuery } from '@/api/destinationQueries';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import type { Destination } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { useShown } from '@/pages/settingsForm';
import { DestinationFields } from './DestinationFields';
import { createBody, DESTINATION_FIELDS, destinationRules, destinationValues, updateBody, type DestinationValues } from './destinations';

function tell({ name, status }: Destination) {
  if (status === 'ok') notifications.show({ message: `${name} was written to, read and works` });
  else notifications.show({ color: 'yellow', title: `${name} is kept`, message: 'No server is there yet to try it.', autoClose: 12_000 });
}

function showProblem(form: UseFormReturnType<DestinationValues>, error: unknown) {
  const problem = asApiError(error);
  form.setErrors(fieldMessages(problem, DESTINATION_FIELDS));
  if (problem.code === 'destination_exists') form.setFieldError('name', problem.message);
}

/** Why it was not kept. */
function Refusal({ error, form }: { error: unknown; form: UseFormReturnType<DestinationValues> }) {
  if (!error || asApiError(error).status !== 422) return <FormError error={error} shown={form.errors} />;
  return (
    <Notice tone="bad" icon={<IconHandStop size={18} />} title="Not saved: it cannot be used" role="alert" testId="destination-refused">
      {asApiError(error).message}
    </Notice>
  );
}

export function NewDestinationDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="New destination" size="lg">
      <NewDestinationForm onClose={onClose} />
    </Modal>
  );
}

function NewDestinationForm({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [isDefault, setDefault] = useState(true);
  const form = useForm({
    initialValues: destinationValues(null),
    validate: destinationRules(null),
    // What was refused is not what is asked now.
    onValuesChange: () => create.isError && create.reset(),
  });
  const create = useMutation({
    mutationFn: (values: DestinationValues) =>
      unwrap(api.POST('/api/backup-destinations', { body: { ...createBody(values), is_default: isDefault } })),
    meta: { showsError: true },
    onError: (error) => showProblem(form, error),
    onSuccess: (made) => {
      onClose();
      tell(made);
      void client.invalidateQueries({ queryKey: keys.destinations });
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => create.mutate(values))} aria-label="New destination" data-testid="destination-form" noValidate>
      <Stack gap="sm">
        <DestinationFields form={form} stored={null} />
        <Checkbox label="New backups go there" checked={isDefault} onChange={(event) => setDefault(event.currentTarget.checked)} />
        <Refusal error={create.error} form={form} />
        <FormButtons onCancel={onClose} loading={create.isPending} data-testid="save-destination">
          Try and add
        </FormButtons>
      </Stack>
    </form>
  );
}

export function EditDestinationDialog({ destination, onClose }: { destination: Destination | null; onClose: () => void }) {
  return (
    <Modal opened={destination !== null} onClose={onClose} title={`Edit ${destination?.name ?? ''}`} size="lg">
      {destination && <EditDestinationForm key={destination.id} destination={destination} onClose={onClose} />}
    </Modal>
  );
}

function EditDestinationForm({ destination, onClose }: { destination: Destination; onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: destinationValues(destination),
    validate: destinationRules(destination),
    onValuesChange: () => save.isError && save.reset(),
  });
  const { version, show } = useShown(form, destination, destinationValues);
  const save = useMutation({
    mutationFn: (values: DestinationValues) =>
      unwrap(
        api.PATCH('/api/backup-destinations/{id}', {
          params: { path: { id: destination.id } },
          headers: { 'If-Match': `"${version}"` },
          body: updateBody(values, destination),
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      showProblem(form, error);
      if (asApiError(error).status === 412) void client.fetchQuery({ ...destinationQuery(destination.id), staleTime: 0 }).then(show);
    },
    onSuccess: (saved) => {
      onClose();
      tell(saved);
    },
    onSettled: () => void client.invalidateQueries({ queryKey: keys.destinations }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="Destination" data-testid="destination-form" noValidate>
      <Stack gap="sm">
        <DestinationFields form={form} stored={destination} />
        <Refusal error={save.error} form={form} />
        <FormButtons onCancel={onClose} loading={save.isPending} disabled={!form.isDirty()} data-testid="save-destination">
          Try and save
        </FormButtons>
      </Stack>
    </form>
  );
}
