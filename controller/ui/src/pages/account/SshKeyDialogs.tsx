// What is done with SSH keys: add, rename, remove.
import { Button, Checkbox, Group, Modal, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { sshKeysQuery } from '@/api/accountQueries';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import type { SshKey } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { CommandBox } from '@/components/Copy';
import { FormError } from '@/components/FormError';
import { commentOf, isPrivate, publicKeyProblem } from './sshKey';

function nameProblem(name: string): string | null {
  return [...name.trim()].length > 64 ? 'At most 64 characters' : null;
}

export function AddSshKey({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Add an SSH key" size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
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
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={add.isPending}>
            Add the key
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export function RenameSshKey({ sshKey, onClose }: { sshKey: SshKey | null; onClose: () => void }) {
  return (
    <Modal opened={sshKey !== null} onClose={onClose} title="Rename the key" closeButtonProps={{ 'aria-label': 'Close' }}>
      {sshKey && <RenameForm key={sshKey.id} sshKey={sshKey} onClose={onClose} />}
    </Modal>
  );
}

function RenameForm({ sshKey, onClose }: { sshKey: SshKey; onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: sshKey.name },
    validate: { name: (name) => (name.trim() ? nameProblem(name) : 'A name is needed') },
  });
  const save = useMutation({
    mutationFn: ({ name }: typeof form.values) =>
      unwrap(
        api.PATCH('/api/user/ssh-keys/{id}', {
          params: { path: { id: sshKey.id } },
          headers: { 'If-Match': `"${sshKey.version}"` },
          body: { name: name.trim() },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { name: 'name' }));
      if (problem.status === 409) form.setFieldError('name', problem.message);
    },
    onSuccess: onClose,
    onSettled: () => void client.invalidateQueries({ queryKey: sshKeysQuery.queryKey }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="Rename the key" noValidate>
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

export function RemoveSshKey({ sshKey, onClose }: { sshKey: SshKey | null; onClose: () => void }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: (id: string) => unwrap(api.DELETE('/api/user/ssh-keys/{id}', { params: { path: { id } } })),
    meta: { showsError: true },
    onSuccess: () => {
      notifications.show({ message: 'The key is removed' });
      onClose();
    },
    onSettled: () => void client.invalidateQueries({ queryKey: sshKeysQuery.queryKey }),
  });
  return (
    <Confirm
      opened={sshKey !== null}
      onClose={() => {
        remove.reset();
        onClose();
      }}
      title="Remove the SSH key"
      action="Remove"
      keep="Keep it"
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => sshKey && remove.mutate(sshKey.id)}
    >
      <b>{sshKey?.name}</b> opens nothing any more. The key itself stays on your computer.
    </Confirm>
  );
}
