import { describe, expect, it } from 'vitest';
import type { Registry } from '@/api/types';
import { addressProblem, consequencesOf, createBody, passwordProblem, registryRules, registryValues, updateBody } from './registries';

const stored = { address: 'registry.example.com', username: 'ci', has_password: true, mirror_of: null, description: '' } as Registry;
const values = (part: object) => ({ ...registryValues(stored), ...part });

describe('a registry', () => {
  it('is a host, with a port where one is needed', () => {
    for (const good of ['docker.io', 'registry.example.com:5000', 'localhost', 'hub:5000', ' ghcr.io ']) expect(addressProblem(good)).toBeNull();
    for (const bad of ['', 'hub', '-a.b', 'a.b:0', 'a.b:99999', 'a.b:1:2', 'a_b.c']) expect(addressProblem(bad)).not.toBeNull();
    expect(addressProblem('https://ghcr.io')).toContain('without https://');
    expect(addressProblem('ghcr.io/acme')).toContain('without a path');
  });
  it('keeps its password only for its own address and user', () => {
    expect(passwordProblem(values({}), stored)).toBeNull();
    expect(passwordProblem(values({ username: 'other' }), stored)).toContain('again');
    expect(passwordProblem(values({ address: 'elsewhere.example.com' }), stored)).toContain('again');
    expect(passwordProblem(values({ username: '' }), stored)).toBeNull();
    expect(passwordProblem(values({}), null)).toContain('token');
  });
  it('is no mirror of itself, and has no password without a user', () => {
    const { mirror_of, username } = registryRules(null);
    expect(mirror_of('docker.io', values({ address: 'docker.io' }))).not.toBeNull();
    expect(mirror_of('', values({}))).toBeNull();
    expect(username('', values({ password: 'x' }))).not.toBeNull();
  });
  it('is sent as it was typed, and what was emptied as null', () => {
    expect(createBody({ ...registryValues(null), address: ' ghcr.io ' })).toEqual({ address: 'ghcr.io', description: '' });
    const touched = (...fields: string[]) => (field: string) => fields.includes(field);
    expect(updateBody(values({ username: '', mirror_of: '' }), touched('username', 'mirror_of'))).toEqual({ username: null, mirror_of: null });
    expect(updateBody(values({ password: '' }), touched('password'))).toEqual({});
    expect(updateBody(values({ password: 'new' }), touched('password'))).toEqual({ password: 'new' });
  });
  it('says what its end means', () => {
    expect(consequencesOf(stored)[0]).toContain('password is forgotten');
    expect(consequencesOf({ ...stored, has_password: false, mirror_of: 'docker.io' })[0]).toContain('docker.io');
  });
});
