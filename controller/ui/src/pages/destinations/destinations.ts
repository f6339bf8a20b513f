// What is typed of a destination of backups: its first values, its rules, and what is sent.
import type { Destination, DestinationCreate, DestinationStatus, DestinationUpdate, Encryption, Place } from '@/api/types';
import type { State } from '@/lib/status';

export const destinationState: Record<DestinationStatus, State> = {
  unchecked: { label: 'Not tried', tone: 'idle' },
  ok: { label: 'Works', tone: 'good' },
  failed: { label: 'Fails', tone: 'bad' },
};

export const KINDS: { value: Place['kind']; label: string }[] = [
  { value: 's3', label: 'S3' },
  { value: 'sftp', label: 'SFTP' },
  { value: 'local', label: 'Directory' },
];

export const ENCRYPTIONS: { value: Encryption; label: string; hint: string }[] = [
  { value: 'managed', label: 'For the organization', hint: 'With a key that is kept here, sealed. Backups are proven by restoring them.' },
  { value: 'recipients', label: 'For keys of your own', hint: 'Nobody without such a key opens a backup, this controller neither.' },
  { value: 'none', label: 'Not encrypted', hint: 'Whoever reads the files there reads the backups.' },
];

export interface DestinationValues {
  name: string;
  kind: Place['kind'];
  endpoint: string;
  region: string;
  bucket: string;
  prefix: string;
  path_style: boolean;
  access_key_id: string;
  ca_certificate: string;
  host: string;
  port: number | string;
  username: string;
  /** Of an SSH server, or of the managed servers. */
  path: string;
  host_key: string;
  /** Empty: the stored one, where there is one. */
  secret: string;
  encryption: Encryption;
  /** One key a line. */
  recipients: string;
}

const EMPTY: DestinationValues = {
  name: '',
  kind: 's3',
  endpoint: '',
  region: '',
  bucket: '',
  prefix: '',
  path_style: false,
  access_key_id: '',
  ca_certificate: '',
  host: '',
  port: 22,
  username: '',
  path: '',
  host_key: '',
  secret: '',
  encryption: 'managed',
  recipients: '',
};

export function destinationValues(destination: Destination | null): DestinationValues {
  if (!destination) return EMPTY;
  const { name, config, encryption, recipients } = destination;
  const typed = Object.fromEntries(Object.entries(config).map(([field, value]) => [field, value ?? '']));
  return { ...EMPTY, ...typed, name, encryption, recipients: recipients.join('\n') };
}

/** The place that was typed. */
export function placeOf(values: DestinationValues): Place {
  const text = (field: 'endpoint' | 'ca_certificate' | 'host_key') => values[field].trim() || null;
  switch (values.kind) {
    case 's3':
      return {
        kind: 's3',
        endpoint: text('endpoint'),
        region: values.region.trim(),
        bucket: values.bucket.trim(),
        prefix: values.prefix.trim(),
        path_style: values.path_style,
        access_key_id: values.access_key_id.trim(),
        ca_certificate: text('ca_certificate'),
      };
    case 'sftp':
      return {
        kind: 'sftp',
        host: values.host.trim(),
        port: Number(values.port),
        username: values.username.trim(),
        path: values.path.trim(),
        host_key: text('host_key'),
      };
    case 'local':
      return { kind: 'local', path: values.path.trim() };
  }
}

/** Whether the stored secret stays: it is for its service and its user alone. */
export function keepsSecret(values: DestinationValues, stored: Destination | null): boolean {
  if (!stored?.has_secret || stored.config.kind !== values.kind) return false;
  const before = destinationValues(stored);
  const fields = values.kind === 's3'
    ? (['endpoint', 'access_key_id', 'ca_certificate'] as const)
    : (['host', 'port', 'username', 'host_key'] as const);
  return fields.every((field) => String(values[field]).trim() === String(before[field]));
}

const needed = (kind: Place['kind'], problem: string) => (text: string, values: DestinationValues) =>
  values.kind === kind && !text.trim() ? problem : null;

export const destinationRules = (stored: Destination | null) => ({
  name: (text: string) => {
    if (!text.trim()) return 'What is it called?';
    return [...text.trim()].length > 64 ? 'At most 64 characters' : null;
  },
  endpoint: (text: string, { kind }: DestinationValues) =>
    kind === 's3' && text.trim() && !/^https?:\/\/[^/?#@]+\/?$/.test(text.trim()) ? 'The service’s address alone, such as https://s3.example.com' : null,
  region: needed('s3', 'Which one? Where there are none, us-east-1'),
  bucket: (text: string, { kind }: DestinationValues) =>
    kind === 's3' && !/^[a-z0-9][a-z0-9.-]{2,62}$/.test(text.trim()) ? '3 to 63 small letters, digits, dots and hyphens' : null,
  access_key_id: needed('s3', 'Whose bucket is it?'),
  host: needed('sftp', 'Which one? Such as backup.example.com'),
  port: (port: number | string, { kind }: DestinationValues) =>
    kind === 'sftp' && !(Number.isInteger(Number(port)) && Number(port) > 0 && Number(port) < 65_536) ? 'Between 1 and 65535' : null,
  username: needed('sftp', 'Who signs in there?'),
  path: (text: string, { kind }: DestinationValues) =>
    kind === 'local' && !/^\/./.test(text.trim()) ? 'From the root on, such as /var/backups/ocore' : null,
  secret: (secret: string, values: DestinationValues) => {
    if (values.kind === 'local' || secret || keepsSecret(values, stored)) return null;
    if (stored?.has_secret) return 'Give it again: the stored one is for another service or user';
    return values.kind === 's3' ? 'It goes with the access key' : 'A password, or a private key';
  },
  recipients: (text: string, { encryption }: DestinationValues) =>
    encryption === 'recipients' && !text.trim() ? 'At least one: age1…' : null,
});

/** The API's names for the form's fields. */
export const DESTINATION_FIELDS = {
  name: 'name',
  secret: 'secret',
  encryption: 'encryption',
  recipients: 'recipients',
  'config.endpoint': 'endpoint',
  'config.region': 'region',
  'config.bucket': 'bucket',
  'config.prefix': 'prefix',
  'config.path_style': 'path_style',
  'config.access_key_id': 'access_key_id',
  'config.ca_certificate': 'ca_certificate',
  'config.host': 'host',
  'config.port': 'port',
  'config.username': 'username',
  'config.path': 'path',
  'config.host_key': 'host_key',
};

const keysOf = ({ encryption, recipients }: DestinationValues) =>
  encryption === 'recipients' ? recipients.split(/\s+/).filter(Boolean) : [];

export function createBody(values: DestinationValues): DestinationCreate {
  return {
    name: values.name.trim(),
    config: placeOf(values),
    secret: values.kind === 'local' ? undefined : values.secret,
    encryption: values.encryption,
    recipients: keysOf(values),
  };
}

/** What became otherwise. */
export function updateBody(values: DestinationValues, stored: Destination): DestinationUpdate {
  const before = destinationValues(stored);
  const body: DestinationUpdate = {};
  if (values.name.trim() !== stored.name) body.name = values.name.trim();
  if (JSON.stringify(placeOf(values)) !== JSON.stringify(placeOf(before))) body.config = placeOf(values);
  if (values.secret && values.kind !== 'local') body.secret = values.secret;
  if (values.encryption !== stored.encryption) body.encryption = values.encryption;
  if (keysOf(values).join() !== stored.recipients.join()) body.recipients = keysOf(values);
  return body;
}

/** Where it is, in a line. */
export function placeText(config: Place): string {
  switch (config.kind) {
    case 's3':
      return `${config.bucket}${config.prefix ? `/${config.prefix}` : ''} at ${config.endpoint?.replace(/^https?:\/\//, '') ?? `Amazon, ${config.region}`}`;
    case 'sftp':
      return `${config.username}@${config.host}${config.port === 22 ? '' : `:${config.port}`}:${config.path || '.'}`;
    case 'local':
      return `${config.path} on each server`;
  }
}

/** What follows from removing one, a line each. */
export function consequencesOf({ has_secret }: Destination): string[] {
  return [
    'What it holds stays there.',
    ...(has_secret ? ['Its secret is forgotten here.'] : []),
    'It can be added again under the same place.',
  ];
}
