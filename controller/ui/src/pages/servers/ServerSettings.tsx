import { Button, Checkbox, Code, Group, Stack, Switch, TagsInput, Text, TextInput, Textarea } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys, serverQuery } from '@/api/queries';
import type { Server } from '@/api/types';
import { ConfirmByName } from '@/components/ConfirmByName';
import { FormButtons } from '@/components/FormButtons';
import { Panel } from '@/components/Panel';
import { plural } from '@/lib/format';
import { labelsFromTags, tagsFromLabels } from '@/lib/labels';
import { nameProblem } from '@/lib/slug';
import { touchedOf, useShown } from '@/pages/settingsForm';
import { InstallProgress } from './InstallProgress';

export function ServerSettings({ server }: { server: Server }) {
  return (
    <Stack gap="md" maw={720}>
      <General server={server} />
      <NewCommand server={server} />
      <Remove server={server} />
    </Stack>
  );
}

function valuesOf({ name, description, labels, schedulable }: Server) {
  return { name, description, labels: tagsFromLabels(labels), schedulable };
}

function General({ server }: { server: Server }) {
  const client = useQueryClient();
  const form = useForm({ initialValues: valuesOf(server), validate: { name: nameProblem } });
  const { version, show } = useShown(form, server, valuesOf);
  const save = useMutation({
    mutationFn: ({ name, description, labels, schedulable }: typeof form.values) =>
      unwrap(
        api.PATCH('/api/servers/{id}', {
          params: { path: { id: server.id } },
          headers: { 'If-Match': `"${version}"` },
          body: touchedOf(
            { name: name.trim(), description: description.trim(), labels: labelsFromTags(labels), schedulable },
            form.isDirty,
          ),
        }),
      ),
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { name: 'name', description: 'description', labels: 'labels' }));
      if (problem.status === 412) void client.fetchQuery({ ...serverQuery(server.id), staleTime: 0 }).then(show);
    },
    onSuccess: (saved) => {
      client.setQueryData(keys.server(server.id), saved);
      void client.invalidateQueries({ queryKey: keys.servers });
      form.resetDirty();
      show(saved);
      notifications.show({ message: 'Saved' });
    },
  });
  return (
    <Panel title="General">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} noValidate>
        <Stack gap="sm">
          <TextInput label="Name" {...form.getInputProps('name')} />
          <Textarea label="Description" autosize minRows={2} {...form.getInputProps('description')} />
          <TagsInput label="Labels" description="Such as region=eu" {...form.getInputProps('labels')} />
          <Switch
            label="Takes new instances"
            description="Those that are there stay."
            {...form.getInputProps('schedulable', { type: 'checkbox' })}
          />
          <FormButtons loading={save.isPending} disabled={!form.isDirty()}>
            Save
          </FormButtons>
        </Stack>
      </form>
    </Panel>
  );
}

function NewCommand({ server }: { server: Server }) {
  const make = useMutation({
    mutationFn: () => unwrap(api.POST('/api/servers/{id}/install-command', { params: { path: { id: server.id } } })),
  });
  return (
    <Panel title="Install command">
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          For a first install, or to install the agent again on a machine that was set up anew. Each command works once and
          for an hour; a new one ends the one before.
        </Text>
        {make.data && <InstallProgress key={make.data.command} serverId={server.id} install={make.data} />}
        <Group>
          <Button variant="default" loading={make.isPending} onClick={() => make.mutate()} data-testid="new-install-command">
            Make a new command
          </Button>
        </Group>
      </Stack>
    </Panel>
  );
}

function Remove({ server }: { server: Server }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [opened, { open, close }] = useDisclosure();
  const [force, setForce] = useState(false);
  const remove = useMutation({
    mutationFn: () =>
      unwrap(api.DELETE('/api/servers/{id}', { params: { path: { id: server.id }, query: force ? { force } : {} } })),
    meta: { showsError: true },
    onSuccess: (accepted) => {
      close();
      void client.invalidateQueries({ queryKey: keys.servers });
      notifications.show({ message: `${server.name} is being removed` });
      void navigate({ to: '/jobs/$id', params: { id: accepted.job_id } });
    },
  });
  const needsForce = server.instances_count > 0 || asApiError(remove.error).status === 409;
  return (
    <Panel title="Remove">
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          The agent uninstalls itself and its certificate is revoked. When the server cannot be reached, run{' '}
          <Code>ocore-agent uninstall</Code> on it.
        </Text>
        <Group>
          <Button color="red" variant="light" onClick={open} data-testid="remove-server">
            Remove this server
          </Button>
        </Group>
      </Stack>
      <ConfirmByName
        opened={opened}
        onClose={close}
        title={`Remove ${server.name}`}
        name={server.name}
        losses={[
          'The server, its events and its metrics disappear from oCore.',
          server.instances_count > 0
            ? `${plural(server.instances_count, 'instance')} on it can no longer be managed; containers and data stay on the machine.`
            : 'Containers that oCore does not manage stay as they are.',
        ]}
        action="Remove the server"
        run={remove}
        onConfirm={() => remove.mutate()}
      >
        {needsForce && (
          <Checkbox
            label={`Remove although ${plural(server.instances_count, 'instance')} remain`}
            checked={force}
            onChange={(event) => setForce(event.currentTarget.checked)}
            data-testid="force"
          />
        )}
      </ConfirmByName>
    </Panel>
  );
}
