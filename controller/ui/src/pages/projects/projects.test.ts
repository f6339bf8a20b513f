import { describe, expect, it } from 'vitest';
import type { Environment, Instance } from '@/api/types';
import { byName, freeName, lossesOf, projectBody, projectValues } from './projects';

const environment = (type: Environment['type'], instances_count: number) => ({ name: 'Corner', type, instances_count }) as Environment;
const instance = (name: string) => ({ name, database_name: name, server_name: 'iron-1' }) as Instance;

describe('projects', () => {
  it('leave the version to each instance where none is chosen', () => {
    expect(projectBody({ ...projectValues(null), name: ' Acme ' })).toEqual({ name: 'Acme', description: '', odoo_version: null });
  });
  it('stand by their names', () => {
    expect(byName([{ name: 'beta' }, { name: 'Alpha' }]).map(({ name }) => name)).toEqual(['Alpha', 'beta']);
  });
});

describe('an environment', () => {
  it('gets a name that is free', () => {
    expect(freeName('staging', ['Production'])).toBe('Staging');
    expect(freeName('staging', ['staging', 'Staging 2'])).toBe('Staging 3');
  });
  it('names what goes with it, and what stays', () => {
    expect(lossesOf(environment('development', 1), [instance('shop')])[0]).toContain('shop: its containers, the database shop and all files on iron-1');
    expect(lossesOf(environment('staging', 1), [instance('shop')])[0]).toContain('stay in volumes on iron-1');
    expect(lossesOf(environment('production', 0), [])).toHaveLength(1);
  });
  it('tells of more instances than it names, also where none may be seen', () => {
    const many = Array.from({ length: 20 }, (_, n) => instance(`shop-${n}`));
    expect(lossesOf(environment('staging', 130), many)[12]).toBe('118 more instances.');
    expect(lossesOf(environment('development', 2), null)[0]).toBe('2 instances with all data, at once and for good.');
  });
});
