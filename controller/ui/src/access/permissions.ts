// Permissions are `action:resource`, and `manage` includes `view`. People choose them in a table of resources.
import type { PermissionView } from '@/api/types';
import { humanize } from '@/lib/format';

export interface MatrixRow {
  resource: string;
  title: string;
  view: PermissionView | null;
  manage: PermissionView | null;
  /** What neither viewing nor managing includes: shells, files, downloads. */
  special: PermissionView[];
}

export interface MatrixSection {
  title: string;
  rows: MatrixRow[];
}

const SECTIONS: [title: string, resources: string[]][] = [
  ['Organization', ['org', 'settings', 'members', 'roles', 'api-keys', 'audit', 'billing']],
  ['Servers', ['servers', 'provision', 'ssh']],
  ['Applications', ['projects', 'deployments', 'instances', 'workloads', 'templates', 'databases', 'backups']],
  ['Network', ['domains', 'dns']],
  ['Operations', ['jobs', 'alerts', 'webhooks', 'integrations', 'credentials']],
];

export const SECTION_TITLES = [...SECTIONS.map(([title]) => title), 'Other'];

export function sectionOf(permission: string): string {
  const resource = resourceOf(permission);
  return SECTIONS.find(([, resources]) => resources.includes(resource))?.[0] ?? 'Other';
}

const TITLES: Record<string, string> = {
  org: 'Organization',
  'api-keys': 'API keys',
  audit: 'Audit log',
  dns: 'DNS',
  ssh: 'SSH authority',
  provision: 'Cloud servers',
};

const VERBS: Record<string, string> = {
  terminal: 'Root shell',
  console: 'Shell',
  query: 'Run SQL',
};

export function verbOf(permission: string): string {
  return permission.split(':')[0] ?? '';
}

export function resourceOf(permission: string): string {
  return permission.split(':')[1] ?? permission;
}

export function resourceTitle(resource: string): string {
  return TITLES[resource] ?? humanize(resource.replace(/-/g, ' '));
}

export function verbTitle(permission: string): string {
  return VERBS[verbOf(permission)] ?? humanize(verbOf(permission));
}

/** The table of resources; what this version of the console does not know comes last. */
export function matrixOf(permissions: PermissionView[]): MatrixSection[] {
  const rows = new Map<string, MatrixRow>();
  for (const permission of permissions) {
    const resource = resourceOf(permission.key);
    const row = rows.get(resource) ?? { resource, title: resourceTitle(resource), view: null, manage: null, special: [] };
    rows.set(resource, row);
    const verb = verbOf(permission.key);
    if (verb === 'view') row.view = permission;
    else if (verb === 'manage') row.manage = permission;
    else row.special.push(permission);
  }
  const known = SECTIONS.flatMap(([, resources]) => resources);
  const other = [...rows.keys()].filter((resource) => !known.includes(resource));
  return [...SECTIONS, ['Other', other] as const]
    .map(([title, resources]) => ({ title, rows: resources.flatMap((resource) => rows.get(resource) ?? []) }))
    .filter((section) => section.rows.length > 0);
}

/** Whether a set of permissions has this one, be it by managing. */
export function includes(held: ReadonlySet<string>, permission: string): boolean {
  return held.has(permission) || (verbOf(permission) === 'view' && held.has(`manage:${resourceOf(permission)}`));
}

/** With the viewing that managing includes. */
export function closed(permissions: string[]): string[] {
  const set = new Set(permissions);
  for (const permission of permissions) {
    if (verbOf(permission) === 'manage') set.add(`view:${resourceOf(permission)}`);
  }
  return [...set];
}

/** Choosing managing chooses viewing, and leaving viewing leaves managing. */
export function toggled(chosen: string[], permission: string): string[] {
  const next = new Set(chosen);
  if (!next.delete(permission)) return closed([...next, permission]);
  if (verbOf(permission) === 'view') next.delete(`manage:${resourceOf(permission)}`);
  return [...next];
}

/** What was added and what was taken away. */
export function changesOf(before: string[], after: string[]): { added: string[]; removed: string[] } {
  return {
    added: after.filter((permission) => !before.includes(permission)),
    removed: before.filter((permission) => !after.includes(permission)),
  };
}
