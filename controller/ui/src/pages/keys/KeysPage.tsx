import { ActionIcon, Button, Group, Modal, Stack, Table, Text, Tooltip } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconKey, IconPlus, IconSearchOff, IconTrash } from '@tabler/icons-react';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { apiKeysQuery, keys } from '@/api/queries';
import type { ApiKey } from '@/api/types';
import { ListTable } from '@/components/ListTable';
import { PageHeader } from '@/components/PageHeader';
import { Pager, usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, ErrorState, LoadingRows } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import type { State } from '@/lib/status';
import { CreateKeyDialog } from './CreateKeyDialog';

function stateOfKey(key: ApiKey): State {
  if (key.revoked_at) return { label: 'Revoked', tone: 'idle' };
  if (key.expires_at && Date.parse(key.expires_at) < Date.now()) return { label: 'Expired', tone: 'warn' };
  return { label: 'Active', tone: 'good' };
}

export default function KeysPage() {
  const { q } = useSearch({ from: '/app/api-keys' });
  const navigate = useNavigate({ from: '/api-keys' });
  const [creating, { open, close }] = useDisclosure();
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const paging = usePaging(q ?? '');
  const list = useQuery({ ...apiKeysQuery({ ...paging.query, q }), placeholderData: keepPreviousData });
  const newButton = (
    <Button leftSection={<IconPlus size={16} />} onClick={open} data-new data-testid="new-key">
      New key
    </Button>
  );
  return (
    <>
      <PageHeader title="API keys" subtitle="For programs that work in your name, with less than you may." actions={newButton} />
      <Panel flush>
        <Group p="sm">
          <SearchInput
            label="Search keys"
            value={q ?? ''}
            onSearch={(next) => void navigate({ search: { q: next || undefined }, replace: true })}
          />
        </Group>
        {list.isPending ? (
          <LoadingRows />
        ) : list.isError ? (
          <ErrorState error={list.error} onRetry={() => void list.refetch()} />
        ) : list.data.data.length === 0 ? (
          q ? (
            <EmptyState icon={<IconSearchOff size={22} />} title="No key matches" text="Try another word." />
          ) : (
            <EmptyState
              icon={<IconKey size={22} />}
              title="No key yet"
              text="Make one for a script or a pipeline, with just the permissions that it needs."
              action={newButton}
            />
          )
        ) : (
          <ListTable
            label="API keys"
            columns={[
              { label: 'Name' },
              { label: 'State' },
              { label: 'Permissions', from: 'md' },
              { label: 'Expires', from: 'sm' },
              { label: 'Last used', from: 'sm' },
              { label: 'Revoke', hiddenLabel: true },
            ]}
          >
            {list.data.data.map((key) => (
              <KeyRow key={key.id} apiKey={key} onRevoke={() => setRevoking(key)} />
            ))}
          </ListTable>
        )}
        <Pager paging={paging} page={list.data} noun="key" />
      </Panel>
      <CreateKeyDialog opened={creating} onClose={close} />
      <RevokeDialog apiKey={revoking} onClose={() => setRevoking(null)} />
    </>
  );
}

function KeyRow({ apiKey, onRevoke }: { apiKey: ApiKey; onRevoke: () => void }) {
  return (
    <Table.Tr data-testid="key-row">
      <Table.Td>
        <Text size="sm" fw={600}>
          {apiKey.name}
        </Text>
        <Text size="xs" c="dimmed" ff="monospace">
          {apiKey.prefix}…
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusBadge state={stateOfKey(apiKey)} />
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Text size="sm" lineClamp={1} maw={320} title={apiKey.permissions.join('\n')}>
          {apiKey.permissions.join(', ')}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <TimeAgo at={apiKey.expires_at} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <TimeAgo at={apiKey.last_used_at} />
      </Table.Td>
      <Table.Td ta="right">
        {!apiKey.revoked_at && (
          <Tooltip label="Revoke">
            <ActionIcon color="red" aria-label={`Revoke ${apiKey.name}`} onClick={onRevoke}>
              <IconTrash size={16} />
            </ActionIcon>
          </Tooltip>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function RevokeDialog({ apiKey, onClose }: { apiKey: ApiKey | null; onClose: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: (id: string) => unwrap(api.DELETE('/api/api-keys/{id}', { params: { path: { id } } })),
    onSuccess: () => {
      notifications.show({ message: 'The key is revoked' });
      void client.invalidateQueries({ queryKey: keys.apiKeys });
      onClose();
    },
  });
  return (
    <Modal opened={apiKey !== null} onClose={onClose} title="Revoke the key" closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack>
        <Text size="sm">
          Whatever uses <b>{apiKey?.name}</b> is refused from now on. A revoked key cannot be brought back.
        </Text>
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Keep it
          </Button>
          <Button
            color="red"
            loading={revoke.isPending}
            onClick={() => apiKey && revoke.mutate(apiKey.id)}
            data-testid="confirm-revoke"
          >
            Revoke
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
