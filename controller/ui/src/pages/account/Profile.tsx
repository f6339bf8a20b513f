import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys, userQuery } from '@/api/queries';
import type { Account } from '@/api/types';
import { FormError } from '@/components/FormError';
import { FactList, Panel } from '@/components/Panel';
import { TimeAgo } from '@/components/Time';
import { touchedOf, useShown } from '@/pages/settingsForm';
import { CloseAccount } from './CloseAccount';
import { EmailDialog } from './EmailDialog';
import { Organizations } from './Organizations';
import { useUser } from './useUser';

export function Profile() {
  const user = useUser();
  return (
    <Stack gap="md" maw={760}>
      <Person user={user} />
      <Address user={user} />
      <Organizations user={user} />
      <CloseAccount user={user} />
    </Stack>
  );
}

function valuesOf({ name, default_organization_id }: Account) {
  return { name, default_organization_id };
}

function Person({ user }: { user: Account }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: valuesOf(user),
    validate: {
      name: (name) => {
        const length = [...name.trim()].length;
        return length === 0 ? 'Your name is needed' : length > 100 ? 'At most 100 characters' : null;
      },
    },
  });
  const { version, show } = useShown(form, user, valuesOf);
  const save = useMutation({
    mutationFn: ({ name, default_organization_id }: typeof form.values) =>
      unwrap(
        api.PATCH('/api/user', {
          headers: { 'If-Match': `"${version}"` },
          body: touchedOf({ name: name.trim(), default_organization_id }, form.isDirty),
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { name: 'name', default_organization_id: 'default_organization_id' }));
      if (problem.status === 412) void client.fetchQuery({ ...userQuery, staleTime: 0 }).then(show);
    },
    onSuccess: (saved) => {
      client.setQueryData(userQuery.queryKey, saved);
      void client.invalidateQueries({ queryKey: keys.account });
      form.resetDirty();
      show(saved);
      notifications.show({ message: 'Saved' });
    },
  });
  return (
    <Panel title="Profile">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="Profile" data-testid="profile-form" noValidate>
        <Stack gap="sm">
          <TextInput label="Name" autoComplete="name" {...form.getInputProps('name')} />
          {user.organizations.length > 1 && (
            <Select
              label="Where the console begins"
              description="In a browser that remembers none. Programs that name no organization get it too."
              placeholder="The first one"
              clearable
              data={user.organizations.map(({ id, name }) => ({ value: id, label: name }))}
              {...form.getInputProps('default_organization_id')}
            />
          )}
          <FormError error={save.error} shown={form.errors} />
          <Group justify="space-between">
            <Text size="xs" c="dimmed">
              Member since <TimeAgo at={user.created_at} />
            </Text>
            <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}

function Address({ user }: { user: Account }) {
  const [opened, { open, close }] = useDisclosure();
  return (
    <Panel
      title="Address"
      aside={
        <Button size="xs" variant="default" onClick={open} data-testid="change-email">
          Change
        </Button>
      }
    >
      <FactList facts={[['E-mail', user.email]]} />
      <Text size="xs" c="dimmed" mt={6}>
        You sign in with it, and mail goes there.
      </Text>
      <EmailDialog opened={opened} onClose={close} user={user} />
    </Panel>
  );
}
