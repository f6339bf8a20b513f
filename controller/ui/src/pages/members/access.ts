// "Why can she?": every permission with what gives it, and what takes it away.
import { includes, resourceTitle, resourceOf, sectionOf, SECTION_TITLES } from '@/access/permissions';
import { scopeKey } from '@/access/scope';
import type { Effect, EffectivePermission, MemberPermissions, PermissionView, ScopeRef } from '@/api/types';

export interface Reason {
  scope: ScopeRef;
  because: string[];
}

export interface AccessRow extends PermissionView {
  resource: string;
  /** Where it holds; empty where it does not. */
  reasons: Reason[];
  /** The exception for this very permission. */
  exception: Effect | null;
  /** A denied `view` denies `manage` as well. */
  deniedWith: string | null;
}

export function accessRows(all: PermissionView[], { effective, overrides }: MemberPermissions): AccessRow[] {
  const reasons = new Map<string, Reason[]>();
  for (const { permission, scope, because } of effective) {
    reasons.set(permission, [...(reasons.get(permission) ?? []), { scope, because }]);
  }
  const exceptions = new Map(overrides.map(({ permission, effect }) => [permission, effect]));
  return all.map((info) => {
    const view = info.key.replace('manage:', 'view:');
    return {
      ...info,
      resource: resourceTitle(resourceOf(info.key)),
      reasons: reasons.get(info.key) ?? [],
      exception: exceptions.get(info.key) ?? null,
      deniedWith: view !== info.key && exceptions.get(view) === 'deny' ? view : null,
    };
  });
}

export function matchesRow(row: AccessRow, words: string): boolean {
  const text = `${row.key} ${row.description} ${row.resource}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** `role developer` and `override`, as people say it. */
export function reasonText(because: string): string {
  return because === 'override' ? 'exception' : because;
}

/** In the order of the table of permissions. */
export function bySection(rows: AccessRow[]): { title: string; rows: AccessRow[] }[] {
  return SECTION_TITLES.map((title) => ({ title, rows: rows.filter((row) => sectionOf(row.key) === title) })).filter(
    (section) => section.rows.length > 0,
  );
}

/** What may not be given: nobody gives what they lack, and taking a denial away gives, too. */
export function mayExcept(held: ReadonlySet<string>, permission: string): boolean {
  return includes(held, permission);
}

export function scopesOf(effective: EffectivePermission[]): ScopeRef[] {
  return [...new Map(effective.map(({ scope }) => [scopeKey(scope), scope])).values()];
}
