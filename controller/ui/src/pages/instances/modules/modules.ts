// Modules as people ask for them: which there are, what is wrong with one, and what comes along with a change.
import type { ModuleInfo, ModulesInput } from '@/api/types';
import { formatDuration, plural } from '@/lib/format';
import type { State } from '@/lib/status';

export const VIEWS = ['installed', 'changed', 'available', 'problems', 'all'] as const;
export type View = (typeof VIEWS)[number];

export const VIEW_TITLES: Record<View, string> = {
  installed: 'Installed',
  changed: 'Need an update',
  available: 'Available',
  problems: 'Problems',
  all: 'All',
};

/** Odoo's words for what was begun and not brought to its end. */
const UNFINISHED: Record<string, string> = {
  'to install': 'Half installed',
  'to upgrade': 'Half updated',
  'to remove': 'Half removed',
};

export function isInstalled({ state }: ModuleInfo): boolean {
  return state === 'installed' || state === 'to upgrade' || state === 'to remove';
}

export function isInstallable({ state, on_disk, problem }: ModuleInfo): boolean {
  return on_disk && problem == null && (state === 'uninstalled' || state === 'unlisted' || state === 'to install');
}

/** Odoo does not live without them. */
const CORE = ['base', 'web'];

export function isRemovable(module: ModuleInfo): boolean {
  return isInstalled(module) && !CORE.includes(module.name);
}

export function isUpdatable(module: ModuleInfo): boolean {
  return isInstalled(module) && module.on_disk && module.problem == null;
}

export function isIn(view: View, module: ModuleInfo): boolean {
  switch (view) {
    case 'installed':
      return isInstalled(module);
    case 'changed':
      return module.needs_update;
    case 'available':
      return isInstallable(module);
    case 'problems':
      return module.problem != null || module.state in UNFINISHED;
    case 'all':
      return true;
  }
}

export function stateOfModule(module: ModuleInfo): State {
  const { state, needs_update, problem } = module;
  if (problem != null) return { label: isInstalled(module) ? 'Installed, broken' : 'Broken', tone: 'bad' };
  const unfinished = UNFINISHED[state];
  if (unfinished) return { label: unfinished, tone: 'warn' };
  if (state === 'installed') return needs_update ? { label: 'Needs an update', tone: 'warn' } : { label: 'Installed', tone: 'good' };
  if (state === 'uninstallable') return { label: 'Not installable', tone: 'idle' };
  return { label: state === 'unlisted' ? 'New on disk' : 'Not installed', tone: 'idle' };
}

export function matches({ name, title, author }: ModuleInfo, words: string): boolean {
  return `${name} ${title ?? ''} ${author ?? ''}`.toLowerCase().includes(words.toLowerCase());
}

export type Modules = ReadonlyMap<string, ModuleInfo>;

export function byTechnicalName(modules: ModuleInfo[]): Modules {
  return new Map(modules.map((module) => [module.name, module]));
}

export interface Needed {
  /** Not installed yet: they come along. */
  along: string[];
  /** What stands in the way, a sentence each. */
  obstacles: string[];
}

/** What modules need besides themselves, and theirs in turn. */
export function neededBy(names: string[], modules: Modules): Needed {
  const [along, obstacles] = [new Set<string>(), new Set<string>()];
  const seen = new Set<string>();
  const visit = (name: string, from: string | null) => {
    if (seen.has(name)) return;
    seen.add(name);
    const module = modules.get(name);
    const forWhom = from ? `, which ${from} needs,` : '';
    if (!module?.on_disk) return void obstacles.add(`${name}${forWhom} is not on the addons path.`);
    if (module.problem != null) return void obstacles.add(`${name}${forWhom} cannot be loaded: ${module.problem}`);
    if (module.state === 'uninstallable') return void obstacles.add(`${name}${forWhom} says of itself that it cannot be installed.`);
    if (from !== null && !isInstalled(module)) along.add(name);
    module.depends?.forEach((next) => visit(next, name));
  };
  names.forEach((name) => visit(name, null));
  return { along: [...along].filter((name) => !names.includes(name)).sort(), obstacles: [...obstacles] };
}

/** What is installed and needs one of these, directly or by others: it cannot stay without them. */
export function dependentsOf(names: string[], modules: Modules): string[] {
  const going = new Set(names);
  for (let before = -1; before !== going.size; ) {
    before = going.size;
    for (const module of modules.values()) {
      if (isInstalled(module) && module.depends?.some((name) => going.has(name))) going.add(module.name);
    }
  }
  return [...going].filter((name) => !names.includes(name)).sort();
}

/** What is to become of modules. */
export type Change = { kind: 'install' | 'update' | 'uninstall'; names: string[] } | { kind: 'update_changed' };

export function inputOf(change: Change, safety_copy: boolean, with_dependents: boolean): ModulesInput {
  if (change.kind === 'update_changed') return { update_changed: true, safety_copy };
  return { [change.kind]: change.names, safety_copy, ...(change.kind === 'uninstall' && with_dependents && { with_dependents }) };
}

export function titleOf(change: Change): string {
  if (change.kind === 'update_changed') return 'Update what has changed';
  const verb = { install: 'Install', update: 'Update', uninstall: 'Uninstall' }[change.kind];
  return `${verb} ${change.names.length === 1 ? change.names[0] : plural(change.names.length, 'module')}`;
}

/** What uninstalling takes, a line each. */
export function lossesOf(names: string[], dependents: string[]): string[] {
  const tables = (of: string[]) => `${of.length === 1 ? 'its' : 'their'} tables and fields with all that is in them`;
  return [
    `${names.join(', ')}: ${tables(names)}.`,
    ...(dependents.length > 0 ? [`What needs ${names.length === 1 ? 'it' : 'them'}: ${dependents.join(', ')}, and ${tables(dependents)}.`] : []),
  ];
}

/** What came of a change, in a sentence. */
export function outcomeOf(result: unknown): string {
  const { installed, updated, uninstalled, down_milliseconds } = (result ?? {}) as Record<string, unknown>;
  const part = (list: unknown, verb: string) => (Array.isArray(list) && list.length > 0 ? [`${list.join(', ')} ${verb}`] : []);
  const parts = [...part(installed, 'installed'), ...part(updated, 'updated'), ...part(uninstalled, 'uninstalled')];
  const away = typeof down_milliseconds === 'number' && down_milliseconds > 0 ? ` Odoo was away for ${formatDuration(down_milliseconds)}.` : '';
  return `${parts.length > 0 ? `${parts.join('; ')}.` : 'There was nothing to do.'}${away}`;
}
