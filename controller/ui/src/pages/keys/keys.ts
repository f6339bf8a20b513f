// What a key is told by, and the request that tries it out.
import { includes } from '@/access/permissions';
import type { ApiKey } from '@/api/types';
import type { State } from '@/lib/status';

const SOON_MS = 7 * 86_400_000;

export function stateOfKey(key: ApiKey, now: number): State {
  if (key.revoked_at) return { label: 'Revoked', tone: 'idle' };
  if (!key.expires_at) return { label: 'Active', tone: 'good' };
  const left = Date.parse(key.expires_at) - now;
  if (left <= 0) return { label: 'Expired', tone: 'warn' };
  return left < SOON_MS ? { label: 'Ends soon', tone: 'warn' } : { label: 'Active', tone: 'good' };
}

export function isLive(key: ApiKey, now: number): boolean {
  return !key.revoked_at && (!key.expires_at || Date.parse(key.expires_at) > now);
}

/** What a key with these permissions can read first. */
const TRIALS = [
  ['view:servers', '/api/servers'],
  ['view:instances', '/api/instances'],
  ['view:projects', '/api/projects'],
  ['view:members', '/api/members'],
  ['view:roles', '/api/roles'],
  ['view:api-keys', '/api/api-keys'],
  ['view:org', '/api/org'],
] as const;

/** A line for a shell that shows that the key works. Members and the like are read with a key of the whole organization only. */
export function curlOf(origin: string, slug: string, secret: string, key: Pick<ApiKey, 'permissions' | 'scope'>): string {
  const held = new Set(key.permissions);
  const wide = key.scope.type === 'organization';
  const trials = wide ? TRIALS : TRIALS.slice(0, 3);
  const path = trials.find(([permission]) => includes(held, permission))?.[1] ?? '/api/orgs';
  return [`curl -fsS ${origin}${path} \\`, `  -H 'Authorization: Bearer ${secret}' \\`, `  -H 'X-Org-Slug: ${slug}'`].join('\n');
}

/** An address or a network, roughly: the controller reads it exactly. */
export function addressProblem(addresses: string[]): string | null {
  const wrong = addresses.find((text) => !/^[0-9a-f.:]+(\/\d{1,3})?$/i.test(text.trim()) || !/[.:]/.test(text));
  return wrong ? `${wrong} is neither an address nor a network such as 192.0.2.0/24` : null;
}
