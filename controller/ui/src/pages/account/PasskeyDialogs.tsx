// What is done with passkeys: add, rename, remove.
import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { ApiError, asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import type { Passkey, PasskeyRegistered } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { FormError } from '@/components/FormError';
import { deviceOf } from '@/lib/device';
import { createPasskey, passkeyProblem } from '@/lib/webauthn';
import { AccountError } from './AccountError';

function nameProblem(name: string): string | null {
  const length = [...name.trim()].length;
  return length === 0 ? 'A name is needed' : length > 64 ? 'At most 64 characters' : null;
}

export function AddPasskey({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Add a passkey" closeButtonProps={{ 'aria-label': 'Close' }}>
      <AddForm onClose={onClose} />
    </Modal>
  );
}

async function register(device_name: string): Promise<Passkey> {
  const options = await unwrap(api.POST('/api/user/passkeys/register/begin', { body: { device_name } }));
  let made: PasskeyRegistered;
  try {
    made = await createPasskey(options);
  } catch (error) {
    const problem = passkeyProblem(error);
    throw problem ? new ApiError(-1, 'passkey', problem) : error;
  }
  return unwrap(api.POST('/api/user/passkeys/register/finish', { body: made }));
}

function AddForm({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({ initialValues: { name: deviceOf(navigator.userAgent) }, validate: { name: nameProblem } });
  const add = useMutation({
    mutationFn: ({ name }: typeof form.values) => register(name.trim()),
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), { device_name: 'name' })),
    onSuccess: (passkey) => {
      notifications.show({ color: 'green', message: `${passkey.device_name} signs you in from now on` });
      void client.invalidateQueries({ queryKey: keys.account });
      onClose();
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => add.mutate(values))} aria-label="Add a passkey" data-testid="passkey-form" noValidate>
      <Stack gap="sm">
        <TextInput
          label="Name"
          description="By what you will know it in this list."
          autoComplete="off"
          data-autofocus
          {...form.getInputProps('name')}
        />
        <Text size="xs" c="dimmed">
          Your browser asks next where to keep it: on this device, on a phone, or on a security key.
        </Text>
        <AccountError error={add.error} shown={form.errors} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={add.isPending}>
            Go on
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export function RenamePasskey({ passkey, onClose }: { passkey: Passkey | null; onClose: () => void }) {
  return (
    <Modal opened={passkey !== null} onClose={onClose} title="Rename the passkey" closeButtonProps={{ 'aria-label': 'Close' }}>
      {passkey && <RenameForm key={passkey.id} passkey={passkey} onClose={onClose} />}
    </Modal>
  );
}

function RenameForm({ passkey, onClose }: { passkey: Passkey; onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({ initialValues: { name: passkey.device_name }, validate: { name: nameProblem } });
  const save = useMutation({
    mutationFn: ({ name }: typeof form.values) =>
      unwrap(
        api.PATCH('/api/user/passkeys/{id}', {
          params: { path: { id: passkey.id } },
          headers: { 'If-Match': `"${passkey.version}"` },
          body: { device_name: name.trim() },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), { device_name: 'name' })),
    onSuccess: onClose,
    onSettled: () => void client.invalidateQueries({ queryKey: keys.account }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="Rename the passkey" noValidate>
      <Stack gap="sm">
        <TextInput label="Name" autoComplete="off" data-autofocus {...form.getInputProps('name')} />
        <FormError error={save.error} shown={form.errors} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export function RemovePasskey({ passkey, onClose }: { passkey: Passkey | null; onClose: () => void }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: (id: string) => unwrap(api.DELETE('/api/user/passkeys/{id}', { params: { path: { id } } })),
    meta: { showsError: true },
    onSuccess: () => {
      notifications.show({ message: 'The passkey is removed' });
      void client.invalidateQueries({ queryKey: keys.account });
      onClose();
    },
  });
  return (
    <Confirm
      opened={passkey !== null}
      onClose={() => {
        remove.reset();
        onClose();
      }}
      title="Remove the passkey"
      action="Remove"
      keep="Keep it"
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => passkey && remove.mutate(passkey.id)}
    >
      <b>{passkey?.device_name}</b> signs in no longer. Your device still shows it until you delete it there too.
    </Confirm>
  );
}
