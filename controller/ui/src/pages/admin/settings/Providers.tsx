// Who else vouches for people: GitHub, Google, or any OpenID Connect issuer.
import { ActionIcon, Button, Group, Menu, Table, Text } from '@mantine/core';
import { IconDots, IconFingerprint, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import type { OAuthView, SettingsView } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { CopyButton } from '@/components/Copy';
import { ListTable } from '@/components/ListTable';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { ProviderDialog } from './ProviderDialog';
import { kindName, providersWith, redirectUrl } from './settings';
import { useSaveSettings } from './useSaveSettings';

export function Providers({ settings }: { settings: SettingsView }) {
  const [editing, setEditing] = useState<OAuthView | 'new' | null>(null);
  const [removing, setRemoving] = useState<OAuthView | null>(null);
  const remove = useSaveSettings({ version: settings.version, onSaved: () => setRemoving(null) });
  const add = (
    <Button size="xs" variant="default" leftSection={<IconPlus size={15} />} onClick={() => setEditing('new')} data-testid="new-provider">
      Add a provider
    </Button>
  );
  return (
    <Panel title="Providers" aside={settings.oauth.length > 0 && add} flush>
      {settings.oauth.length === 0 ? (
        <EmptyState
          icon={<IconFingerprint size={22} />}
          title="Passwords and passkeys only"
          text="Let people sign in with GitHub, Google or your company's OpenID Connect as well."
          action={add}
        />
      ) : (
        <ListTable label="Providers" columns={[{ label: 'Name' }, { label: 'Redirect URL', from: 'sm' }, { label: 'Actions', hiddenLabel: true }]}>
          {settings.oauth.map((provider) => (
            <Row key={provider.id} provider={provider} onEdit={() => setEditing(provider)} onRemove={() => setRemoving(provider)} />
          ))}
        </ListTable>
      )}
      <ProviderDialog settings={settings} editing={editing} onClose={() => setEditing(null)} />
      <Confirm
        opened={removing !== null}
        onClose={() => setRemoving(null)}
        title="Remove the provider"
        action="Remove"
        keep="Keep it"
        run={remove}
        onConfirm={() => removing && remove.mutate({ oauth: providersWith(settings.oauth, removing, null) })}
      >
        Nobody signs in with <b>{removing?.name}</b> any more. Who has no password and no passkey needs a link for a password from
        you. Its client secret is forgotten.
      </Confirm>
    </Panel>
  );
}

function Row({ provider, onEdit, onRemove }: { provider: OAuthView; onEdit: () => void; onRemove: () => void }) {
  const url = redirectUrl(window.location.origin, provider.id);
  return (
    <Table.Tr data-testid="provider-row" data-id={provider.id}>
      <Table.Td>
        <Text size="sm" fw={600}>
          {provider.name}
        </Text>
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {kindName(provider.kind)}
          {provider.issuer && ` · ${provider.issuer}`}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Group gap={2} wrap="nowrap">
          <Text size="xs" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
            {url}
          </Text>
          <CopyButton value={url} label="Copy the redirect URL" />
        </Group>
      </Table.Td>
      <Table.Td ta="right">
        <Menu position="bottom-end" width={180}>
          <Menu.Target>
            <ActionIcon color="gray" aria-label={`Actions for ${provider.name}`}>
              <IconDots size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item leftSection={<IconPencil size={16} />} onClick={onEdit}>
              Change
            </Menu.Item>
            <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={onRemove}>
              Remove
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Table.Td>
    </Table.Tr>
  );
}
