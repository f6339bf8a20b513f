// Sources of addons as people type them: their rules, what is sent, and what differs from what is in force.
import type { ApiError } from '@/api/errors';
import type { AddonSourceInfo, AddonSourceInput, GitCredentialInput } from '@/api/types';

export interface SourceValues {
  /** Tells it from the others while it is on this page. */
  key: string;
  url: string;
  /** Empty: made from the address. */
  name: string;
  /** Empty: the repository's own default branch. */
  reference: string;
  enterprise: boolean;
  credential: 'none' | 'token' | 'ssh_key';
  username: string;
  token: string;
  ssh_key: string;
  ca_certificate: string;
  known_hosts: string;
  /** As it is in force; none: it is new. */
  stored: AddonSourceInfo | null;
}

export function sourceValues(key: string, stored: AddonSourceInfo | null): SourceValues {
  const { credential } = stored ?? {};
  return {
    key,
    url: stored?.url ?? '',
    name: stored?.name ?? '',
    reference: stored?.reference ?? '',
    enterprise: stored?.enterprise ?? false,
    credential: credential?.type ?? 'none',
    username: credential?.type === 'token' ? credential.username : '',
    token: '',
    ssh_key: '',
    ca_certificate: stored?.ca_certificate ?? '',
    known_hosts: stored?.known_hosts ?? '',
    stored,
  };
}

export const valuesOf = (sources: AddonSourceInfo[]) => sources.map((source) => sourceValues(source.name, source));

const HOST = /^[a-z0-9.:[\]][a-z0-9.:[\]-]*$/i;
const USER = /^[a-z0-9._][a-z0-9._-]*$/i;

/** Over what a repository is fetched, and from where: as `https example.com:8443`. None: git is not asked for such a one. */
export function placeOf(address: string): { transport: 'https' | 'http' | 'ssh'; host: string } | null {
  const url = address.trim();
  if (/\s/.test(url)) return null;
  const [, scheme, user, host = '', path = ''] = /^(https?|ssh):\/\/(?:([^/@]*)@)?([^/@]+)\/(.+)$/.exec(url) ?? [];
  if (scheme) {
    const credentialInTheOpen = user !== undefined && (scheme !== 'ssh' || !USER.test(user));
    return HOST.test(host) && path && !credentialInTheOpen ? { transport: scheme as 'https', host } : null;
  }
  const [, who = '', where = '', what = ''] = /^([^@:/]+)@([^:/]+):(.+)$/.exec(url) ?? [];
  return USER.test(who) && HOST.test(where) && what ? { transport: 'ssh', host: where } : null;
}

/** `acme-addons` of `https://example.com/acme/acme_addons.git`. */
export function nameOf(url: string): string {
  const last = url.trim().replace(/\/+$/, '').split(/[/:]/).pop() ?? '';
  const name = last.replace(/\.git$/, '').toLowerCase().slice(0, 40).replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');
  return name || 'addons';
}

export const shownName = ({ name, url }: Pick<SourceValues, 'name' | 'url'>) => name.trim() || nameOf(url);

/** Whether the stored credential stays: it is for its source, its server and its user alone. */
export function keepsCredential(values: SourceValues): boolean {
  const { stored, credential } = values;
  if (!stored?.credential || stored.credential.type !== credential || shownName(values) !== stored.name) return false;
  if (stored.credential.type === 'token' && stored.credential.username !== values.username.trim()) return false;
  const [before, after] = [placeOf(stored.url), placeOf(values.url)];
  return before?.transport === after?.transport && before?.host === after?.host;
}

function missing(values: SourceValues, what: string): string | null {
  if (keepsCredential(values)) return null;
  return values.stored?.credential ? `Give the ${what} again: the stored one is for another server, user or name` : `Give the ${what}`;
}

/** The kind of credential that goes with an address. */
function credentialProblem(credential: SourceValues['credential'], { url }: SourceValues): string | null {
  const transport = placeOf(url)?.transport;
  if (credential === 'token' && transport === 'http') return 'A token goes over HTTPS only: use https:// in the address';
  if (credential === 'token' && transport === 'ssh') return 'An address for SSH takes a key';
  if (credential === 'ssh_key' && transport && transport !== 'ssh') return 'An address for HTTPS takes a token';
  return credential === 'none' && transport === 'ssh' ? 'SSH lets nobody in without a key' : null;
}

function keyProblem(key: string): string | null {
  const text = key.trim();
  if (!text.startsWith('-----BEGIN ') || !text.includes('PRIVATE KEY-----')) return 'A private key begins with -----BEGIN … PRIVATE KEY-----';
  return text.includes('ENCRYPTED') ? 'This key is protected by a passphrase, which nobody is there to type: give one without' : null;
}

/** `others`: the names of the other sources. */
export const sourceRules = (others: string[]) => ({
  url: (url: string) => {
    if (!url.trim()) return 'Which repository? Such as https://git.example.com/acme/addons.git';
    return placeOf(url) ? null : 'It is https://host/path, ssh://user@host/path or user@host:path, without a password in it';
  },
  name: (name: string, values: SourceValues) => {
    if (name.trim() && !/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name.trim())) return 'Up to 40 lower-case letters, digits and hyphens';
    return others.includes(shownName(values)) ? `Another source is named ${shownName(values)} already` : null;
  },
  reference: (reference: string) =>
    !reference.trim() || /^[A-Za-z0-9][A-Za-z0-9._/+@-]{0,199}$/.test(reference.trim()) ? null : 'This is no branch, tag or commit',
  credential: credentialProblem,
  username: (user: string, { credential }: SourceValues) => {
    if (credential !== 'token') return null;
    if (!user.trim()) return 'Whose token is it? Many servers take any name';
    return user.includes(':') ? 'Without a colon' : null;
  },
  token: (token: string, values: SourceValues) => (values.credential === 'token' && !token ? missing(values, 'token') : null),
  ssh_key: (key: string, values: SourceValues) => {
    if (values.credential !== 'ssh_key') return null;
    return key.trim() ? keyProblem(key) : missing(values, 'key');
  },
  ca_certificate: (pem: string) =>
    !pem.trim() || (pem.includes('-----BEGIN CERTIFICATE-----') && pem.includes('-----END CERTIFICATE-----'))
      ? null
      : 'A certificate in PEM begins with -----BEGIN CERTIFICATE-----',
});

function credentialOf({ credential, username, token, ssh_key }: SourceValues): GitCredentialInput | null {
  if (credential === 'token') return { type: credential, username: username.trim(), ...(token && { value: token }) } as GitCredentialInput;
  if (credential === 'ssh_key') return { type: credential, ...(ssh_key.trim() && { value: `${ssh_key.trim()}\n` }) } as GitCredentialInput;
  return null;
}

export function sourceInput(values: SourceValues): AddonSourceInput {
  return {
    name: shownName(values),
    url: values.url.trim(),
    reference: values.reference.trim() || null,
    enterprise: values.enterprise,
    credential: credentialOf(values),
    ca_certificate: values.ca_certificate.trim() ? values.ca_certificate : null,
    known_hosts: values.known_hosts.trim() ? values.known_hosts : null,
  };
}

export type Mark = 'new' | 'changed' | 'moved' | null;

/** How each source differs from what is in force. One moves up by itself when another goes: that is no move. */
export function marksOf(draft: SourceValues[], stored: AddonSourceInfo[]): Mark[] {
  const before = stored.map(({ name }) => name).filter((name) => draft.some((source) => source.stored?.name === name));
  const now = draft.flatMap((source) => source.stored?.name ?? []);
  return draft.map((source) => {
    if (!source.stored) return 'new';
    if (JSON.stringify(sourceInput(source)) !== JSON.stringify(sourceInput(sourceValues('', source.stored)))) return 'changed';
    const { name } = source.stored;
    return before.indexOf(name) === now.indexOf(name) ? null : 'moved';
  });
}

/** What is in force and is not wished any more. */
export function removedOf(draft: SourceValues[], stored: AddonSourceInfo[]): AddonSourceInfo[] {
  return stored.filter(({ name }) => !draft.some((source) => source.stored?.name === name));
}

export function isChanged(draft: SourceValues[], stored: AddonSourceInfo[]): boolean {
  return draft.length !== stored.length || marksOf(draft, stored).some(Boolean);
}

/** The sources with the one at `from` at `to`. */
export function moved<T>(list: T[], from: number, to: number): T[] {
  const rest = list.filter((_, place) => place !== from);
  return [...rest.slice(0, to), list[from]!, ...rest.slice(to)];
}

/** Where Odoo looks first: Enterprise stands before all others, whatever the order. */
export function inOrder<T extends { enterprise: boolean }>(list: T[]): T[] {
  return [...list.filter(({ enterprise }) => enterprise), ...list.filter(({ enterprise }) => !enterprise)];
}

const FIELDS = ['url', 'name', 'reference', 'enterprise', 'ca_certificate', 'known_hosts'];

export type SourceProblems = Record<number, Record<string, string>>;

/** What the API says of single fields, by the place of their source: `sources[0].url`. */
export function problemsOf({ fields }: ApiError, sources: SourceValues[]): SourceProblems {
  const problems: SourceProblems = {};
  for (const { field, message } of fields) {
    const [, place, path = ''] = /^sources\[(\d+)\]\.?(.*)$/.exec(field) ?? [];
    const source = place === undefined ? undefined : sources[Number(place)];
    if (!source) continue;
    const [first = '', second] = path.split('.');
    const ofCredential = second === 'username' ? second : second === 'value' && source.credential !== 'none' ? source.credential : 'credential';
    const own = first === 'credential' ? (ofCredential === 'ssh_key' ? 'ssh_key' : ofCredential) : FIELDS.includes(first) ? first : 'url';
    problems[Number(place)] = { [own]: message, ...problems[Number(place)] };
  }
  return problems;
}

export function credentialText({ credential, username }: SourceValues): string {
  if (credential === 'token') return `Token of ${username}`;
  return credential === 'ssh_key' ? 'SSH key' : 'None';
}

/** `""` is the repository itself. */
export function directoriesText(paths: string[]): string {
  return paths.map((path) => path || 'the repository itself').join(', ');
}
