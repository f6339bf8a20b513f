import { ActionIcon, Button, Checkbox, Group, SegmentedControl, Text, Tooltip } from '@mantine/core';
import { IconArrowUp, IconPuzzle, IconRefresh, IconSearchOff } from '@tabler/icons-react';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { asApiError } from '@/api/errors';
import type { ModuleInfo } from '@/api/types';
import { ListTable } from '@/components/ListTable';
import { cutPage, Pager, usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { formatCount, plural } from '@/lib/format';
import { ModuleDrawer } from './ModuleDrawer';
import { ModuleRow } from './ModuleRow';
import classes from './modules.module.css';
import { byTechnicalName, isIn, isInstallable, isRemovable, isUpdatable, matches, VIEW_TITLES, VIEWS, type Change, type View } from './modules';

const NOTHING: Record<View, string> = {
  installed: 'Nothing is installed.',
  changed: 'All that is installed is what lies on disk.',
  available: 'Everything on disk is installed.',
  problems: 'Every module can be read, and none is left half done.',
  all: 'Neither the database nor the disk has a module.',
};

export interface ModuleListProps {
  modules: ModuleInfo[];
  readAt: number;
  reading: boolean;
  /** Why they could not be read anew. */
  error: unknown;
  /** None: Odoo is away. */
  onRead?: () => void;
  /** None: one may not, or not now. */
  onChange?: (change: Change) => void;
}

export function ModuleList({ modules, readAt, reading, error, onRead, onChange }: ModuleListProps) {
  const search = useSearch({ from: '/app/instances/$id' });
  const navigate = useNavigate({ from: '/instances/$id' });
  const view = VIEWS.find((one) => one === search.view) ?? 'installed';
  const q = search.q ?? '';
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [opened, setOpened] = useState<string | null>(null);
  const known = useMemo(() => byTechnicalName(modules), [modules]);
  const counts = useMemo(() => new Map(VIEWS.map((one) => [one, modules.filter((module) => isIn(one, module)).length])), [modules]);
  const found = useMemo(() => modules.filter((module) => isIn(view, module) && matches(module, q)), [modules, view, q]);
  const paging = usePaging(`${view}|${q}`);
  const page = cutPage(found, paging);
  const changed = counts.get('changed') ?? 0;
  const toggle = (names: string[], on: boolean) =>
    setChosen((before) => new Set(on ? [...before, ...names] : [...before].filter((name) => !names.includes(name))));
  const elsewhere = found.length > 0 || view === 'all' ? 0 : modules.filter((module) => matches(module, q)).length;
  const show = (next: string) => {
    setChosen(new Set());
    void navigate({ search: (s) => ({ ...s, view: next === 'installed' ? undefined : next }), replace: true });
  };
  const here = page.data.map(({ name }) => name);
  const chosenHere = here.filter((name) => chosen.has(name)).length;
  return (
    <Panel flush>
      <Group p="sm" gap="xs">
        <SearchInput
          label="Search modules"
          value={q}
          onSearch={(next) => void navigate({ search: (s) => ({ ...s, q: next || undefined }), replace: true })}
        />
        <div className={classes.views}>
          <SegmentedControl
            size="xs"
            aria-label="Which modules"
            value={view}
            onChange={show}
            data={VIEWS.map((one) => ({
              value: one,
              label: (
                <>
                  {VIEW_TITLES[one]} <span className={classes.count}>{formatCount(counts.get(one) ?? 0)}</span>
                </>
              ),
            }))}
            data-testid="module-view"
          />
        </div>
        <Group gap="xs" ml="auto">
          <Tooltip label={<>Read <TimeAgo at={new Date(readAt).toISOString()} />. Look again</>}>
            <ActionIcon variant="default" size={30} aria-label="Look again" loading={reading} disabled={!onRead} onClick={onRead} data-testid="read-modules">
              <IconRefresh size={16} />
            </ActionIcon>
          </Tooltip>
          {onChange && changed > 0 && (
            <Button size="xs" leftSection={<IconArrowUp size={15} />} onClick={() => onChange({ kind: 'update_changed' })} data-testid="update-changed">
              Update what has changed
            </Button>
          )}
        </Group>
      </Group>
      {error != null && (
        <Text size="sm" c="red" px="md" pb="sm" role="alert" data-testid="module-error">
          They could not be read anew: {asApiError(error).message}
        </Text>
      )}
      {chosen.size > 0 && onChange && <Chosen names={[...chosen].sort()} known={known} onChange={onChange} onClear={() => setChosen(new Set())} />}
      {page.data.length === 0 ? (
        q ? (
          <EmptyState
            icon={<IconSearchOff size={22} />}
            title="No module matches"
            text={elsewhere > 0 ? `None of them is under “${VIEW_TITLES[view]}”.` : 'Try another word.'}
            action={
              elsewhere > 0 && (
                <Button variant="default" size="xs" onClick={() => show('all')} data-testid="look-among-all">
                  Show {plural(elsewhere, 'match', 'matches')} among all
                </Button>
              )
            }
          />
        ) : (
          <EmptyState icon={<IconPuzzle size={22} />} title="None here" text={NOTHING[view]} />
        )
      ) : (
        <ListTable
          label="Modules"
          columns={[
            {
              label: 'Module',
              before: onChange && (
                <Checkbox
                  size="xs"
                  aria-label="All on this page"
                  checked={chosenHere === here.length}
                  indeterminate={chosenHere > 0 && chosenHere < here.length}
                  onChange={(event) => toggle(here, event.currentTarget.checked)}
                  data-testid="choose-page"
                />
              ),
            },
            { label: 'State', from: 'sm' },
            { label: 'In the database', from: 'sm' },
            { label: 'On disk', from: 'sm' },
            { label: 'Author', from: 'lg' },
            { label: 'Actions', hiddenLabel: true },
          ]}
        >
          {page.data.map((module) => (
            <ModuleRow
              key={module.name}
              module={module}
              chosen={chosen.has(module.name)}
              onChoose={onChange && ((on) => toggle([module.name], on))}
              onOpen={() => setOpened(module.name)}
              onChange={onChange}
            />
          ))}
        </ListTable>
      )}
      <Pager paging={paging} page={page} noun="module" />
      <ModuleDrawer
        module={(opened !== null && known.get(opened)) || null}
        known={known}
        onOpen={setOpened}
        onClose={() => setOpened(null)}
        onChange={
          onChange &&
          ((change) => {
            setOpened(null);
            onChange(change);
          })
        }
      />
    </Panel>
  );
}

interface ChosenProps {
  names: string[];
  known: ReadonlyMap<string, ModuleInfo>;
  onChange: (change: Change) => void;
  onClear: () => void;
}

/** What can be done with the chosen ones together: each button takes those that it fits. */
function Chosen({ names, known, onChange, onClear }: ChosenProps) {
  const button = (kind: 'install' | 'update' | 'uninstall', label: string, fits: (module: ModuleInfo) => boolean) => {
    const fitting = names.filter((name) => {
      const module = known.get(name);
      return module !== undefined && fits(module);
    });
    return (
      fitting.length > 0 && (
        <Button
          size="compact-sm"
          variant={kind === 'uninstall' ? 'light' : 'default'}
          color={kind === 'uninstall' ? 'red' : undefined}
          onClick={() => onChange({ kind, names: fitting })}
          data-testid={`${kind}-chosen`}
        >
          {label} {fitting.length}
        </Button>
      )
    );
  };
  return (
    <div className={classes.chosen} role="toolbar" aria-label="Chosen modules" data-testid="chosen-modules">
      <Text size="sm" fw={600}>
        {plural(names.length, 'module')} chosen
      </Text>
      <Group gap="xs">
        {button('install', 'Install', isInstallable)}
        {button('update', 'Update', isUpdatable)}
        {button('uninstall', 'Uninstall', isRemovable)}
        <Button size="compact-sm" variant="subtle" color="gray" onClick={onClear}>
          Choose none
        </Button>
      </Group>
    </div>
  );
}
