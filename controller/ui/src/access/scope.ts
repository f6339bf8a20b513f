// Where a role or a key counts, and what is held there.
import type { EffectivePermission, ScopeKind, ScopeRef } from '@/api/types';

export const SCOPE_TITLES: Record<ScopeKind, string> = {
  organization: 'Whole organization',
  project: 'Project',
  environment: 'Environment',
  server: 'Server',
};

export const WHOLE: ScopeRef = { type: 'organization', id: null };

export function isWhole(scope: ScopeRef): boolean {
  return scope.type === 'organization';
}

export function scopeKey(scope: ScopeRef): string {
  return `${scope.type} ${scope.id ?? ''}`;
}

/** What is held in a scope, from the scopes that it lies in. */
export function heldAt(
  effective: EffectivePermission[],
  scope: ScopeRef,
  projectOf: (environment: string) => string | undefined,
): Set<string> {
  const project = scope.type === 'environment' && scope.id ? projectOf(scope.id) : undefined;
  const counts = (held: ScopeRef) =>
    held.type === 'organization' ||
    (held.type === scope.type && held.id === scope.id) ||
    (held.type === 'project' && held.id === project);
  return new Set(effective.filter((one) => counts(one.scope)).map((one) => one.permission));
}

/** What keeps a scope from being sent. */
export function scopeProblem(scope: ScopeRef): string | null {
  return isWhole(scope) || scope.id ? null : `Choose the ${SCOPE_TITLES[scope.type].toLowerCase()}`;
}
