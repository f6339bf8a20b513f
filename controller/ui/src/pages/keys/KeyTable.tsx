import { ActionIcon, Menu, Table, Text } from '@mantine/core';
import { IconDots, IconPencil, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { PermissionSummary } from '@/access/PermissionMatrix';
import { useScopes } from '@/access/useScopes';
import { serviceAccountsQuery } from '@/api/identityQueries';
import type { ApiKey } from '@/api/types';
import { ServiceAccountLink } from '@/components/Links';
import { ListTable } from '@/components/ListTable';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { useNow } from '@/lib/now';
import { useSession } from '@/shell/session';
import type { KeyAction } from './KeyDialogs';
import { isLive, stateOfKey } from './keys';

export function KeyTable({ list, ofAccount, onAction }: { list: ApiKey[]; ofAccount?: boolean; onAction: (action: KeyAction) => void }) {
  return (
    <ListTable
      label="API keys"
      columns={[
        { label: 'Name' },
        { label: 'State' },
        { label: 'Permissions', from: 'lg' },
        { label: 'Counts in', from: 'md' },
        { label: 'Expires', from: 'sm' },
        { label: 'Last used', from: 'sm' },
        { label: 'Actions', hiddenLabel: true },
      ]}
    >
      {list.map((key) => (
        <KeyRow key={key.id} apiKey={key} ofAccount={ofAccount ?? false} onAction={onAction} />
      ))}
    </ListTable>
  );
}

function KeyRow({ apiKey, ofAccount, onAction }: { apiKey: ApiKey; ofAccount: boolean; onAction: (action: KeyAction) => void }) {
  const now = useNow();
  const { can } = useSession();
  const { nameOf } = useScopes();
  const live = isLive(apiKey, now);
  const overlap = apiKey.previous_until && Date.parse(apiKey.previous_until) > now ? apiKey.previous_until : null;
  return (
    <Table.Tr data-testid="key-row" data-key={apiKey.name}>
      <Table.Td>
        <Text size="sm" fw={600} c={live ? undefined : 'dimmed'}>
          {apiKey.name}
        </Text>
        <Text size="xs" c="dimmed" component="div">
          <Text span inherit ff="monospace">
            {apiKey.prefix}…
          </Text>
          {!ofAccount && apiKey.service_account_id && (
            <>
              {' '}
              of <AccountName id={apiKey.service_account_id} />
            </>
          )}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusBadge state={stateOfKey(apiKey, now)} />
        {overlap && live && (
          <Text size="xs" c="dimmed">
            old secret ends <TimeAgo at={overlap} />
          </Text>
        )}
      </Table.Td>
      <Table.Td visibleFrom="lg">
        <PermissionSummary permissions={apiKey.permissions} />
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Text size="sm">{nameOf(apiKey.scope)}</Text>
        {apiKey.allowed_addresses.length > 0 && (
          <Text size="xs" c="dimmed" lineClamp={1} title={apiKey.allowed_addresses.join('\n')}>
            from {apiKey.allowed_addresses.join(', ')}
          </Text>
        )}
      </Table.Td>
      <Table.Td visibleFrom="sm">
        {apiKey.revoked_at ? (
          <Text size="sm" c="dimmed">
            revoked <TimeAgo at={apiKey.revoked_at} />
          </Text>
        ) : (
          <TimeAgo at={apiKey.expires_at} />
        )}
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <TimeAgo at={apiKey.last_used_at} />
      </Table.Td>
      <Table.Td ta="right">
        {live && can('manage:api-keys') && (
          <Menu position="bottom-end" width={220}>
            <Menu.Target>
              <ActionIcon color="gray" aria-label={`Actions for ${apiKey.name}`} data-testid="key-actions">
                <IconDots size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item
                leftSection={<IconRefresh size={16} />}
                onClick={() => onAction({ kind: 'rotate', key: apiKey })}
                data-testid="action-rotate"
              >
                Rotate: a new secret
              </Menu.Item>
              <Menu.Item
                leftSection={<IconPencil size={16} />}
                onClick={() => onAction({ kind: 'edit', key: apiKey })}
                data-testid="action-edit"
              >
                Change name and addresses
              </Menu.Item>
              <Menu.Divider />
              <Menu.Item
                color="red"
                leftSection={<IconTrash size={16} />}
                onClick={() => onAction({ kind: 'revoke', key: apiKey })}
                data-testid="action-revoke"
              >
                Revoke
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function AccountName({ id }: { id: string }) {
  const accounts = useQuery({ ...serviceAccountsQuery, retry: false });
  return <ServiceAccountLink id={id}>{accounts.data?.find((account) => account.id === id)?.name ?? 'a service account'}</ServiceAccountLink>;
}
