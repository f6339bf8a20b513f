import { ActionIcon, Badge, Box, Button, Group, List, Menu, Table, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconArchive, IconDots, IconPencil, IconPlugConnected, IconPlus, IconSearchOff, IconStar, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { useHeld } from '@/access/useHeld';
import { api, unwrap } from '@/api/client';
import { destinationsQuery } from '@/api/destinationQueries';
import { keys } from '@/api/queries';
import type { Destination } from '@/api/types';
import { ConfirmRemoval } from '@/components/ConfirmRemoval';
import { ListTable } from '@/components/ListTable';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { RowButton } from '@/components/RowButton';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, Loaded } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { formatBytes } from '@/lib/format';
import { stateOf } from '@/lib/status';
import { consequencesOf, destinationState, ENCRYPTIONS, KINDS, placeText } from './destinations';
import { EditDestinationDialog, NewDestinationDialog } from './DestinationDialogs';

type Action = { kind: 'edit' | 'remove'; id: string };
type Act = (kind: Action['kind'] | 'test' | 'activate') => void;

function remove({ id, version }: Destination) {
  return unwrap(api.DELETE('/api/backup-destinations/{id}', { params: { path: { id } }, headers: { 'If-Match': `"${version}"` } }));
}

export default function DestinationsPage() {
  const { q, add } = useSearch({ from: '/app/backup-destinations' });
  const navigate = useNavigate({ from: '/backup-destinations' });
  const client = useQueryClient();
  const manages = useHeld().everywhere.has('manage:backups');
  const destinations = useQuery(destinationsQuery);
  const [action, setAction] = useState<Action | null>(null);
  const setAdding = (adding: boolean) => void navigate({ search: (s) => ({ ...s, add: adding ? 'destination' : undefined }) });
  const close = () => setAction(null);
  const onSettled = () => void client.invalidateQueries({ queryKey: keys.destinations });
  const test = useMutation({
    mutationFn: ({ id }: Destination) => unwrap(api.POST('/api/backup-destinations/{id}/test', { params: { path: { id } } })),
    onSuccess: ({ name, status, problem }) => {
      if (status === 'failed') notifications.show({ color: 'red', title: `${name} fails`, message: problem?.message, autoClose: 12_000 });
      else notifications.show({ message: status === 'ok' ? `${name} was written to, read and works` : `No server is there to try ${name}` });
    },
    onSettled,
  });
  const activate = useMutation({
    mutationFn: ({ id, version }: Destination) =>
      unwrap(api.POST('/api/backup-destinations/{id}/activate', { params: { path: { id } }, headers: { 'If-Match': `"${version}"` } })),
    onSuccess: ({ name }) => notifications.show({ message: `New backups go to ${name}` }),
    onSettled,
  });
  const subject = (kind: Action['kind']) =>
    (action?.kind === kind && destinations.data?.find(({ id }) => id === action.id)) || null;
  const words = (q ?? '').toLowerCase();
  const newButton = manages && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAdding(true)} data-new data-testid="new-destination">
      New destination
    </Button>
  );
  const removed = subject('remove');
  return (
    <>
      <PageHeader
        title="Backup destinations"
        subtitle="Where backups are kept. Servers reach them themselves; nothing passes through the controller."
        actions={newButton}
      />
      {destinations.data && !destinations.data.some((one) => one.is_off_site) && (
        <Notice tone="warn" title="No destination outlives the servers" icon={<IconArchive size={18} />} testId="no-off-site">
          What is kept on a server’s own disk is lost with it. Add a bucket or an SSH server that is somewhere else.
        </Notice>
      )}
      <Panel flush>
        <Group p="sm">
          <SearchInput
            label="Search destinations"
            value={q ?? ''}
            onSearch={(next) => void navigate({ search: (s) => ({ ...s, q: next || undefined }), replace: true })}
          />
        </Group>
        <Loaded query={destinations}>
          {(all) => {
            const shown = all.filter((one) => `${one.name} ${placeText(one.config)}`.toLowerCase().includes(words));
            if (shown.length === 0) {
              return <EmptyState icon={<IconSearchOff size={22} />} title="No destination matches" text="Try another word." />;
            }
            return (
              <ListTable
                label="Backup destinations"
                columns={[
                  { label: 'Name' },
                  { label: 'State', from: 'sm' },
                  { label: 'Place', from: 'md' },
                  { label: 'Encryption', from: 'md' },
                  { label: 'Tried', from: 'md' },
                  { label: 'Actions', hiddenLabel: true },
                ]}
              >
                {shown.map((destination) => {
                  const act: Act = (kind) => {
                    if (kind === 'test') test.mutate(destination);
                    else if (kind === 'activate') activate.mutate(destination);
                    else setAction({ kind, id: destination.id });
                  };
                  const busy = test.isPending && test.variables.id === destination.id;
                  return <Row key={destination.id} destination={destination} busy={busy} onAction={manages ? act : undefined} />;
                })}
              </ListTable>
            );
          }}
        </Loaded>
      </Panel>
      <NewDestinationDialog opened={add !== undefined && manages} onClose={() => setAdding(false)} />
      <EditDestinationDialog destination={subject('edit')} onClose={close} />
      <ConfirmRemoval
        subject={removed}
        remove={remove}
        done={`${removed?.name ?? ''} is removed`}
        stale={[keys.destinations]}
        title={`Remove ${removed?.name ?? ''}`}
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

function DestinationState({ destination: { status, problem, free_bytes } }: { destination: Destination }) {
  return (
    <>
      <StatusBadge state={stateOf(destinationState, status)} title={problem?.message} />
      {problem && (
        <Text size="xs" c="dimmed" maw={340} lineClamp={3} title={problem.message}>
          {problem.message}
        </Text>
      )}
      {!problem && free_bytes != null && (
        <Text size="xs" c="dimmed">
          {formatBytes(free_bytes)} free
        </Text>
      )}
    </>
  );
}

function Row({ destination, busy, onAction }: { destination: Destination; busy: boolean; onAction?: Act }) {
  const { name, config, encryption, is_default, status, checked_at } = destination;
  return (
    <Table.Tr data-testid="destination-row" data-destination={name} data-status={status}>
      <Table.Td style={{ overflowWrap: 'anywhere' }}>
        <Group gap={6}>
          {onAction ? <RowButton onClick={() => onAction('edit')}>{name}</RowButton> : <b>{name}</b>}
          {is_default && (
            <Badge color="gray" tt="none" data-testid="default">
              default
            </Badge>
          )}
        </Group>
        <Text size="xs" c="dimmed" hiddenFrom="md">
          {placeText(config)}
        </Text>
        <Box hiddenFrom="sm" mt={4}>
          <DestinationState destination={destination} />
        </Box>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <DestinationState destination={destination} />
      </Table.Td>
      <Table.Td visibleFrom="md" style={{ overflowWrap: 'anywhere' }}>
        {KINDS.find(({ value }) => value === config.kind)?.label}
        <Text size="xs" c="dimmed">
          {placeText(config)}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md">{ENCRYPTIONS.find(({ value }) => value === encryption)?.label}</Table.Td>
      <Table.Td visibleFrom="md">
        <TimeAgo at={checked_at} />
      </Table.Td>
      <Table.Td ta="right">
        {onAction && (
          <Menu position="bottom-end" width={200}>
            <Menu.Target>
              <ActionIcon color="gray" loading={busy} aria-label={`Actions for ${name}`} data-testid="destination-actions">
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
              {!is_default && (
                <Menu.Item leftSection={<IconStar size={16} />} onClick={() => onAction('activate')} data-testid="action-activate">
                  Make it the default
                </Menu.Item>
              )}
              <Menu.Divider />
              <Menu.Item
                color="red"
                leftSection={<IconTrash size={16} />}
                disabled={is_default}
                title={is_default ? 'New backups go there; make another one the default first' : undefined}
                onClick={() => onAction('remove')}
                data-testid="action-remove"
              >
                Remove
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
