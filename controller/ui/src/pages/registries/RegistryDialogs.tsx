// A new registry, and what becomes of one that is there. Both are tried before they are kept.
import { Modal, Stack } from '@mantine/core';
import { useForm, type UseFormReturnType } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { IconHandStop } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import { registryQuery } from '@/api/registryQueries';
import type { Registry } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { useShown } from '@/pages/settingsForm';
import { createBody, REGISTRY_FIELDS, registryRules, registryValues, updateBody, type RegistryValues } from './registries';
import { RegistryFields } from './RegistryFields';

/** One that only servers reach is kept: that it was not tried is worth a word. */
function tell({ address, status, status_message }: Registry) {
  if (status === 'ok') notifications.show({ message: `${address} answers and takes the credentials` });
  else notifications.show({ color: 'yellow', title: `${address} is kept`, message: status_message ?? 'It was not tried.', autoClose: 12_000 });
}

function showProblem(form: UseFormReturnType<RegistryValues>, error: unknown) {
  const problem = asApiError(error);
  form.setErrors(fieldMessages(problem, REGISTRY_FIELDS));
  if (problem.status === 409 && problem.fields.length === 0 && problem.code !== 'changed_meanwhile') {
    form.setFieldError('address', problem.message);
  }
}

/** Why it was not kept. */
function Refusal({ error, form }: { error: unknown; form: UseFormReturnType<RegistryValues> }) {
  if (!error || asApiError(error).code !== 'registry_refused') return <FormError error={error} shown={form.errors} />;
  return (
    <Notice tone="bad" icon={<IconHandStop size={18} />} title="Not saved: the registry refuses it" role="alert" testId="registry-refused">
      {asApiError(error).message}
    </Notice>
  );
}

export function NewRegistryDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="New registry" size="lg">
      <NewRegistryForm onClose={onClose} />
    </Modal>
  );
}

function NewRegistryForm({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: registryValues(null),
    validate: registryRules(null),
    // What was refused is not what is asked now.
    onValuesChange: () => create.isError && create.reset(),
  });
  const create = useMutation({
    mutationFn: (values: RegistryValues) => unwrap(api.POST('/api/registries', { body: createBody(values) })),
    meta: { showsError: true },
    onError: (error) => showProblem(form, error),
    onSuccess: (made) => {
      onClose();
      tell(made);
      void client.invalidateQueries({ queryKey: keys.registries });
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => create.mutate(values))} aria-label="New registry" data-testid="registry-form" noValidate>
      <Stack gap="sm">
        <RegistryFields form={form} stored={null} />
        <Refusal error={create.error} form={form} />
        <FormButtons onCancel={onClose} loading={create.isPending} data-testid="save-registry">
          Try and add
        </FormButtons>
      </Stack>
    </form>
  );
}

export function EditRegistryDialog({ registry, onClose }: { registry: Registry | null; onClose: () => void }) {
  return (
    <Modal opened={registry !== null} onClose={onClose} title={`Edit ${registry?.address ?? ''}`} size="lg">
      {registry && <EditRegistryForm key={registry.id} registry={registry} onClose={onClose} />}
    </Modal>
  );
}

function EditRegistryForm({ registry, onClose }: { registry: Registry; onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: registryValues(registry),
    validate: registryRules(registry),
    onValuesChange: () => save.isError && save.reset(),
  });
  const { version, show } = useShown(form, registry, registryValues);
  const save = useMutation({
    mutationFn: (values: RegistryValues) =>
      unwrap(
        api.PATCH('/api/registries/{id}', {
          params: { path: { id: registry.id } },
          headers: { 'If-Match': `"${version}"` },
          body: updateBody(values, form.isDirty),
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      showProblem(form, error);
      if (asApiError(error).status === 412) void client.fetchQuery({ ...registryQuery(registry.id), staleTime: 0 }).then(show);
    },
    onSuccess: (saved) => {
      onClose();
      tell(saved);
    },
    onSettled: () => void client.invalidateQueries({ queryKey: keys.registries }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="Registry" data-testid="registry-form" noValidate>
      <Stack gap="sm">
        <RegistryFields form={form} stored={registry} />
        <Refusal error={save.error} form={form} />
        <FormButtons onCancel={onClose} loading={save.isPending} disabled={!form.isDirty()} data-testid="save-registry">
          Try and save
        </FormButtons>
      </Stack>
    </form>
  );
}
