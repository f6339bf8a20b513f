// What is typed of a registry: its first values, its rules, and what is sent.
import type { Registry, RegistryCreate, RegistryStatus, RegistryUpdate } from '@/api/types';
import type { State } from '@/lib/status';
import { touchedOf } from '@/pages/settingsForm';

export const registryState: Record<RegistryStatus, State> = {
  unchecked: { label: 'Not tried', tone: 'idle' },
  ok: { label: 'Works', tone: 'good' },
  refused: { label: 'Refused', tone: 'bad' },
  unreachable: { label: 'Not reached', tone: 'warn' },
};

export interface RegistryValues {
  address: string;
  description: string;
  /** Empty: as anybody. */
  username: string;
  /** Empty: the stored one, where there is one. */
  password: string;
  /** Empty: it is no mirror. */
  mirror_of: string;
}

export type StoredLogin = Pick<Registry, 'address' | 'username' | 'has_password'>;

export function registryValues(registry: Registry | null): RegistryValues {
  return {
    address: registry?.address ?? '',
    description: registry?.description ?? '',
    username: registry?.username ?? '',
    password: '',
    mirror_of: registry?.mirror_of ?? '',
  };
}

const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i;

/** A host, with a port where that is not 443. */
export function addressProblem(text: string): string | null {
  const address = text.trim();
  if (!address) return 'Which one? Such as registry.example.com';
  if (/^[a-z]+:\/\//i.test(address) || address.includes('/')) return 'The host alone: without https:// and without a path';
  const [host = '', port, ...rest] = address.split(':');
  const hasPort = port !== undefined;
  const odd = !HOST.test(host) || host.length > 253 || rest.length > 0 || (hasPort && !(/^\d{1,5}$/.test(port) && +port > 0 && +port < 65_536));
  if (odd || !(host.includes('.') || host === 'localhost' || hasPort)) {
    return 'This is no host like registry.example.com, with :5000 where its port is not 443';
  }
  return null;
}

/** Whether the stored password stays: it is for its address and its user alone. */
export function keepsPassword(values: RegistryValues, stored: StoredLogin | null): boolean {
  return (
    stored?.has_password === true &&
    values.address.trim() === stored.address &&
    values.username.trim() === (stored.username ?? '')
  );
}

export function passwordProblem(values: RegistryValues, stored: StoredLogin | null): string | null {
  if (!values.username.trim() || values.password || keepsPassword(values, stored)) return null;
  return stored?.has_password
    ? 'Give it again: the stored one is for another address or user'
    : 'Give the user’s password, or an access token';
}

export const registryRules = (stored: StoredLogin | null) => ({
  address: addressProblem,
  description: (text: string) => ([...text.trim()].length > 255 ? 'At most 255 characters' : null),
  username: (user: string, { password }: RegistryValues) => (password && !user.trim() ? 'Whose password is it?' : null),
  password: (_: string, values: RegistryValues) => passwordProblem(values, stored),
  mirror_of: (of: string, { address }: RegistryValues) => {
    if (!of.trim()) return null;
    return of.trim() === address.trim() ? 'Another one: none is a mirror of itself' : addressProblem(of);
  },
});

/** The API's names for the form's fields. */
export const REGISTRY_FIELDS = {
  address: 'address',
  description: 'description',
  username: 'username',
  password: 'password',
  mirror_of: 'mirror_of',
};

export function createBody({ address, description, username, password, mirror_of }: RegistryValues): RegistryCreate {
  return {
    address: address.trim(),
    description: description.trim(),
    username: username.trim() || undefined,
    password: password || undefined,
    mirror_of: mirror_of.trim() || undefined,
  };
}

/** What was touched; what was emptied is null. */
export function updateBody(values: RegistryValues, isTouched: (field: string) => boolean): RegistryUpdate {
  const whole = {
    address: values.address.trim(),
    description: values.description.trim(),
    username: values.username.trim() || null,
    password: values.password,
    mirror_of: values.mirror_of.trim() || null,
  };
  return touchedOf(whole, (field) => isTouched(field) && !(field === 'password' && !values.password));
}

/** What follows from removing one, a line each. */
export function consequencesOf({ has_password, mirror_of, address }: Registry): string[] {
  return [
    ...(has_password ? ['Its password is forgotten. Private images from there cannot be fetched any more.'] : []),
    mirror_of ? `Images of ${mirror_of} are fetched from there again, no more from ${address}.` : 'What is public there can still be fetched.',
    'What runs goes on: images are fetched for new instances and for changes.',
  ];
}
