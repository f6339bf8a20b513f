import { Modal, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { filesKey } from '@/api/fileQueries';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { joined, nameProblem, parentOf } from './files';

/** What gets a name: something new in a directory, or what is at a path. */
export type Naming = { what: 'file' | 'directory'; directory: string } | { what: 'rename'; path: string };

const TITLES = { file: 'New file', directory: 'New directory', rename: 'Rename' };

export function NameDialog({ instanceId, naming, onClose, onMade }: { instanceId: string; naming: Naming; onClose: () => void; onMade: (path: string) => void }) {
  const client = useQueryClient();
  const params = { path: { id: instanceId } };
  const before = naming.what === 'rename' ? (naming.path.split('/').pop() ?? '') : '';
  const form = useForm({
    initialValues: { name: before },
    validate: { name: nameProblem },
    onValuesChange: () => run.isError && run.reset(),
  });
  const run = useMutation({
    mutationFn: async (name: string) => {
      if (naming.what === 'rename') {
        const to = joined(parentOf(naming.path), name);
        return unwrap(api.POST('/api/instances/{id}/files/move', { params, body: { from: naming.path, to } }));
      }
      const path = joined(naming.directory, name);
      if (naming.what === 'directory') return unwrap(api.POST('/api/instances/{id}/files/mkdir', { params, body: { path } }));
      return unwrap(
        api.PUT('/api/instances/{id}/files/content', {
          params: { ...params, query: { path } },
          headers: { 'If-None-Match': '*' },
          body: { content: '' },
        }),
      );
    },
    meta: { showsError: true },
    onError: (error) => {
      const { status, message } = asApiError(error);
      if ([400, 409, 412].includes(status)) form.setFieldError('name', message);
    },
    onSuccess: (made) => {
      onClose();
      if (naming.what !== 'rename') onMade(made.path);
    },
    onSettled: () => void client.invalidateQueries({ queryKey: filesKey(instanceId) }),
  });
  return (
    <Modal opened onClose={onClose} title={TITLES[naming.what]}>
      <form onSubmit={form.onSubmit(({ name }) => run.mutate(name.trim()))} aria-label={TITLES[naming.what]} noValidate>
        <Stack gap="sm">
          <TextInput
            label="Name"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            data-autofocus
            data-testid="file-name"
            {...form.getInputProps('name')}
          />
          <FormError error={run.error} shown={form.errors} />
          <FormButtons onCancel={onClose} loading={run.isPending} disabled={!form.isDirty()} data-testid="save-file-name">
            {naming.what === 'rename' ? 'Rename' : 'Make'}
          </FormButtons>
        </Stack>
      </form>
    </Modal>
  );
}
