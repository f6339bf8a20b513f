import { Button, Drawer, Group, Stack, Text, UnstyledButton } from '@mantine/core';
import { IconAlertTriangle, IconArrowUp, IconDownload, IconTrash } from '@tabler/icons-react';
import { useMemo } from 'react';
import type { ModuleInfo } from '@/api/types';
import { Notice } from '@/components/Notice';
import { FactList } from '@/components/Panel';
import { Dot, StatusBadge } from '@/components/StatusBadge';
import { dependentsOf, isInstallable, isInstalled, isRemovable, isUpdatable, stateOfModule, type Change, type Modules } from './modules';
import classes from './modules.module.css';

export interface ModuleDrawerProps {
  /** None: it is closed. */
  module: ModuleInfo | null;
  known: Modules;
  onOpen: (name: string) => void;
  onClose: () => void;
  onChange?: (change: Change) => void;
}

/** A module with what it needs and what needs it. */
export function ModuleDrawer({ module, onClose, ...rest }: ModuleDrawerProps) {
  return (
    <Drawer opened={module !== null} onClose={onClose} title={module?.title ?? module?.name ?? ''}>
      {module && <Body key={module.name} module={module} {...rest} />}
    </Drawer>
  );
}

function Body({ module, known, onOpen, onChange }: Omit<ModuleDrawerProps, 'module' | 'onClose'> & { module: ModuleInfo }) {
  const { name, author, installed_version, available_version, on_disk, problem, needs_update, depends = [] } = module;
  const dependents = useMemo(() => dependentsOf([name], known), [name, known]);
  return (
    <Stack gap="lg" data-testid="module">
      {problem && (
        <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title="What is wrong">
          {problem}
        </Notice>
      )}
      {onChange && (
        <Group gap="xs">
          {isInstallable(module) && (
            <Button size="xs" leftSection={<IconDownload size={15} />} onClick={() => onChange({ kind: 'install', names: [name] })} data-testid="install">
              Install
            </Button>
          )}
          {isUpdatable(module) && (
            <Button
              size="xs"
              variant={needs_update ? 'filled' : 'default'}
              leftSection={<IconArrowUp size={15} />}
              onClick={() => onChange({ kind: 'update', names: [name] })}
              data-testid="update"
            >
              {needs_update ? 'Update' : 'Update again'}
            </Button>
          )}
          {isRemovable(module) && (
            <Button
              size="xs"
              variant="light"
              color="red"
              leftSection={<IconTrash size={15} />}
              onClick={() => onChange({ kind: 'uninstall', names: [name] })}
              data-testid="uninstall"
            >
              Uninstall
            </Button>
          )}
        </Group>
      )}
      <FactList
        facts={[
          ['State', <StatusBadge key="state" state={stateOfModule(module)} />],
          ['Technical name', <code key="name">{name}</code>],
          ['In the database', installed_version ?? (isInstalled(module) ? 'without a version' : 'not installed')],
          ['On disk', available_version ?? (on_disk ? 'without a version' : 'no files')],
          ['Author', author],
        ]}
      />
      <Neighbours title="Needs" names={depends} none="nothing" known={known} onOpen={onOpen} />
      {isInstalled(module) && <Neighbours title="Installed, and would not work without it" names={dependents} none="nothing" known={known} onOpen={onOpen} />}
    </Stack>
  );
}

interface NeighboursProps {
  title: string;
  names: string[];
  none: string;
  known: Modules;
  onOpen: (name: string) => void;
}

function Neighbours({ title, names, none, known, onOpen }: NeighboursProps) {
  return (
    <div>
      <Text size="sm" fw={600} mb={6}>
        {title}
      </Text>
      {names.length === 0 && (
        <Text size="sm" c="dimmed">
          {none}
        </Text>
      )}
      <ul className={classes.neighbours}>
        {names.map((name) => {
          const module = known.get(name);
          if (!module) {
            return (
              <li key={name}>
                <span className={classes.neighbour}>
                  <Dot tone="bad" />
                  {name}, which is not there
                </span>
              </li>
            );
          }
          const { label, tone } = stateOfModule(module);
          return (
            <li key={name}>
              <UnstyledButton className={classes.neighbour} title={label} onClick={() => onOpen(name)}>
                <Dot tone={tone} />
                {name}
                <span className="visually-hidden">, {label}</span>
              </UnstyledButton>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
