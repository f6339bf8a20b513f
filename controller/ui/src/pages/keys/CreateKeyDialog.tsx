import { Button, Checkbox, Group, Input, Modal, NativeSelect, ScrollArea, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconEye } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import { CommandBox } from '@/components/Copy';
import { Notice } from '@/components/Notice';
import { humanize } from '@/lib/format';
import { nameProblem } from '@/lib/slug';
import { useSession } from '@/shell/session';
import { groupByResource, toggled } from './permissions';

const EXPIRIES = [
  { value: '30', label: 'In 30 days' },
  { value: '90', label: 'In 90 days' },
  { value: '365', label: 'In a year' },
  { value: '', label: 'Never' },
];

export function CreateKeyDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [secret, setSecret] = useState<string | null>(null);
  useEffect(() => {
    if (opened) setSecret(null);
  }, [opened]);
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      size="lg"
      title={secret ? 'Copy the key now' : 'New API key'}
      closeOnClickOutside={!secret}
      closeOnEscape={!secret}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {secret ? <KeyShown secret={secret} onClose={onClose} /> : <KeyForm onMade={setSecret} onCancel={onClose} />}
    </Modal>
  );
}

function KeyShown({ secret, onClose }: { secret: string; onClose: () => void }) {
  const { organization } = useSession();
  const curl = [
    `curl -fsS ${window.location.origin}/api/servers \\`,
    `  -H 'Authorization: Bearer ${secret}' \\`,
    `  -H 'X-Org-Slug: ${organization.slug}'`,
  ].join('\n');
  return (
    <Stack>
      <Notice tone="warn" icon={<IconEye size={18} />}>
        It is shown this once. The controller keeps only a fingerprint of it.
      </Notice>
      <CommandBox command={secret} label="API key" testId="api-key" />
      <Text size="sm">Try it:</Text>
      <CommandBox command={curl} label="request with the key" />
      <Group justify="flex-end">
        <Button onClick={onClose}>I have copied it</Button>
      </Group>
    </Stack>
  );
}

function KeyForm({ onMade, onCancel }: { onMade: (secret: string) => void; onCancel: () => void }) {
  const client = useQueryClient();
  const { organization } = useSession();
  const groups = useMemo(() => groupByResource(organization.permissions), [organization.permissions]);
  const form = useForm({
    initialValues: { name: '', permissions: [] as string[], days: '90' },
    validate: {
      name: nameProblem,
      permissions: (chosen) => (chosen.length > 0 ? null : 'Choose at least one permission'),
    },
  });
  const create = useMutation({
    mutationFn: ({ name, permissions, days }: typeof form.values) =>
      unwrap(
        api.POST('/api/api-keys', {
          body: {
            name: name.trim(),
            permissions,
            expires_at: days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : undefined,
          },
        }),
      ),
    meta: { showsError: true },
    onError: (error) =>
      form.setErrors(fieldMessages(asApiError(error), { name: 'name', permissions: 'permissions', expires_at: 'days' })),
    onSuccess: ({ key }) => {
      void client.invalidateQueries({ queryKey: keys.apiKeys });
      onMade(key);
    },
  });
  const chosen = form.values.permissions;
  return (
    <form onSubmit={form.onSubmit((values) => create.mutate(values))} data-testid="key-form" aria-label="New API key" noValidate>
      <Stack gap="sm">
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
          <TextInput label="Name" placeholder="Deploy pipeline" data-autofocus {...form.getInputProps('name')} />
          <NativeSelect label="Expires" data={EXPIRIES} {...form.getInputProps('days')} />
        </SimpleGrid>
        <Input.Wrapper
          label="Permissions"
          description="No more than your own. Managing includes viewing."
          error={form.errors.permissions}
        >
          <Group gap="xs" my={6}>
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => form.setFieldValue('permissions', organization.permissions.filter((p) => p.startsWith('view:')))}
            >
              All viewing
            </Button>
            <Button size="compact-xs" variant="default" onClick={() => form.setFieldValue('permissions', [...organization.permissions])}>
              Everything
            </Button>
            <Button size="compact-xs" variant="default" onClick={() => form.setFieldValue('permissions', [])}>
              None
            </Button>
            <Text size="xs" c="dimmed">
              {chosen.length} chosen
            </Text>
          </Group>
          <ScrollArea.Autosize mah={300} type="auto" offsetScrollbars>
            <SimpleGrid cols={{ base: 1, xs: 2, sm: 3 }} spacing="sm" verticalSpacing="md">
              {groups.map(({ resource, permissions }) => (
                <fieldset key={resource} style={{ border: 0, margin: 0, padding: 0 }}>
                  <Text component="legend" size="sm" fw={600} mb={4}>
                    {humanize(resource.replace(/-/g, ' '))}
                  </Text>
                  <Stack gap={6}>
                    {permissions.map((permission) => (
                      <Checkbox
                        key={permission}
                        size="xs"
                        label={humanize(permission.split(':')[0] ?? '')}
                        aria-label={permission}
                        checked={chosen.includes(permission)}
                        onChange={() => form.setFieldValue('permissions', toggled(chosen, permission))}
                      />
                    ))}
                  </Stack>
                </fieldset>
              ))}
            </SimpleGrid>
          </ScrollArea.Autosize>
        </Input.Wrapper>
        {create.error && Object.keys(form.errors).length === 0 && (
          <Text size="sm" c="red" role="alert">
            {asApiError(create.error).message}
          </Text>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create key
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
