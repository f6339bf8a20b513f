// Made-up people, roles and keys for the mock server: enough to see every page of an organization.
import { randomUUID } from 'node:crypto';
import { ago, now } from './data.mjs';
import { environments, projects } from './projects.mjs';

const RESOURCES = ['org', 'settings', 'members', 'roles', 'api-keys', 'audit', 'billing', 'servers', 'projects', 'instances', 'databases', 'backups', 'domains', 'dns', 'jobs', 'webhooks', 'credentials'];
const SPECIAL = { 'terminal:servers': 'Open a root shell on servers', 'files:servers': 'Read and write files of servers', 'console:instances': 'Open a shell in instances', 'files:instances': 'Read and write files of instances', 'download:backups': 'Download backups' };
const list = [...RESOURCES.flatMap((r) => [{ key: `view:${r}`, description: `See ${r}` }, { key: `manage:${r}`, description: `Change ${r}` }]), ...Object.entries(SPECIAL).map(([key, description]) => ({ key, description }))];
export const permissions = list.map(({ key }) => key);
const views = permissions.filter((key) => key.startsWith('view:'));

const whole = { type: 'organization', id: null };
const stamp = { version: 1, created_at: ago(9e5), updated_at: ago(9e4) };
const role = (name, description, is_system, held) => ({ id: randomUUID(), name, description, is_system, permissions: held, member_count: 0, ...stamp });
const roles = [
  role('owner', 'Everything; alone deletes or transfers the organization and manages billing', true, permissions),
  role('admin', 'Everything but deleting, transferring and billing', true, permissions.filter((key) => key !== 'manage:billing')),
  role('developer', 'Sees all but the audit log; manages projects, instances, databases and backups', true, [...views, 'manage:projects', 'manage:instances', 'manage:backups', 'console:instances']),
  role('viewer', 'Sees; no secrets, no downloads', true, views),
  role('support', 'Restarts instances and opens shells', false, ['view:servers', 'view:instances', 'manage:instances', 'console:instances']),
];
const named = (name) => roles.find((one) => one.name === name);
const grant = (name, scope = whole) => ({ role_id: named(name).id, role: name, scope });

const member = (id, name, grants, rest) => ({ id, name, email: `${name.split(' ')[0].toLowerCase()}@acme.example`, role: grants[0]?.role ?? 'member', is_owner: grants[0]?.role === 'owner', grants, second_factor: false, last_login_at: ago(4000), joined_at: ago(8e6), version: 1, ...rest });
const members = [
  member('u', 'Ada Martin', [grant('owner')], { second_factor: true, last_login_at: ago(60) }),
  member('g', 'Grace Hopper', [grant('developer'), grant('support', { type: 'environment', id: environments[0].id })]),
  member('n', 'Nina Simone', [grant('viewer'), grant('developer', { type: 'project', id: projects[0].id })]),
  ...Array.from({ length: 12 }, (_, i) => member(`m${i}`, `Person ${i + 1}`, [grant(i % 3 ? 'viewer' : 'admin')], { email: `person${i + 1}@acme.example` })),
];
const overrides = new Map([['n', [{ permission: 'view:billing', effect: 'deny', created_at: ago(999) }, { permission: 'view:audit', effect: 'allow', created_at: ago(999) }]]]);
const invitation = (email, status, name) => ({ id: randomUUID(), email, role: name, role_id: named(name).id, status, invited_by: { type: 'user', id: 'u', name: 'Ada Martin' }, expires_at: ago(-5e5), accepted_at: null, ...stamp });
const invitations = [invitation('linus@acme.example', 'pending', 'developer'), invitation('old@acme.example', 'expired', 'viewer'), invitation('grace@acme.example', 'accepted', 'developer')];
const accounts = [{ id: randomUUID(), name: 'ci-runner', description: 'Deploys from the pipeline', grants: [grant('developer')], key_count: 1, ...stamp }];
const key = (name, rest) => ({ id: randomUUID(), name, prefix: 'ocore_k_4fk2Qx', permissions: ['view:servers', 'view:instances', 'manage:instances'], scope: whole, allowed_addresses: [], expires_at: ago(-8e6), last_used_at: ago(70), revoked_at: null, service_account_id: null, previous_until: null, ...stamp, ...rest });
const keys = [key('Deploy pipeline', { service_account_id: accounts[0].id, previous_until: ago(-4e4) }), key('Monitoring', { permissions: ['view:servers'], allowed_addresses: ['192.0.2.0/24'], expires_at: ago(-2e5) }), key('Old script', { revoked_at: ago(9e4) })];
const organization = { id: 'org', name: 'Acme Hosting', slug: 'acme', logo_url: null, ...stamp };
const settings = { require_second_factor: false, audit_retention_days: 365, version: 1 };

function access({ id, grants, is_owner, version }) {
  const exceptions = overrides.get(id) ?? [];
  const denied = exceptions.filter((one) => one.effect === 'deny').map((one) => one.permission);
  const effective = grants.flatMap(({ role_id, role: name, scope }) => roles.find((one) => one.id === role_id).permissions.filter((p) => !denied.includes(p)).map((permission) => ({ permission, scope, because: [`role ${name}`] })));
  for (const { permission, effect } of exceptions) if (effect === 'allow') effective.push({ permission, scope: whole, because: ['override'] });
  return { is_owner, effective, overrides: exceptions, version };
}

const secret = () => `ocore_k_${randomUUID().replace(/-/g, '')}ABCDEF`;
const link = () => `https://console.acme.example/invite#token=${randomUUID()}`;
const changed = (object, part) => Object.assign(object, part, { version: object.version + 1, updated_at: now() });
const refused = (status, code, message) => ({ status, body: { error: { code, message } } });
const granted = (grants) => grants.map(({ role_id, scope }) => ({ role_id, role: roles.find((one) => one.id === role_id).name, scope }));

/** The answer to a request about an organization, or nothing where it is about something else. */
export function identity(method, url, body, page) {
  const [, , noun, id, verb, sub] = url.pathname.split('/');
  const one = (from) => from.find((x) => x.id === id);
  const remove = (from) => { from.splice(from.indexOf(one(from)), 1); return { status: 204 }; };
  switch (noun) {
    case 'permissions': return { body: { data: list, has_more: false, next_cursor: null } };
    case 'orgs': return { status: 201, body: { ...organization, ...body } };
    case 'org':
      if (id === 'settings') return { body: method === 'GET' ? settings : changed(settings, body) };
      if (id === 'transfer') return { status: 204 };
      if (method === 'DELETE') return refused(409, 'organization_in_use', 'Remove the servers paris-1, paris-2 first; they would be left with nobody.');
      return { body: method === 'GET' ? organization : changed(organization, body) };
    case 'members': {
      if (!id) return { body: page(members, url, ['name', 'email']) };
      if (id === 'invite') {
        const made = invitation(body.email, 'pending', roles.find((r) => r.id === body.role_id).name);
        invitations.unshift(made);
        return { status: 201, body: { ...made, link: link() } };
      }
      const person = one(members);
      if (verb === 'permissions') {
        const others = (overrides.get(id) ?? []).filter((o) => o.permission !== sub);
        if (method !== 'GET') overrides.set(id, method === 'PUT' ? [...others, { permission: sub, effect: body.effect, created_at: now() }] : others);
        return { body: access(person) };
      }
      if (verb === 'grants') return { body: changed(person, { grants: granted(body.grants) }) };
      if (verb === 'role') { const held = roles.find((r) => r.id === body.role_id).name; return { body: changed(person, { role: held, grants: [grant(held), ...person.grants.filter((g) => g.scope.id)] }) }; }
      if (method !== 'DELETE') return { body: person };
      if (id === 'g' && !url.searchParams.get('keys')) return refused(409, 'member_has_keys', 'These API keys end with the member: Monitoring. Say what becomes of them.');
      return url.searchParams.get('dry_run') ? { status: 204 } : remove(members);
    }
    case 'invites':
      if (!id) return { body: page(invitations, url) };
      if (verb === 'preview') return { body: { organization: 'Acme Hosting', role: 'developer', invited_by: 'Ada Martin', email: 'ada@acme.example', has_account: true, expires_at: ago(-5e5) } };
      if (verb === 'accept') return { body: { organization_id: 'org' } };
      if (verb === 'resend') return { body: { ...changed(one(invitations), { status: 'pending' }), link: link() } };
      changed(one(invitations), { status: 'cancelled' });
      return { status: 204 };
    case 'roles':
      if (!id && method === 'GET') return { body: page(roles.map((r) => ({ ...r, member_count: members.filter((m) => m.grants.some((g) => g.role_id === r.id)).length })), url) };
      if (!id) { roles.push({ ...role('', '', false, []), ...body }); return { status: 201, body: roles.at(-1) }; }
      if (method === 'DELETE') return remove(roles);
      return { body: method === 'GET' ? one(roles) : changed(one(roles), body) };
    case 'service-accounts':
      if (!id && method === 'GET') return { body: page(accounts, url) };
      if (!id) { accounts.push({ id: randomUUID(), key_count: 0, ...stamp, ...body, grants: granted(body.grants) }); return { status: 201, body: accounts.at(-1) }; }
      if (method === 'DELETE') return remove(accounts);
      return { body: method === 'GET' ? one(accounts) : changed(one(accounts), body.grants ? { ...body, grants: granted(body.grants) } : body) };
    case 'api-keys':
      if (!id && method === 'GET') return { body: page(keys, url, ['name']) };
      if (!id) { keys.unshift(key(body.name, { last_used_at: null, ...body })); return { status: 201, body: { ...keys[0], key: secret() } }; }
      if (verb === 'rotate') return { body: { ...changed(one(keys), { previous_until: ago(-body.grace_seconds) }), key: secret() } };
      if (method === 'DELETE') { changed(one(keys), { revoked_at: now() }); return { status: 204 }; }
      return { body: method === 'GET' ? one(keys) : changed(one(keys), body) };
  }
}
