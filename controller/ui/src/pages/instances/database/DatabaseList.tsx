import { ActionIcon, Badge, Button, Group, Menu, Modal, Stack, Table, Text, TextInput } from '@mantine/core';
import { IconCopy, IconDots, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { databaseListQuery } from '@/api/databaseQueries';
import { asApiError, fieldMessages } from '@/api/errors';
import type { DatabaseEntry, Instance } from '@/api/types';
import { ConfirmByName } from '@/components/ConfirmByName';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { ListTable } from '@/components/ListTable';
import { Panel } from '@/components/Panel';
import { Loaded } from '@/components/States';
import { formatBytes } from '@/lib/format';
import { useStale } from '../useStale';
import { useForm } from '@mantine/form';
import { databaseNameProblem } from './database';

type Naming = { what: 'create' } | { what: 'duplicate' | 'rename'; name: string };

/** All databases of an instance's PostgreSQL; the one that Odoo serves is left alone here. */
export function DatabaseList({ instance, editable }: { instance: Instance; editable: boolean }) {
  const [naming, setNaming] = useState<Naming | null>(null);
  const [dropping, setDropping] = useState<DatabaseEntry | null>(null);
  const list = useQuery(databaseListQuery(instance.id, true));
  return (
    <Panel
      title="All databases"
      flush
      aside={
        editable && (
          <Button size="xs" variant="default" leftSection={<IconPlus size={15} />} onClick={() => setNaming({ what: 'create' })} data-testid="new-database">
            New
          </Button>
        )
      }
    >
      <Loaded query={list} rows={3}>
        {({ data }) => (
          <ListTable
            label="Databases"
            columns={[
              { label: 'Name' },
              { label: 'Size' },
              { label: 'Connections', from: 'xs' },
              { label: 'Owner', from: 'sm' },
              { label: 'Actions', hiddenLabel: true },
            ]}
          >
            {data.map((entry) => (
              <Table.Tr key={entry.name} data-database={entry.name}>
                <Table.Td>
                  <Group gap="xs">
                    {entry.name}
                    {entry.is_own && <Badge size="sm">Odoo serves it</Badge>}
                    {entry.is_reserved && (
                      <Badge size="sm" color="gray">
                        PostgreSQL’s own
                      </Badge>
                    )}
                  </Group>
                </Table.Td>
                <Table.Td className="numbers">{formatBytes(entry.size_bytes)}</Table.Td>
                <Table.Td visibleFrom="xs" className="numbers">
                  {entry.connections}
                </Table.Td>
                <Table.Td visibleFrom="sm">{entry.owner}</Table.Td>
                <Table.Td ta="right">
                  {editable && !entry.is_reserved && <Actions entry={entry} onName={setNaming} onDrop={() => setDropping(entry)} />}
                </Table.Td>
              </Table.Tr>
            ))}
          </ListTable>
        )}
      </Loaded>
      {naming && <NameDialog key={naming.what} instanceId={instance.id} naming={naming} onClose={() => setNaming(null)} />}
      <DropDialog instanceId={instance.id} entry={dropping} onClose={() => setDropping(null)} />
    </Panel>
  );
}

function Actions({ entry, onName, onDrop }: { entry: DatabaseEntry; onName: (naming: Naming) => void; onDrop: () => void }) {
  const { name, is_own } = entry;
  return (
    <Menu position="bottom-end" width={190}>
      <Menu.Target>
        <ActionIcon color="gray" aria-label={`Actions for ${name}`} data-testid="database-actions">
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconCopy size={16} />} onClick={() => onName({ what: 'duplicate', name })}>
          Duplicate
        </Menu.Item>
        <Menu.Item leftSection={<IconPencil size={16} />} disabled={is_own} onClick={() => onName({ what: 'rename', name })}>
          Rename
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item color="red" leftSection={<IconTrash size={16} />} disabled={is_own} onClick={onDrop}>
          Drop
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

const TITLES = { create: 'New database', duplicate: 'Duplicate', rename: 'Rename' };

function NameDialog({ instanceId, naming, onClose }: { instanceId: string; naming: Naming; onClose: () => void }) {
  const onSettled = useStale(instanceId);
  const old = naming.what === 'create' ? null : naming.name;
  const form = useForm({
    initialValues: { name: old ? `${old}-2` : '' },
    validate: { name: databaseNameProblem },
    onValuesChange: () => run.isError && run.reset(),
  });
  const run = useMutation({
    mutationFn: async ({ name }: typeof form.values): Promise<unknown> =>
      naming.what === 'rename'
        ? unwrap(
            api.PATCH('/api/instances/{id}/database/databases/{name}', {
              params: { path: { id: instanceId, name: naming.name } },
              body: { name: name.trim() },
            }),
          )
        : unwrap(
            api.POST('/api/instances/{id}/database/databases', { params: { path: { id: instanceId } }, body: { name: name.trim(), from: old } }),
          ),
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), { name: 'name' })),
    onSuccess: () => {
      onClose();
      window.scrollTo({ top: 0 });
    },
    onSettled,
  });
  return (
    <Modal opened onClose={onClose} title={old ? `${TITLES[naming.what]} ${old}` : TITLES.create}>
      <form onSubmit={form.onSubmit((values) => run.mutate(values))} aria-label={TITLES[naming.what]} noValidate>
        <Stack gap="sm">
          {naming.what === 'duplicate' && (
            <Text size="sm" c="dimmed">
              Connections to {old} are cut for the moment of copying. Odoo’s files are not copied with it.
            </Text>
          )}
          <TextInput label="Name" data-autofocus autoComplete="off" spellCheck={false} data-testid="database-name" {...form.getInputProps('name')} />
          <FormError error={run.error} shown={form.errors} />
          <FormButtons onCancel={onClose} loading={run.isPending} data-testid="save-database">
            {naming.what === 'create' ? 'Make it' : TITLES[naming.what]}
          </FormButtons>
        </Stack>
      </form>
    </Modal>
  );
}

function DropDialog({ instanceId, entry, onClose }: { instanceId: string; entry: DatabaseEntry | null; onClose: () => void }) {
  const onSettled = useStale(instanceId);
  const drop = useMutation({
    mutationFn: (name: string) =>
      unwrap(
        api.DELETE('/api/instances/{id}/database/databases/{name}', {
          params: { path: { id: instanceId, name }, query: { confirm: name } },
        }),
      ),
    meta: { showsError: true },
    onSuccess: onClose,
    onSettled,
  });
  return (
    <ConfirmByName
      opened={entry !== null}
      title={`Drop ${entry?.name ?? ''}`}
      name={entry?.name ?? ''}
      losses={[`Everything in the database ${entry?.name ?? ''}, ${formatBytes(entry?.size_bytes)}`]}
      action="Drop it"
      run={drop}
      onClose={onClose}
      onConfirm={() => entry && drop.mutate(entry.name)}
    />
  );
}
