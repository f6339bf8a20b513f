import { describe, expect, it } from 'vitest';
import type { Destination } from '@/api/types';
import { consequencesOf, createBody, destinationRules, destinationValues, keepsSecret, placeText, updateBody } from './destinations';

const s3 = {
  id: 'd', name: 'Off-site', has_secret: true, encryption: 'managed', recipients: [],
  config: { kind: 's3', endpoint: 'https://s3.example.com', region: 'eu', bucket: 'acme', prefix: 'odoo', path_style: true, access_key_id: 'AKIA', ca_certificate: null },
} as unknown as Destination;
const sftp = {
  ...s3, name: 'Box', config: { kind: 'sftp', host: 'box.example.com', port: 23, username: 'ocore', path: '', host_key: 'SHA256:abc' },
} as Destination;
const values = (part: object, of: Destination | null = s3) => ({ ...destinationValues(of), ...part });

describe('a destination', () => {
  it('says where it is', () => {
    expect(placeText(s3.config)).toBe('acme/odoo at s3.example.com');
    expect(placeText(sftp.config)).toBe('ocore@box.example.com:23:.');
    expect(placeText({ kind: 'local', path: '/mnt' })).toBe('/mnt on each server');
  });
  it('keeps its secret only for its own service and user', () => {
    expect(keepsSecret(values({ bucket: 'other', prefix: '' }), s3)).toBe(true);
    for (const part of [{ endpoint: 'https://other.example.com' }, { access_key_id: 'other' }, { kind: 'sftp' }]) {
      expect(keepsSecret(values(part), s3)).toBe(false);
    }
    expect(keepsSecret(values({ path: 'elsewhere' }, sftp), sftp)).toBe(true);
    expect(keepsSecret(values({ port: 22 }, sftp), sftp)).toBe(false);
    const { secret } = destinationRules(s3);
    expect(secret('', values({ access_key_id: 'other' }))).toContain('again');
    expect(secret('', values({ kind: 'local' }))).toBeNull();
    expect(destinationRules(null).secret('', values({}, null))).not.toBeNull();
  });
  it('asks only for what its kind needs', () => {
    const { bucket, host, path, endpoint, recipients } = destinationRules(null);
    expect(bucket('', values({ kind: 'sftp' }))).toBeNull();
    expect(bucket('Acme', values({}))).not.toBeNull();
    expect(host('', values({}))).toBeNull();
    expect(path('mnt', values({ kind: 'local' }))).not.toBeNull();
    expect(endpoint('https://s3.example.com/acme', values({}))).not.toBeNull();
    expect(recipients('', values({ encryption: 'recipients' }))).not.toBeNull();
  });
  it('is sent as it was typed, and of one that is there what became otherwise', () => {
    const typed = values({ name: ' Disk ', kind: 'local', path: '/mnt ', encryption: 'none', secret: 'x' }, null);
    expect(createBody(typed)).toEqual({ name: 'Disk', config: { kind: 'local', path: '/mnt' }, secret: undefined, encryption: 'none', recipients: [] });
    expect(updateBody(values({}), s3)).toEqual({});
    expect(updateBody(values({ name: 'New', secret: 's' }), s3)).toEqual({ name: 'New', secret: 's' });
    expect(updateBody(values({ bucket: 'other' }), s3).config).toEqual({ ...s3.config, bucket: 'other' });
    expect(updateBody(values({ encryption: 'recipients', recipients: 'age1a\n age1b' }), s3)).toEqual({ encryption: 'recipients', recipients: ['age1a', 'age1b'] });
  });
  it('says what its end means', () => {
    expect(consequencesOf(s3)).toHaveLength(3);
    expect(consequencesOf({ ...s3, has_secret: false })).toHaveLength(2);
  });
});
