// Roles in scopes, told and compared.
import type { ApiError } from '@/api/errors';
import type { Grant, Role } from '@/api/types';
import { includes } from './permissions';
import { isWhole, scopeKey } from './scope';

export type RoleInScope = Pick<Grant, 'role_id' | 'scope'>;

/** Whether nobody gives more by this role than they hold. */
export function fits(role: Role, held: ReadonlySet<string>): boolean {
  return role.permissions.every((permission) => includes(held, permission));
}

export function grantKey({ role_id, scope }: RoleInScope): string {
  return `${role_id} ${scopeKey(scope)}`;
}

export function sameGrants(a: RoleInScope[], b: RoleInScope[]): boolean {
  const keys = (grants: RoleInScope[]) => [...new Set(grants.map(grantKey))].sort().join('\n');
  return keys(a) === keys(b);
}

/** What keeps the rows from being sent, by row. */
export function grantProblems(grants: RoleInScope[]): Record<number, string> {
  const problems: Record<number, string> = {};
  const seen = new Set<string>();
  grants.forEach((grant, index) => {
    if (!grant.role_id) problems[index] = 'Choose a role';
    else if (!isWhole(grant.scope) && !grant.scope.id) problems[index] = `Choose the ${grant.scope.type}`;
    else if (seen.has(grantKey(grant))) problems[index] = 'The same role is there twice';
    seen.add(grantKey(grant));
  });
  return problems;
}

/** The controller's problems by row: `grants[2].scope.id` is about the third. */
export function grantErrors(error: ApiError): Record<number, string> {
  const errors: Record<number, string> = {};
  for (const { field, message } of error.fields) {
    const row = /^grants\[(\d+)\]/.exec(field)?.[1];
    if (row !== undefined) errors[Number(row)] ??= message;
  }
  return errors;
}

/** `3 projects, 1 server`, or nothing where all roles are in the whole organization. */
export function placesOf(grants: Grant[]): string {
  const counts = new Map<string, number>();
  for (const { scope } of grants) if (!isWhole(scope)) counts.set(scope.type, (counts.get(scope.type) ?? 0) + 1);
  return [...counts].map(([type, n]) => `${n} ${type}${n === 1 ? '' : 's'}`).join(', ');
}

const SYSTEM = ['owner', 'admin', 'developer', 'viewer'];

/** Those of every organization from the strongest on, then its own by name. */
export function sortedRoles(roles: Role[]): Role[] {
  const rank = (role: Role) => (role.is_system ? SYSTEM.indexOf(role.name) : SYSTEM.length);
  return [...roles].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

/** Roles that can be given: the owner's is handed over. */
export function givableRoles(roles: Role[]): Role[] {
  return sortedRoles(roles).filter((role) => !(role.is_system && role.name === 'owner'));
}
