import { ActionIcon, Badge, Box, Checkbox, Group, Menu, Table, Text } from '@mantine/core';
import { IconArrowUp, IconDots, IconDownload, IconTrash } from '@tabler/icons-react';
import type { ModuleInfo } from '@/api/types';
import { RowButton } from '@/components/RowButton';
import { StatusBadge } from '@/components/StatusBadge';
import { isInstallable, isInstalled, isRemovable, isUpdatable, stateOfModule, type Change } from './modules';

export interface ModuleRowProps {
  module: ModuleInfo;
  chosen: boolean;
  onChoose?: (on: boolean) => void;
  onOpen: () => void;
  onChange?: (change: Change) => void;
}

export function ModuleRow({ module, chosen, onChoose, onOpen, onChange }: ModuleRowProps) {
  const { name, title, author, installed_version, available_version, needs_update, application, on_disk } = module;
  const other = isInstalled(module) && available_version != null && available_version !== installed_version;
  return (
    <Table.Tr data-testid="module-row" data-module={name} data-state={module.state} data-needs-update={needs_update || undefined}>
      <Table.Td>
        <Group gap="sm" wrap="nowrap" align="flex-start">
          {onChoose && (
            <Checkbox size="xs" mt={3} aria-label={`Choose ${name}`} checked={chosen} onChange={(event) => onChoose(event.currentTarget.checked)} />
          )}
          <div style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
            <Group gap={6}>
              <RowButton onClick={onOpen} testId="open-module">
                {title ?? name}
              </RowButton>
              {application && (
                <Badge size="xs" color="gray">
                  app
                </Badge>
              )}
            </Group>
            {title && (
              <Text size="xs" c="dimmed" ff="monospace">
                {name}
              </Text>
            )}
            <Box hiddenFrom="sm" mt={4}>
              <ModuleState module={module} />
              {needs_update && (
                <Text size="xs" c="dimmed" className="numbers">
                  {other ? `${installed_version} → ${available_version}` : 'other files on disk'}
                </Text>
              )}
            </Box>
          </div>
        </Group>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <ModuleState module={module} />
      </Table.Td>
      <Table.Td visibleFrom="sm" className="numbers">
        {installed_version ?? <Nothing />}
      </Table.Td>
      <Table.Td visibleFrom="sm" className="numbers">
        <Text size="sm" span fw={other ? 600 : undefined}>
          {available_version ?? (on_disk ? 'without a version' : <Nothing text="no files" />)}
        </Text>
        {needs_update && !other && (
          <Text size="xs" c="dimmed">
            other files
          </Text>
        )}
      </Table.Td>
      <Table.Td visibleFrom="lg">
        <Text size="sm" lineClamp={1} title={author ?? undefined}>
          {author ?? '–'}
        </Text>
      </Table.Td>
      <Table.Td ta="right">
        {onChange && (
          <Menu position="bottom-end" width={170}>
            <Menu.Target>
              <ActionIcon color="gray" aria-label={`Actions for ${name}`} data-testid="module-actions">
                <IconDots size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              {!isInstalled(module) && (
                <Menu.Item
                  leftSection={<IconDownload size={16} />}
                  disabled={!isInstallable(module)}
                  onClick={() => onChange({ kind: 'install', names: [name] })}
                  data-testid="action-install"
                >
                  Install
                </Menu.Item>
              )}
              {isInstalled(module) && (
                <>
                  <Menu.Item
                    leftSection={<IconArrowUp size={16} />}
                    disabled={!isUpdatable(module)}
                    onClick={() => onChange({ kind: 'update', names: [name] })}
                    data-testid="action-update"
                  >
                    {needs_update ? 'Update' : 'Update again'}
                  </Menu.Item>
                  <Menu.Divider />
                  <Menu.Item
                    color="red"
                    leftSection={<IconTrash size={16} />}
                    disabled={!isRemovable(module)}
                    onClick={() => onChange({ kind: 'uninstall', names: [name] })}
                    data-testid="action-uninstall"
                  >
                    Uninstall
                  </Menu.Item>
                </>
              )}
            </Menu.Dropdown>
          </Menu>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function ModuleState({ module }: { module: ModuleInfo }) {
  const { problem } = module;
  return (
    <>
      <StatusBadge state={stateOfModule(module)} title={problem} />
      {problem && (
        <Text size="xs" c="dimmed" maw={300} lineClamp={2} title={problem} style={{ overflowWrap: 'anywhere' }}>
          {problem}
        </Text>
      )}
    </>
  );
}

function Nothing({ text = '–' }: { text?: string }) {
  return (
    <Text size="sm" c="dimmed" span>
      {text}
    </Text>
  );
}
