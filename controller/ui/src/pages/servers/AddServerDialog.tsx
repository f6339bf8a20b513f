import { Button, Group, Modal, Stack, TagsInput, Text, TextInput, Textarea } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import type { InstallCommand, Server } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { labelsFromTags } from '@/lib/labels';
import { nameProblem } from '@/lib/slug';
import { InstallProgress } from './InstallProgress';

export function AddServerDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [made, setMade] = useState<{ server: Server; install: InstallCommand } | null>(null);
  const navigate = useNavigate();
  useEffect(() => {
    if (opened) setMade(null);
  }, [opened]);
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={made ? `Install the agent on ${made.server.name}` : 'Add a server'}
      size={made ? 'lg' : 'md'}
      closeOnClickOutside={!made}
    >
      {made ? (
        <Stack>
          <InstallProgress serverId={made.server.id} install={made.install} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Close
            </Button>
            <Button onClick={() => void navigate({ to: '/servers/$id', params: { id: made.server.id } })}>Open the server</Button>
          </Group>
        </Stack>
      ) : (
        <AddServerForm onMade={setMade} onCancel={onClose} />
      )}
    </Modal>
  );
}

interface AddServerFormProps {
  onMade: (made: { server: Server; install: InstallCommand }) => void;
  onCancel: () => void;
}

function AddServerForm({ onMade, onCancel }: AddServerFormProps) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: '', description: '', labels: [] as string[] },
    validate: { name: nameProblem },
  });
  const create = useMutation({
    mutationFn: (values: typeof form.values) =>
      unwrap(
        api.POST('/api/servers', {
          body: {
            name: values.name.trim(),
            description: values.description.trim() || undefined,
            labels: labelsFromTags(values.labels),
          },
        }),
      ),
    meta: { showsError: true },
    onError: (error) =>
      form.setErrors(fieldMessages(asApiError(error), { name: 'name', description: 'description', labels: 'labels' })),
    onSuccess: (made) => {
      client.setQueryData(keys.server(made.server.id), made.server);
      void client.invalidateQueries({ queryKey: keys.servers });
      onMade(made);
    },
  });
  return (
    <form
      onSubmit={form.onSubmit((values) => create.mutate(values))}
      data-testid="add-server-form"
      aria-label="Add a server"
      noValidate
    >
      <Stack gap="sm">
        <TextInput
          label="Name"
          placeholder="paris-1"
          data-autofocus
          autoComplete="off"
          {...form.getInputProps('name')}
        />
        <Textarea label="Description" autosize minRows={2} maxRows={5} {...form.getInputProps('description')} />
        <TagsInput
          label="Labels"
          description="For searching and grouping, such as region=eu. Enter adds one."
          {...form.getInputProps('labels')}
        />
        {create.error && Object.keys(form.errors).length === 0 && (
          <Text size="sm" c="red" role="alert">
            {asApiError(create.error).message}
          </Text>
        )}
        <FormButtons onCancel={onCancel} loading={create.isPending}>
          Show the install command
        </FormButtons>
      </Stack>
    </form>
  );
}
