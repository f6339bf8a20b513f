// Permissions are `action:resource`; people choose them by resource.

export interface PermissionGroup {
  resource: string;
  permissions: string[];
}

const ORDER = ['view', 'manage'];

function rank(permission: string): number {
  const at = ORDER.indexOf(permission.split(':')[0] ?? '');
  return at < 0 ? ORDER.length : at;
}

export function groupByResource(permissions: string[]): PermissionGroup[] {
  const groups = new Map<string, string[]>();
  for (const permission of new Set(permissions)) {
    const resource = permission.split(':')[1] ?? permission;
    groups.set(resource, [...(groups.get(resource) ?? []), permission]);
  }
  return [...groups]
    .map(([resource, list]) => ({ resource, permissions: list.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b)) }))
    .sort((a, b) => a.resource.localeCompare(b.resource));
}

/** `manage` includes `view`: choosing one chooses the other, and leaving `view` leaves `manage`. */
export function toggled(chosen: string[], permission: string): string[] {
  const [action, resource] = permission.split(':');
  const next = new Set(chosen);
  if (next.delete(permission)) {
    if (action === 'view') next.delete(`manage:${resource}`);
  } else {
    next.add(permission);
    if (action === 'manage') next.add(`view:${resource}`);
  }
  return [...next];
}
