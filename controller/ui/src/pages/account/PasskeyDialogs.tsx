// What is done with passkeys: add, rename, remove.
import { Modal, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { ApiError, asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import type { Passkey, PasskeyRegistered } from '@/api/types';
import { ConfirmRemoval } from '@/components/ConfirmRemoval';
import { FormButtons } from '@/components/FormButtons';
import { RenameDialog } from '@/components/RenameDialog';
import { deviceOf } from '@/lib/device';
import { createPasskey, passkeyProblem } from '@/lib/webauthn';
import { AccountError } from './AccountError';

function nameProblem(name: string): string | null {
  const length = [...name.trim()].length;
  return length === 0 ? 'A name is needed' : length > 64 ? 'At most 64 characters' : null;
}

export function AddPasskey({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Add a passkey">
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
        <FormButtons onCancel={onClose} loading={add.isPending}>
          Go on
        </FormButtons>
      </Stack>
    </form>
  );
}

export function RenamePasskey({ passkey, onClose }: { passkey: Passkey | null; onClose: () => void }) {
  return (
    <RenameDialog
      subject={passkey}
      onClose={onClose}
      title="Rename the passkey"
      nameOf={({ device_name }) => device_name}
      field="device_name"
      problem={nameProblem}
      save={({ id, version }, device_name) =>
        unwrap(
          api.PATCH('/api/user/passkeys/{id}', { params: { path: { id } }, headers: { 'If-Match': `"${version}"` }, body: { device_name } }),
        )
      }
      stale={keys.account}
    />
  );
}

export function RemovePasskey({ passkey, onClose }: { passkey: Passkey | null; onClose: () => void }) {
  return (
    <ConfirmRemoval
      subject={passkey}
      onClose={onClose}
      title="Remove the passkey"
      action="Remove"
      remove={({ id }) => unwrap(api.DELETE('/api/user/passkeys/{id}', { params: { path: { id } } }))}
      done="The passkey is removed"
      stale={[keys.account]}
    >
      <b>{passkey?.device_name}</b> signs in no longer. Your device still shows it until you delete it there too.
    </ConfirmRemoval>
  );
}
