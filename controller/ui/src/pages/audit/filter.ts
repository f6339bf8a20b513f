// The filters of the audit log as its address carries them, and as the API takes them.
import type { AuditFilter, Verification } from '@/api/types';
import { formatCount, plural } from '@/lib/format';

export interface AuditSearch {
  q?: string;
  actor?: string;
  action?: string;
  resource_type?: string;
  resource_id?: string;
  address?: string;
  period?: string;
  from?: string;
  to?: string;
  organization_id?: string;
}

export const PERIODS = [
  { value: '', label: 'Any time' },
  { value: '1', label: 'Last hour' },
  { value: '24', label: 'Last 24 hours' },
  { value: '168', label: 'Last 7 days' },
  { value: '720', label: 'Last 30 days' },
  { value: 'custom', label: 'From … to …' },
];

export const RESOURCE_TYPES = [
  'account', 'api_key', 'audit_log', 'connected_account', 'instance', 'invitation', 'job', 'mail', 'member', 'organization',
  'passkey', 'role', 'server', 'service_account', 'session', 'settings', 'signup', 'ssh_key', 'terminal', 'user',
  'webhook_delivery', 'webhook_endpoint',
];

/** A local date and time, as inputs give it, as an instant. */
function instant(local: string | undefined): string | undefined {
  const at = local ? Date.parse(local) : Number.NaN;
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

export function filterOf({ period, from, to, ...rest }: AuditSearch, now: number): AuditFilter {
  const hours = Number(period);
  if (period === 'custom') return { ...rest, from: instant(from), to: instant(to) };
  return hours > 0 ? { ...rest, from: new Date(now - hours * 3_600_000).toISOString() } : rest;
}

export function timeProblem({ period, from, to }: AuditSearch): string | null {
  if (period !== 'custom' || !from || !to) return null;
  return Date.parse(from) < Date.parse(to) ? null : 'The end must be after the beginning';
}

export function isFiltered(search: AuditSearch): boolean {
  return Object.values(search).some(Boolean);
}

/** The address of an export. A download sends no header, so the organization is named in it. */
export function exportUrl(filter: AuditFilter, format: 'json' | 'csv', organization: string | null): string {
  const path = organization === null ? '/api/admin/audit-logs/export' : '/api/audit-logs/export';
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) if (value) query.set(name, String(value));
  query.set('format', format);
  if (organization !== null) query.set('org', organization);
  return `${path}?${query}`;
}

const DEFECTS: Record<string, string> = {
  changed: 'This entry is not what was written.',
  missing: 'This entry was removed.',
  reordered: 'Entries have changed places.',
  cut_off: 'This entry and all after it were removed.',
  rewritten: 'Entries were written anew with hashes that fit each other, but not what was signed.',
  head_forged: 'The end of the chain is not what oCore signed.',
  start_forged: 'The beginning of the chain is not what oCore signed.',
  kept_head_forged: 'The copy of the end that is kept outside the database is not what oCore signed; the entries may well be right.',
};

export function defectText(kind: string): string {
  return DEFECTS[kind] ?? 'The chain does not hold.';
}

/** What a verification that found nothing wrong has proven, a sentence each. */
export function provenBy(found: Verification): string[] {
  if (found.last_seq === 0) return ['No entry was sealed yet.'];
  const range = found.entries === 1 ? `entry ${formatCount(found.first_seq)}` : `entries ${formatCount(found.first_seq)} to ${formatCount(found.last_seq)}`;
  const words = [
    `Every hash was computed anew, for ${range}: none was changed, removed, added or moved.`,
    'The signature of the last one holds.',
  ];
  if (found.heads_checked > 0) {
    words.push(`It agrees with ${plural(found.heads_checked, 'signed copy', 'signed copies')} of earlier ends, kept outside the database.`);
  }
  if (found.first_seq > 1) words.push(`What came before entry ${formatCount(found.first_seq)} was older than the log is kept, and its removal is signed.`);
  if (found.unsealed > 0) words.push(`${plural(found.unsealed, 'newer entry is', 'newer entries are')} about to be sealed, which takes a second.`);
  return words;
}
