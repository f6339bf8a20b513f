// What is done with SSH keys: add, rename, remove.
import { Checkbox, Modal, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { sshKeysQuery } from '@/api/accountQueries';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import type { SshKey } from '@/api/types';
import { ConfirmRemoval } from '@/components/ConfirmRemoval';
import { CommandBox } from '@/components/Copy';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { RenameDialog } from '@/components/RenameDialog';
import { commentOf, isPrivate, publicKeyProblem } from './sshKey';

function nameProblem(name: string): string | null {
  return [...name.trim()].length > 64 ? 'At most 64 characters' : null;
}

export function AddSshKey({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Add an SSH key" size="lg">
      <AddForm onClose={onClose} />
    </Modal>
  );
}

function AddForm({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { public_key: '', name: '', is_default: false },
    validate: { public_key: publicKeyProblem, name: nameProblem },
  });
  const add = useMutation({
    mutationFn: ({ public_key, name, is_default }: typeof form.values) =>
      unwrap(
        api.POST('/api/user/ssh-keys', { body: { public_key: public_key.trim(), name: name.trim() || undefined, is_default } }),
      ),
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), { public_key: 'public_key', name: 'name' })),
    onSuccess: (made) => {
      notifications.show({ message: `${made.name} is added` });
      void client.invalidateQueries({ queryKey: sshKeysQuery.queryKey });
      onClose();
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => add.mutate(values))} aria-label="Add an SSH key" data-testid="ssh-key-form" noValidate>
      <Stack gap="sm">
        <Textarea
          label="Public key"
          placeholder="ssh-ed25519 AAAA… name@host"
          autosize
          minRows={3}
          maxRows={8}
          spellCheck={false}
          autoComplete="off"
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '12.5px', overflowWrap: 'anywhere' } }}
          data-autofocus
          {...form.getInputProps('public_key')}
          onChange={(event) => {
            const pasted = event.currentTarget.value;
            if (isPrivate(pasted)) {
              // It does not stay here either.
              form.setFieldValue('public_key', '');
              form.setFieldError('public_key', publicKeyProblem(pasted));
              return;
            }
            form.setFieldValue('public_key', pasted);
          }}
        />
        <TextInput
          label="Name"
          placeholder={commentOf(form.values.public_key) || 'laptop'}
          description="Left empty, it is what stands behind the key."
          autoComplete="off"
          {...form.getInputProps('name')}
        />
        <Checkbox label="Use it where none is chosen" {...form.getInputProps('is_default', { type: 'checkbox' })} />
        <div>
          <Text size="xs" c="dimmed" mb={4}>
            None yet? This makes one and shows its public half:
          </Text>
          <CommandBox command="ssh-keygen -t ed25519 && cat ~/.ssh/id_ed25519.pub" label="command for a new key" />
        </div>
        <FormError error={add.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={add.isPending}>
          Add the key
        </FormButtons>
      </Stack>
    </form>
  );
}

export function RenameSshKey({ sshKey, onClose }: { sshKey: SshKey | null; onClose: () => void }) {
  return (
    <RenameDialog
      subject={sshKey}
      onClose={onClose}
      title="Rename the key"
      nameOf={({ name }) => name}
      field="name"
      problem={(name) => (name.trim() ? nameProblem(name) : 'A name is needed')}
      save={({ id, version }, name) =>
        unwrap(api.PATCH('/api/user/ssh-keys/{id}', { params: { path: { id } }, headers: { 'If-Match': `"${version}"` }, body: { name } }))
      }
      stale={sshKeysQuery.queryKey}
    />
  );
}

export function RemoveSshKey({ sshKey, onClose }: { sshKey: SshKey | null; onClose: () => void }) {
  return (
    <ConfirmRemoval
      subject={sshKey}
      onClose={onClose}
      title="Remove the SSH key"
      action="Remove"
      remove={({ id }) => unwrap(api.DELETE('/api/user/ssh-keys/{id}', { params: { path: { id } } }))}
      done="The key is removed"
      stale={[sshKeysQuery.queryKey]}
    >
      <b>{sshKey?.name}</b> opens nothing any more. The key itself stays on your computer.
    </ConfirmRemoval>
  );
}
