import { describe, expect, it } from 'vitest';
import type { Verification } from '@/api/types';
import { changesOf, frameOf, valueText } from './diff';
import { exportUrl, filterOf, provenBy, timeProblem } from './filter';

const short = (before: unknown, after: unknown) => changesOf(before, after).map(({ path, kind }) => `${kind} ${path}`);

describe('changes', () => {
  it('name each field that was added, removed or changed', () => {
    expect(short({ name: 'a', gone: 1, limits: { cpus: 1, memory_mb: 2 } }, { name: 'a', limits: { cpus: 2, memory_mb: 2 }, fresh: null })).toEqual([
      'same name', 'removed gone', 'changed limits.cpus', 'same limits.memory_mb', 'added fresh',
    ]);
  });
  it('go through what was made or removed as a whole', () => {
    expect(short(null, { name: 'a', limits: { cpus: 1 } })).toEqual(['added name', 'added limits.cpus']);
    expect(short({ name: 'a' }, null)).toEqual(['removed name']);
    expect(short(null, null)).toEqual([]);
  });
  it('tell none from something', () => {
    expect(short({ mail: null }, { mail: { host: 'h' } })).toEqual(['added mail.host']);
    expect(short({ env: {} }, { env: { A: '•••' } })).toEqual(['added env.A']);
    expect(short({ env: {} }, { env: {} })).toEqual(['same env']);
    expect(short({ a: null }, { a: 1 })).toEqual(['changed a']);
  });
  it('say of a list what came in and what went out, whatever the order of keys', () => {
    const [found] = changesOf({ events: ['a', 'b', { x: 1, y: 2 }] }, { events: ['b', { y: 2, x: 1 }, 'c'] });
    expect(found?.items).toEqual({ added: ['c'], removed: ['a'], kept: 2 });
  });
  it('compare objects of a list by their id', () => {
    expect(short({ oauth: [{ id: 'x', name: 'X' }] }, { oauth: [{ id: 'y', name: 'Y' }, { id: 'x', name: 'Z' }] })).toEqual([
      'same oauth.x.id', 'changed oauth.x.name', 'added oauth.y.id', 'added oauth.y.name',
    ]);
  });
  it('show that a secret was changed and never what it is', () => {
    const [same, changed] = changesOf({ env: { A: '•••', B: '•••' } }, { env: { A: '•••', B: '••• (changed)' } });
    expect([same?.kind, changed?.kind, changed?.masked]).toEqual(['same', 'changed', true]);
    expect(valueText('••• (changed)')).toBe('hidden');
    expect(valueText(true, 'mail.password_set')).toBe('set (hidden)');
  });
  it('set aside what changes with every change', () => {
    expect(changesOf({ version: 1, name: 'a' }, { version: 2, name: 'b' }).filter((c) => !c.bookkeeping).map((c) => c.path)).toEqual(['name']);
  });
  it('are framed by what happened', () => {
    expect(frameOf('role.created', null, {})).toBe('made');
    expect(frameOf('settings.mail_tested', null, {})).toBe('details');
    expect(frameOf('role.deleted', {}, null)).toBe('removed');
    expect(frameOf('role.updated', {}, {})).toBe('changed');
    expect(frameOf('instance.restarted', null, undefined)).toBe('none');
  });
  it('read well', () => {
    expect([null, '', false, 3, ['a', 'b'], []].map((value) => valueText(value))).toEqual(['none', 'empty', 'no', '3', 'a, b', 'empty']);
  });
});

describe('filters', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  it('become what the API takes', () => {
    expect(filterOf({ q: 'x', period: '24' }, now)).toEqual({ q: 'x', from: '2026-01-01T00:00:00.000Z' });
    expect(filterOf({ action: 'a.b' }, now)).toEqual({ action: 'a.b' });
    const custom = filterOf({ period: 'custom', from: '2026-01-01T10:00', to: '' }, now);
    expect(custom).toEqual({ from: new Date('2026-01-01T10:00').toISOString(), to: undefined });
    expect(timeProblem({ period: 'custom', from: '2026-01-02T10:00', to: '2026-01-01T10:00' })).not.toBeNull();
  });
  it('go into an export', () => {
    expect(exportUrl({ q: 'a b', to: undefined }, 'csv', 'acme')).toBe('/api/audit-logs/export?q=a+b&format=csv&org=acme');
    expect(exportUrl({ organization_id: 'o' }, 'json', null)).toBe('/api/admin/audit-logs/export?organization_id=o&format=json');
  });
});

describe('a verification in words', () => {
  const found = { entries: 3, first_seq: 1, last_seq: 3, unsealed: 0, heads_checked: 0 } as Verification;
  it('claims no more than was proven', () => {
    expect(provenBy(found)).toHaveLength(2);
    expect(provenBy({ ...found, heads_checked: 2 }).join(' ')).toContain('2 signed copies');
    expect(provenBy({ ...found, first_seq: 9, last_seq: 11, unsealed: 1 }).join(' ')).toMatch(/before entry 9.*1 newer entry is/);
    expect(provenBy({ ...found, entries: 0, last_seq: 0 })).toEqual(['No entry was sealed yet.']);
  });
});
