import { ActionIcon, Box, Button, Group, List, Menu, Table, Text } from '@mantine/core';
import { IconDots, IconPackage, IconPencil, IconPlugConnected, IconPlus, IconSearchOff, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { useHeld } from '@/access/useHeld';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import { registriesQuery } from '@/api/registryQueries';
import type { Registry } from '@/api/types';
import { ConfirmRemoval } from '@/components/ConfirmRemoval';
import { ListTable } from '@/components/ListTable';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { RowButton } from '@/components/RowButton';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, Loaded } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { stateOf } from '@/lib/status';
import { consequencesOf, registryState } from './registries';
import { EditRegistryDialog, NewRegistryDialog } from './RegistryDialogs';
import { TestDialog } from './TestDialog';

type Action = { kind: 'edit' | 'test' | 'remove'; id: string };

function remove({ id, version }: Registry) {
  return unwrap(api.DELETE('/api/registries/{id}', { params: { path: { id } }, headers: { 'If-Match': `"${version}"` } }));
}

export default function RegistriesPage() {
  const { q, add } = useSearch({ from: '/app/registries' });
  const navigate = useNavigate({ from: '/registries' });
  const manages = useHeld().everywhere.has('manage:credentials');
  const registries = useQuery(registriesQuery);
  const [action, setAction] = useState<Action | null>(null);
  const setAdding = (adding: boolean) => void navigate({ search: (s) => ({ ...s, add: adding ? 'registry' : undefined }) });
  const close = () => setAction(null);
  const subject = (kind: Action['kind']) =>
    (action?.kind === kind && registries.data?.find(({ id }) => id === action.id)) || null;
  const words = (q ?? '').toLowerCase();
  const newButton = manages && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAdding(true)} data-new data-testid="new-registry">
      New registry
    </Button>
  );
  const removed = subject('remove');
  return (
    <>
      <PageHeader
        title="Registries"
        subtitle="Where images come from. Public ones need no entry here; a private one needs a user and a password."
        actions={newButton}
      />
      <Panel flush>
        <Group p="sm">
          <SearchInput
            label="Search registries"
            value={q ?? ''}
            onSearch={(next) => void navigate({ search: (s) => ({ ...s, q: next || undefined }), replace: true })}
          />
        </Group>
        <Loaded query={registries}>
          {(all) => {
            const shown = all.filter((one) => `${one.address} ${one.description} ${one.username ?? ''} ${one.mirror_of ?? ''}`.toLowerCase().includes(words));
            if (shown.length > 0) {
              return (
                <ListTable
                  label="Registries"
                  columns={[
                    { label: 'Address' },
                    { label: 'State', from: 'sm' },
                    { label: 'User', from: 'sm' },
                    { label: 'Mirror of', from: 'sm' },
                    { label: 'Tried', from: 'md' },
                    { label: 'Actions', hiddenLabel: true },
                  ]}
                >
                  {shown.map((registry) => (
                    <Row
                      key={registry.id}
                      registry={registry}
                      onAction={manages ? (kind) => setAction({ kind, id: registry.id }) : undefined}
                    />
                  ))}
                </ListTable>
              );
            }
            return q ? (
              <EmptyState icon={<IconSearchOff size={22} />} title="No registry matches" text="Try another word." />
            ) : (
              <EmptyState
                icon={<IconPackage size={22} />}
                title="No registry yet"
                text="Images come from Docker Hub, as anybody gets them. Add a registry for images of your own, or a mirror that is asked first."
                action={newButton}
              />
            );
          }}
        </Loaded>
      </Panel>
      <NewRegistryDialog opened={add !== undefined && manages} onClose={() => setAdding(false)} />
      <EditRegistryDialog registry={subject('edit')} onClose={close} />
      <TestDialog registry={subject('test')} onClose={close} />
      <ConfirmRemoval
        subject={removed}
        remove={remove}
        done={`${removed?.address ?? ''} is removed`}
        stale={[keys.registries]}
        title={`Remove ${removed?.address ?? ''}`}
        action="Remove"
        onClose={close}
      >
        {removed && (
          <List size="sm" spacing={4}>
            {consequencesOf(removed).map((text) => (
              <List.Item key={text}>{text}</List.Item>
            ))}
          </List>
        )}
      </ConfirmRemoval>
    </>
  );
}

function RegistryState({ registry: { status, status_message } }: { registry: Registry }) {
  return (
    <>
      <StatusBadge state={stateOf(registryState, status)} title={status_message} />
      {status !== 'ok' && (
        <Text size="xs" c="dimmed" maw={340} lineClamp={2} title={status_message ?? undefined}>
          {status_message}
        </Text>
      )}
    </>
  );
}

function Row({ registry, onAction }: { registry: Registry; onAction?: (kind: Action['kind']) => void }) {
  const { address, description, username, mirror_of, status, checked_at } = registry;
  return (
    <Table.Tr data-testid="registry-row" data-registry={address} data-status={status}>
      <Table.Td style={{ overflowWrap: 'anywhere' }}>
        {onAction ? <RowButton onClick={() => onAction('edit')}>{address}</RowButton> : <b>{address}</b>}
        <Text size="xs" c="dimmed" lineClamp={1}>
          {description}
        </Text>
        <Box hiddenFrom="sm" mt={4}>
          <RegistryState registry={registry} />
        </Box>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <RegistryState registry={registry} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        {username ?? (
          <Text size="sm" c="dimmed" span>
            anybody
          </Text>
        )}
      </Table.Td>
      <Table.Td visibleFrom="sm">{mirror_of ?? '–'}</Table.Td>
      <Table.Td visibleFrom="md">
        <TimeAgo at={checked_at} />
      </Table.Td>
      <Table.Td ta="right">
        {onAction && (
          <Menu position="bottom-end" width={180}>
            <Menu.Target>
              <ActionIcon color="gray" aria-label={`Actions for ${address}`} data-testid="registry-actions">
                <IconDots size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<IconPlugConnected size={16} />} onClick={() => onAction('test')} data-testid="action-test">
                Test
              </Menu.Item>
              <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => onAction('edit')} data-testid="action-edit">
                Edit
              </Menu.Item>
              <Menu.Divider />
              <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => onAction('remove')} data-testid="action-remove">
                Remove
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
