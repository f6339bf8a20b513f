import { describe, expect, it } from 'vitest';
import { ApiError } from '@/api/errors';
import type { MemberPermissions, PermissionView, Role, ScopeRef } from '@/api/types';
import { addressProblem, curlOf, stateOfKey } from '@/pages/keys/keys';
import { accessRows, matchesRow, reasonText } from '@/pages/members/access';
import { logoProblem, slugProblem } from '@/pages/organization/rules';
import { fits, grantErrors, grantProblems, placesOf, sameGrants } from './grants';
import { heldAt } from './scope';
import { changesOf, includes, matrixOf, toggled } from './permissions';

const info = (key: string): PermissionView => ({ key, description: `To ${key}` });
const whole: ScopeRef = { type: 'organization', id: null };
const project: ScopeRef = { type: 'project', id: 'p1' };

describe('permissions', () => {
  it('make a table of resources, the unknown last', () => {
    const sections = matrixOf(['manage:servers', 'view:magic', 'terminal:servers', 'view:servers', 'view:org'].map(info));
    expect(sections.map(({ title }) => title)).toEqual(['Organization', 'Servers', 'Other']);
    expect(sections[1]?.rows[0]).toMatchObject({ resource: 'servers', view: { key: 'view:servers' }, manage: { key: 'manage:servers' }, special: [{ key: 'terminal:servers' }] });
    expect(sections[2]?.rows[0]?.manage).toBeNull();
  });
  it('keep viewing and managing consistent', () => {
    expect(toggled([], 'manage:jobs').sort()).toEqual(['manage:jobs', 'view:jobs']);
    expect(toggled(['manage:jobs', 'view:jobs'], 'view:jobs')).toEqual([]);
    expect(toggled(['manage:jobs', 'view:jobs'], 'manage:jobs')).toEqual(['view:jobs']);
    expect(includes(new Set(['manage:jobs']), 'view:jobs')).toBe(true);
    expect(includes(new Set(['manage:jobs']), 'view:audit')).toBe(false);
  });
  it('tell what was added and taken away', () => {
    expect(changesOf(['a:x', 'b:x'], ['b:x', 'c:x'])).toEqual({ added: ['c:x'], removed: ['a:x'] });
  });
});

describe('what is held', () => {
  const effective = [
    { permission: 'view:servers', scope: whole, because: [] },
    { permission: 'manage:instances', scope: project, because: [] },
    { permission: 'files:servers', scope: { type: 'server' as const, id: 's1' }, because: [] },
  ];
  const held = (scope: ScopeRef) => [...heldAt(effective, scope, (id) => (id === 'e1' ? 'p1' : undefined))].sort();
  it('comes from every scope that a place lies in', () => {
    expect(held(whole)).toEqual(['view:servers']);
    expect(held(project)).toEqual(['manage:instances', 'view:servers']);
    expect(held({ type: 'environment', id: 'e1' })).toEqual(['manage:instances', 'view:servers']);
    expect(held({ type: 'environment', id: 'e2' })).toEqual(['view:servers']);
    expect(held({ type: 'server', id: 's2' })).toEqual(['view:servers']);
  });
});

describe('roles in scopes', () => {
  const grant = (role_id: string, scope = whole) => ({ role_id, role: role_id, scope });
  it('are the same in any order', () => {
    expect(sameGrants([grant('a'), grant('b', project)], [grant('b', project), grant('a')])).toBe(true);
    expect(sameGrants([grant('a')], [grant('a', project)])).toBe(false);
  });
  it('need a role and a place, each pair once', () => {
    expect(grantProblems([grant(''), grant('a', { type: 'server', id: null }), grant('b'), grant('b')])).toEqual({
      0: 'Choose a role', 1: 'Choose the server', 3: 'The same role is there twice',
    });
  });
  it('get the problems that the controller tells', () => {
    const error = new ApiError(400, 'validation_failed', 'x', [{ field: 'grants[1].scope.id', constraint: 'exists', message: 'There is no such project.' }]);
    expect(grantErrors(error)).toEqual({ 1: 'There is no such project.' });
  });
  it('are counted by place', () => {
    expect(placesOf([grant('a'), grant('a', project), grant('b', { type: 'project', id: 'p2' }), grant('c', { type: 'server', id: 's' })])).toBe('2 projects, 1 server');
  });
  it('are given by nobody who lacks a part', () => {
    const role = { permissions: ['view:jobs', 'manage:servers'] } as Role;
    expect(fits(role, new Set(['manage:jobs', 'manage:servers']))).toBe(true);
    expect(fits(role, new Set(['manage:jobs']))).toBe(false);
  });
});

describe('why can she', () => {
  const access: MemberPermissions = {
    is_owner: false,
    version: 1,
    effective: [
      { permission: 'view:jobs', scope: whole, because: ['role viewer', 'override'] },
      { permission: 'view:jobs', scope: project, because: ['role developer'] },
    ],
    overrides: [
      { permission: 'view:jobs', effect: 'allow', created_at: '' },
      { permission: 'view:servers', effect: 'deny', created_at: '' },
    ],
  };
  const rows = accessRows(['view:jobs', 'view:servers', 'manage:servers', 'view:dns'].map(info), access);
  it('names each reason with its scope', () => {
    expect(rows[0]?.reasons).toHaveLength(2);
    expect(rows[0]?.reasons[0]?.because.map(reasonText)).toEqual(['role viewer', 'exception']);
  });
  it('says what an exception takes, and what goes with it', () => {
    expect(rows[1]).toMatchObject({ exception: 'deny', deniedWith: null, reasons: [] });
    expect(rows[2]).toMatchObject({ exception: null, deniedWith: 'view:servers' });
    expect(rows[3]).toMatchObject({ exception: null, deniedWith: null });
  });
  it('is found by words in any order', () => {
    expect(matchesRow(rows[2]!, 'servers manage')).toBe(true);
    expect(matchesRow(rows[2]!, 'backups')).toBe(false);
  });
});

describe('keys', () => {
  it('are tried out on what they may see', () => {
    const of = (permissions: string[], scope = whole) => curlOf('https://o.example', 'acme', 'ocore_k_x', { permissions, scope });
    expect(of(['manage:instances'])).toContain('https://o.example/api/instances ');
    expect(of(['view:members'])).toContain('/api/members ');
    expect(of(['view:members'], project)).toContain('/api/orgs ');
    expect(of(['view:dns'])).toContain("-H 'Authorization: Bearer ocore_k_x'");
  });
  it('say how they stand', () => {
    const key = (part: object) => ({ revoked_at: null, expires_at: null, ...part }) as Parameters<typeof stateOfKey>[0];
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(stateOfKey(key({}), now).label).toBe('Active');
    expect(stateOfKey(key({ expires_at: '2026-01-03T00:00:00Z' }), now).label).toBe('Ends soon');
    expect(stateOfKey(key({ expires_at: '2025-12-31T00:00:00Z' }), now).label).toBe('Expired');
    expect(stateOfKey(key({ revoked_at: '2025-12-31T00:00:00Z' }), now).label).toBe('Revoked');
  });
  it('are limited to addresses and networks', () => {
    expect(addressProblem(['192.0.2.7', '192.0.2.0/24', '2001:db8::/32'])).toBeNull();
    expect(addressProblem(['example.com'])).toContain('example.com');
    expect(addressProblem(['abc'])).not.toBeNull();
  });
});

describe('organizations', () => {
  it('have slugs that fit into addresses', () => {
    expect(slugProblem('acme-2')).toBeNull();
    for (const wrong of ['ab', '-acme', 'acme-', 'Acme', 'a b c']) expect(slugProblem(wrong)).not.toBeNull();
  });
  it('have logos over https', () => {
    expect(logoProblem('')).toBeNull();
    expect(logoProblem('https://example.com/a.png')).toBeNull();
    expect(logoProblem('http://example.com/a.png')).not.toBeNull();
  });
});
