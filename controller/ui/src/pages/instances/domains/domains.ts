// Names of an instance in words, and what is sent of them.
import type { AccessInput, CertificateSource, Domain, DomainAccess, DomainState } from '@/api/types';
import { type State, stateOf, type Tone } from '@/lib/status';

export const domainState: Record<DomainState, State> = {
  pending_dns: { label: 'Waits for its DNS', tone: 'idle' },
  issuing: { label: 'Certificate on its way', tone: 'busy' },
  active: { label: 'Reached', tone: 'good' },
  failed: { label: 'No certificate', tone: 'bad' },
};

/** A proxy of one's own may be told and yet lead nowhere. */
export function shownState({ state, reach }: Domain): State {
  if (state === 'active' && reach?.ok === false) return { label: 'Not reached', tone: 'bad' };
  return stateOf(domainState, state);
}

export const SOURCES: Record<CertificateSource, string> = {
  acme: 'Fetched and renewed by itself',
  uploaded: 'Uploaded by hand; not renewed',
  external: 'Your own proxy has it',
};

const DAY = 86_400_000;

/** Whole days until a certificate ends. */
export function daysLeft(notAfter: string, now: number): number {
  return Math.floor((Date.parse(notAfter) - now) / DAY);
}

/** One that renews itself is late with 14 days left; of one by hand somebody has to think. */
export function expiryTone(days: number): Tone {
  if (days < 7) return 'bad';
  return days < 14 ? 'warn' : 'good';
}

export function expiryText(days: number): string {
  if (days < 0) return 'has ended';
  return days === 0 ? 'ends today' : `ends in ${days} ${days === 1 ? 'day' : 'days'}`;
}

/** The primary one first, then those that people have added, then those of the zone. */
export function inOrder(domains: Domain[]): Domain[] {
  const rank = (domain: Domain) => (domain.is_primary ? 0 : domain.automatic ? 2 : 1);
  return [...domains].sort((a, b) => rank(a) - rank(b) || a.host.localeCompare(b.host));
}

export interface AccessValues {
  /** An address or a network on each line. */
  allow: string;
  deny: string;
  users: { username: string; password: string; stored: boolean }[];
  redirect: boolean;
  hsts: boolean;
  hstsSeconds: number | string;
}

/** A year, as browsers' lists ask for. */
const YEAR = 31_536_000;

export function accessValues(access: DomainAccess): AccessValues {
  return {
    allow: access.allow.join('\n'),
    deny: access.deny.join('\n'),
    users: access.basic_auth.map(({ username }) => ({ username, password: '', stored: true })),
    redirect: access.redirect_to_primary,
    hsts: access.hsts_seconds != null,
    hstsSeconds: access.hsts_seconds ?? YEAR,
  };
}

/** Addresses as they are typed or pasted: a line each, or with commas and blanks between. */
export function addressList(text: string): string[] {
  return text.split(/[\s,;]+/).filter(Boolean);
}

export function accessBody(values: AccessValues): AccessInput {
  return {
    allow: addressList(values.allow),
    deny: addressList(values.deny),
    basic_auth: values.users.map(({ username, password }) => ({ username: username.trim(), ...(password && { password }) })),
    redirect_to_primary: values.redirect,
    hsts_seconds: values.hsts ? Number(values.hstsSeconds) || 0 : null,
  };
}

/** Where a problem of the API is shown: `allow[0]` at its list, `basic_auth[1].password` at its user. */
export function accessField(field: string): string {
  const user = /^basic_auth\[(\d+)\](?:\.(\w+))?/.exec(field);
  if (user) return `users.${user[1]}.${user[2] ?? 'username'}`;
  if (field.startsWith('hsts')) return 'hstsSeconds';
  return field.replace(/\[.*$/, '');
}

/** Rules of who may come in, one short sentence each. */
export function accessText({ allow, deny, basic_auth, redirect_to_primary, hsts_seconds }: DomainAccess): string[] {
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : what.endsWith('s') ? 'es' : 's'}`;
  return [
    redirect_to_primary && 'Sends people on to the primary one',
    allow.length > 0 && `Only ${count(allow.length, 'address')}`,
    deny.length > 0 && `Not ${count(deny.length, 'address')}`,
    basic_auth.length > 0 && `Password of ${count(basic_auth.length, 'user')}`,
    hsts_seconds != null && 'Browsers keep to HTTPS',
  ].filter((text): text is string => Boolean(text));
}
