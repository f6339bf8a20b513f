// What is done with a key that is there: rotate, change, revoke.
import { Modal, NativeSelect, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import type { ApiKey, ApiKeyCreated } from '@/api/types';
import { ConfirmRemoval } from '@/components/ConfirmRemoval';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { nameProblem } from '@/lib/slug';
import { addressProblem } from './keys';
import { KeyShown } from './KeyShown';

export interface KeyAction {
  kind: 'rotate' | 'edit' | 'revoke';
  key: ApiKey;
}

export function KeyDialogs({ action, onClose }: { action: KeyAction | null; onClose: () => void }) {
  const of = (kind: KeyAction['kind']) => (action?.kind === kind ? action.key : null);
  return (
    <>
      <RotateDialog apiKey={of('rotate')} onClose={onClose} />
      <EditDialog apiKey={of('edit')} onClose={onClose} />
      <RevokeDialog apiKey={of('revoke')} onClose={onClose} />
    </>
  );
}

const GRACES = [
  { value: '0', label: 'Ends at once' },
  { value: '3600', label: 'Works for another hour' },
  { value: '86400', label: 'Works for another day' },
  { value: '604800', label: 'Works for another week' },
];

function ifMatch({ version }: ApiKey) {
  return { 'If-Match': `"${version}"` };
}

function RotateDialog({ apiKey, onClose }: { apiKey: ApiKey | null; onClose: () => void }) {
  const [made, setMade] = useState<ApiKeyCreated | null>(null);
  const close = () => {
    onClose();
    setMade(null);
  };
  return (
    <Modal
      opened={apiKey !== null}
      onClose={close}
      size={made ? 'lg' : 'md'}
      title={made ? 'Copy the key now' : `A new secret for ${apiKey?.name ?? ''}`}
      closeOnClickOutside={!made}
      closeOnEscape={!made}
    >
      {made ? <KeyShown made={made} onClose={close} /> : apiKey && <RotateForm apiKey={apiKey} onMade={setMade} onCancel={close} />}
    </Modal>
  );
}

function RotateForm({ apiKey, onMade, onCancel }: { apiKey: ApiKey; onMade: (made: ApiKeyCreated) => void; onCancel: () => void }) {
  const client = useQueryClient();
  const [grace, setGrace] = useState('86400');
  const rotate = useMutation({
    mutationFn: () =>
      unwrap(
        api.POST('/api/api-keys/{id}/rotate', {
          params: { path: { id: apiKey.id } },
          headers: ifMatch(apiKey),
          body: { grace_seconds: Number(grace) },
        }),
      ),
    meta: { showsError: true },
    onSuccess: onMade,
    onSettled: () => void client.invalidateQueries({ queryKey: keys.apiKeys }),
  });
  return (
    <Stack>
      <Text size="sm">Name, permissions and end stay. Put the new secret where the old one is used before that ends.</Text>
      <NativeSelect label="The secret that is used now" data={GRACES} value={grace} onChange={(event) => setGrace(event.currentTarget.value)} />
      <FormError error={rotate.error} />
      <FormButtons onCancel={onCancel} color={grace === '0' ? 'red' : undefined} loading={rotate.isPending} onClick={() => rotate.mutate()} data-testid="confirm-rotate">
        Make a new secret
      </FormButtons>
    </Stack>
  );
}

function EditDialog({ apiKey, onClose }: { apiKey: ApiKey | null; onClose: () => void }) {
  return (
    <Modal opened={apiKey !== null} onClose={onClose} title="Change the key">
      {apiKey && <EditForm key={apiKey.id} apiKey={apiKey} onClose={onClose} />}
    </Modal>
  );
}

function EditForm({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: apiKey.name, addresses: apiKey.allowed_addresses },
    validate: { name: nameProblem, addresses: addressProblem },
  });
  const save = useMutation({
    mutationFn: ({ name, addresses }: typeof form.values) =>
      unwrap(
        api.PATCH('/api/api-keys/{id}', {
          params: { path: { id: apiKey.id } },
          headers: ifMatch(apiKey),
          body: { name: name.trim(), allowed_addresses: addresses.map((text) => text.trim()) },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(
        fieldMessages(problem, {
          name: 'name',
          allowed_addresses: 'addresses',
          ...Object.fromEntries(form.values.addresses.map((_, i) => [`allowed_addresses[${i}]`, 'addresses'])),
        }),
      );
    },
    onSuccess: () => {
      notifications.show({ message: 'Saved' });
      onClose();
    },
    onSettled: () => void client.invalidateQueries({ queryKey: keys.apiKeys }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="Change the key" noValidate>
      <Stack gap="sm">
        <TextInput label="Name" data-autofocus autoComplete="off" {...form.getInputProps('name')} />
        <TagsInput
          label="May be used from"
          description="Addresses and networks. From everywhere when left empty."
          splitChars={[',', ' ']}
          {...form.getInputProps('addresses')}
        />
        <Text size="xs" c="dimmed">
          Permissions, scope and end are fixed once a key is made. To have others, make another key.
        </Text>
        <FormError error={save.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={save.isPending} disabled={!form.isDirty()}>
          Save
        </FormButtons>
      </Stack>
    </form>
  );
}

function RevokeDialog({ apiKey, onClose }: { apiKey: ApiKey | null; onClose: () => void }) {
  return (
    <ConfirmRemoval
      subject={apiKey}
      onClose={onClose}
      title="Revoke the key"
      action="Revoke"
      remove={({ id }) => unwrap(api.DELETE('/api/api-keys/{id}', { params: { path: { id } } }))}
      done="The key is revoked"
      stale={[keys.apiKeys, keys.serviceAccounts]}
    >
      Whatever uses <b>{apiKey?.name}</b> is refused from now on. A revoked key cannot be brought back.
    </ConfirmRemoval>
  );
}
