// The mock's webhooks, notices, audit log and administration.
import { randomUUID } from 'node:crypto';
import { ago, now } from './data.mjs';

const found = (body, status = 200) => ({ status, body });
const refused = (status, code, message, errors) => ({ status, body: { error: { code, message, errors } } });
const gone = refused(404, 'not_found', 'It was not found.');
const ada = { type: 'user', id: 'u', name: 'Ada Martin' };

function page(list, url, fields = [], exact = []) {
  const q = url.searchParams.get('q')?.toLowerCase();
  let all = list;
  for (const name of exact) {
    const wanted = url.searchParams.get(name);
    if (wanted) all = all.filter((x) => String(x[name]) === wanted);
  }
  if (q) all = all.filter((x) => fields.some((field) => String(field(x) ?? '').toLowerCase().includes(q)));
  const limit = Number(url.searchParams.get('limit') ?? 20);
  const from = Number(url.searchParams.get('cursor') ?? 0);
  const more = from + limit < all.length;
  return { data: all.slice(from, from + limit), has_more: more, next_cursor: more ? String(from + limit) : null };
}

const TYPES = ['api_key.created', 'api_key.revoked', 'instance.created', 'instance.deleted', 'instance.error', 'instance.started', 'instance.stopped', 'job.failed', 'job.succeeded', 'member.invited', 'member.joined', 'member.left', 'notice.cleared', 'notice.raised', 'role.created', 'role.deleted', 'server.created', 'server.offline', 'server.online', 'webhook_endpoint.disabled', 'webhook_endpoint.tested'];
const event = (type, id = randomUUID()) => ({ id, type, created_at: now(), organization_id: 'org', actor: ada, subject: { type: type.split('.')[0], id: 's1', name: type.startsWith('server') ? 'paris-1' : 'Acme production' }, data: {} });
const eventTypes = TYPES.map((type) => ({ type, description: `Something about ${type.split('.')[0].replace('_', ' ')} has happened: ${type.split('.')[1]}.`, sample: event(type) }));

const hook = (url, extra = {}) => ({ id: randomUUID(), url, description: '', events: ['instance.error', 'job.failed', 'server.offline'], active: true, disabled_reason: null, failing_since: null, previous_secret_until: null, version: 1, created_at: ago(9e5), updated_at: ago(9e4), ...extra });
const hooks = [
  hook('https://chat.acme.example/hooks/night-shift', { description: 'Chat room of the night shift' }),
  hook('https://tickets.acme.example/ocore', { events: ['*'], failing_since: ago(7300) }),
  hook('https://old.acme.example/in', { active: false, disabled_reason: 'Nothing came through for 3 days.', failing_since: ago(3e5) }),
];
const attempt = (number, status, problem = null) => ({ number, started_at: ago(60 * (12 - number)), milliseconds: status ? 143 : 15000, status, request_headers: { 'content-type': 'application/json', 'user-agent': 'oCore-Webhooks/0.1.0', 'webhook-id': '0197a5a0-0000-7000-8000-00000000000a', 'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'webhook-timestamp': '1767607200' }, response_headers: status ? { 'content-type': 'text/plain', date: 'Mon, 05 Jan 2026 10:00:00 GMT' } : null, response_body: status ? (status < 300 ? 'ok' : '<html><body>Bad gateway</body></html>') : null, problem });
const delivery = (endpoint_id, type, status, attempts, extra = {}) => ({ id: randomUUID(), endpoint_id, event_id: randomUUID(), event_type: type, subject_id: 's1', status, out_of_order: false, replay_of: null, attempt_count: attempts.length, attempts, payload: event(type), next_attempt_at: status === 'pending' ? ago(-80) : null, finished_at: status === 'pending' ? null : ago(50), created_at: ago(700), ...extra });
const deliveries = [
  ...hooks.flatMap(({ id }) => [
    delivery(id, 'server.offline', 'pending', [attempt(2, 502, 'It answered 502 Bad Gateway; only 2xx counts.'), attempt(1, null, 'There was no whole answer within 15 s.')]),
    delivery(id, 'instance.started', 'delivered', [attempt(1, 204)], { out_of_order: true }),
    delivery(id, 'job.failed', 'failed', [attempt(11, 500, 'It answered 500; only 2xx counts.')], { attempt_count: 21 }),
  ]),
];

const entry = (i, action, actor, subject, before = null, after = null) => ({ id: randomUUID(), organization_id: 'org', seq: i === 0 ? null : 2400 - i, action, actor, subject, before, after, address: actor.type === 'system' ? null : '192.0.2.7', user_agent: actor.type === 'system' ? null : 'Mozilla/5.0 (X11; Linux x86_64)', request_id: randomUUID(), created_at: ago(i * 431) });
const robot = { type: 'api_key', id: 'k', name: 'Deploy pipeline' };
const system = { type: 'system', id: '00000000-0000-0000-0000-000000000000', name: 'oCore' };
const SHAPES = [
  ['role.updated', ada, { type: 'role', id: 'r', name: 'support' }, { name: 'support', permissions: ['view:servers', 'view:jobs'], version: 3, updated_at: ago(9e4) }, { name: 'support', permissions: ['view:servers', 'view:instances', 'console:instances'], version: 4, updated_at: ago(4) }],
  ['instance.settings_updated', robot, { type: 'instance', id: 'i', name: 'Acme production' }, { name: 'Acme production', env: { SMTP_HOST: '•••', TOKEN: '•••' }, limits: { cpus: 2, memory_mb: 2048 }, labels: {} }, { name: 'Acme production', env: { SMTP_HOST: '•••', TOKEN: '••• (changed)' }, limits: { cpus: 4, memory_mb: 2048 }, labels: { tier: 'gold' } }],
  ['server.created', ada, { type: 'server', id: 's', name: 'paris-2' }, null, { name: 'paris-2', labels: { region: 'eu' }, schedulable: true }],
  ['instance.restarted', ada, { type: 'instance', id: 'i', name: 'Acme production' }],
  ['webhook_endpoint.deleted', ada, { type: 'webhook_endpoint', id: 'w', name: 'https://old.acme.example/in' }, { url: 'https://old.acme.example/in', events: ['*'], active: false }, null],
  ['settings.updated', ada, { type: 'settings', id: 'x', name: 'platform' }, { signup: 'closed', mail: null, oauth: [], version: 1 }, { signup: 'invitation', mail: { host: 'smtp.acme.example', port: 587, password_set: true }, oauth: [{ id: 'sso', name: 'Company', client_secret_set: true }], version: 2 }],
  ['job.failed', system, { type: 'job', id: 'j', name: 'instance_provision' }, null, { code: 'image_not_found', message: 'The image odoo:99 does not exist.' }],
];
const audit = Array.from({ length: 240 }, (_, i) => entry(i, ...SHAPES[i % SHAPES.length]));
const whole = (organization_id = 'org') => ({ organization_id, valid: true, entries: 2399, first_seq: 1, last_seq: 2399, unsealed: 1, sealed_at: ago(1), hash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', signature: 'mF1cKJ8h0wS3b7Hc8Vw2m6x5kY0r4uQ9pZ1tE3nD7aB6sG2fL8jX4vC5yN0oM1iUq2hTe9RzWdKbPAxSgFvJAA==', public_key: 'J4xO5m7sQwBzq1c0cJv1tYk2b8w3n5m7p9r1t3v5x7z=', heads_checked: 57, problem: null });
const broken = { ...whole(), valid: false, entries: 41, problem: { kind: 'missing', seq: 42, entry_id: null, message: 'Entry 42 is missing.' } };

const user = (name, extra = {}) => ({ id: randomUUID(), email: `${name.split(' ')[0].toLowerCase()}@acme.example`, name, is_admin: false, status: 'active', suspended_at: null, suspended_reason: null, email_verified_at: ago(8e6), totp_enabled: false, passkey_count: 0, organization_count: 1, last_login_at: ago(9e3), version: 1, created_at: ago(9e6), updated_at: ago(9e4), ...extra });
const users = [
  user('Ada Martin', { id: 'u', is_admin: true, totp_enabled: true, passkey_count: 2, organization_count: 2 }),
  user('Vic Suspended', { status: 'suspended', suspended_at: ago(4e5), suspended_reason: 'Left the company' }),
  user('Grace Hopper', { totp_enabled: true }),
  user('Wilhelmina-Alexandrina of the very long name', { email_verified_at: null, last_login_at: null, organization_count: 0 }),
  ...Array.from({ length: 30 }, (_, i) => user(`Person${i} Example`)),
];
const organizations = ['Acme Hosting', 'Lab', 'Globex'].map((name, i) => ({ id: ['org', 'org2', 'org3'][i], name, slug: name.split(' ')[0].toLowerCase(), owner_id: 'u', owner_name: 'Ada Martin', owner_email: 'ada@acme.example', member_count: 7 - i, server_count: 45, instance_count: 12, version: 1, created_at: ago(9e6), updated_at: ago(9e5) }));
const usage = { members: 7, invitations: 1, service_accounts: 2, api_keys: 5, projects: 3, environments: 5, servers: 45, servers_online: 43, instances: 12, instances_running: 10, jobs_24h: 31, jobs_failed_24h: 2, audit_entries: 2399, audit_retention_days: 365, require_second_factor: true };

const job = (kind, executor, status, extra = {}) => ({ id: randomUUID(), kind, executor, status, organization_id: executor === 'agent' ? 'org' : null, organization_name: executor === 'agent' ? 'Acme Hosting' : null, server_id: null, instance_id: null, subject: { type: executor === 'agent' ? 'instance' : 'mail', id: randomUUID(), name: executor === 'agent' ? 'Acme production' : 'vic@acme.example' }, lane: executor === 'agent' ? null : 'mail', attempts: 1, waiting: false, run_at: ago(60), deadline_at: ago(-3600), failure: null, cancel_requested: false, created_by: ada, created_at: ago(400), started_at: status === 'queued' ? null : ago(300), finished_at: ['succeeded', 'failed', 'cancelled'].includes(status) ? ago(290) : null, version: 1, ...extra });
const jobs = [
  job('mail_send', 'controller', 'queued', { run_at: ago(-40), attempts: 3, failure: { code: 'mail_refused', message: 'smtp.acme.example: connection refused', retryable: true } }),
  job('webhook_deliver', 'controller', 'failed', { failure: { code: 'not_delivered', message: 'It answered 500; only 2xx counts.', retryable: true } }),
  job('instance_provision', 'agent', 'running'),
  job('instance_restart', 'agent', 'succeeded'),
  job('instance_provision', 'agent', 'failed', { failure: { code: 'image_not_found', message: 'The image odoo:99 does not exist.', retryable: false } }),
];
const queues = [
  { kind: 'instance_provision', executor: 'agent', queued: 0, running: 1, oldest_due_at: null, succeeded_24h: 12, failed_24h: 1 },
  { kind: 'mail_send', executor: 'controller', queued: 3, running: 0, oldest_due_at: ago(260), succeeded_24h: 120, failed_24h: 0 },
  { kind: 'webhook_deliver', executor: 'controller', queued: 2, running: 1, oldest_due_at: ago(4), succeeded_24h: 1840, failed_24h: 7 },
];
const mail = (recipient, subject, status, extra = {}) => ({ id: randomUUID(), organization_id: 'org', recipient, template: 'invitation', subject, status, problem: null, sent_at: status === 'sent' ? ago(100) : null, created_at: ago(200), ...extra });
const mails = [
  mail('vic@acme.example', 'Invitation to Acme Hosting', 'kept'),
  mail('grace@acme.example', 'Choose a new password', 'failed', { problem: '550 5.1.1 The mailbox is not known here.' }),
  mail('ada@acme.example', 'The disk of paris-2 is nearly full', 'sent'),
];
const settings = { signup: 'invitation', mail: { host: 'smtp.acme.example', port: 587, tls: 'starttls', username: 'ocore', password_set: true, from_address: 'noreply@acme.example', from_name: 'oCore' }, mail_source: 'settings', oauth: [{ id: 'sso', kind: 'oidc', name: 'Company', issuer: 'https://sso.acme.example', client_id: 'ocore', client_secret_set: true }, { id: 'github', kind: 'github', name: 'GitHub', issuer: null, client_id: 'Iv1.8a61f9b3a7aba766', client_secret_set: true }], webhooks: { allowed_networks: ['10.20.0.0/16'] }, version: 4 };
const logs = { level: 'info,ocore_controller::fleet=debug', level_source: 'settings', job_log_days: 30, event_days: 7, version: 3 };
const notice = (kind, type, name, message, path = '/servers') => ({ id: randomUUID(), kind, organization_id: 'org', subject: { type, id: randomUUID(), name }, message, page: path, raised_at: ago(5400) });
const notices = [
  notice('server_offline', 'server', 'oslo-1', 'oslo-1 has not been connected since 10:14.'),
  notice('disk_full', 'server', 'paris-2', 'The disk of paris-2 is 93 % full.'),
  { ...notice('webhook_disabled', 'webhook_endpoint', 'https://old.acme.example/in', 'Nothing came through to https://old.acme.example/in for 3 days.'), subject: { type: 'webhook_endpoint', id: hooks[2].id, name: hooks[2].url } },
];

const bump = (object, change) => Object.assign(object, change, { version: object.version + 1, updated_at: now() });
const secret = () => `whsec_${Buffer.from(randomUUID()).toString('base64')}`;

function webhooks(method, url, body, id, verb) {
  if (!id) {
    if (method === 'GET') return found(page(hooks, url, [(h) => h.url, (h) => h.description], ['active']));
    if (body.url.includes('10.')) return refused(400, 'validation_failed', 'Some fields need another value.', [{ field: 'url', message: 'This address may not be called: its host is a private or reserved one. The operator opens networks with --outbound-allow.' }]);
    const made = hook(body.url, { ...body, created_at: now() });
    hooks.unshift(made);
    return found({ ...made, secret: secret() }, 201);
  }
  const one = hooks.find((h) => h.id === id);
  if (!one) return gone;
  if (verb === 'deliveries') return found(page(deliveries.filter((d) => d.endpoint_id === id), url, [], ['status', 'event_type', 'subject_id']));
  if (verb === 'test') return found(one.failing_since ? { ...attempt(1, null, 'No connection: connection refused.'), delivered: false } : { ...attempt(1, 204), delivered: true });
  if (verb === 'rotate-secret') return found({ ...bump(one, { previous_secret_until: ago(-86400) }), secret: secret() });
  if (method === 'PATCH') return found(bump(one, { ...body, ...(body.active ? { disabled_reason: null, failing_since: null } : {}) }));
  if (method === 'DELETE') { hooks.splice(hooks.indexOf(one), 1); return { status: 204 }; }
  return found(one);
}

function people(method, url, body, id, verb) {
  if (!id) {
    if (method === 'GET') return found(page(users, url, [(u) => u.name, (u) => u.email], ['status', 'is_admin']));
    if (users.some((u) => u.email === body.email)) return refused(409, 'email_taken', 'There is an account of this address already.');
    const made = user(body.name, { email: body.email, is_admin: body.is_admin, organization_count: 0, last_login_at: null });
    users.unshift(made);
    return found({ ...made, password_link: body.password ? null : { mailed: false, link: `https://console.acme.example/reset-password?token=${randomUUID()}`, expires_at: ago(-6e5) } }, 201);
  }
  const one = users.find((u) => u.id === id);
  if (!one) return gone;
  if (verb === 'suspend') return found(bump(one, { status: 'suspended', suspended_reason: body.reason, suspended_at: now() }));
  if (verb === 'unsuspend') return found(bump(one, { status: 'active', suspended_reason: null, suspended_at: null }));
  if (verb === 'promote' || verb === 'demote') return found(bump(one, { is_admin: verb === 'promote' }));
  if (verb === 'disable-totp') return found(bump(one, { totp_enabled: false }));
  if (verb === 'reset-password') return found({ mailed: false, link: `https://console.acme.example/reset-password?token=${randomUUID()}`, expires_at: ago(-3600) });
  if (method === 'DELETE') {
    if (one.organization_count > 1) return refused(409, 'owner_of_organization', `This person owns Acme Hosting; have each transferred or deleted first.`);
    if (!url.searchParams.get('dry_run')) users.splice(users.indexOf(one), 1);
    return { status: 204 };
  }
  const theirs = organizations.slice(0, one.organization_count).map(({ id: organization, name, slug }, i) => ({ id: organization, name, slug, is_owner: one.id === 'u' && i === 0, joined_at: ago(8e6) }));
  return found({ ...one, organizations: theirs, session_count: 2, api_key_count: 1 });
}

function administration(method, url, body, noun, id, verb, sub) {
  if (noun === 'users') return people(method, url, body, id, verb);
  if (noun === 'orgs') {
    if (!id) return found(page(organizations, url, [(o) => o.name, (o) => o.slug]));
    const one = organizations.find((o) => o.id === id);
    return one ? found({ ...one, usage }) : gone;
  }
  if (noun === 'jobs') {
    if (!id) return found({ queues, ...page(jobs, url, [], ['status', 'kind', 'executor', 'organization_id']) });
    const one = jobs.find((j) => j.id === id);
    return found(bump(one, verb === 'retry' ? { status: 'queued', failure: null, finished_at: null } : { status: 'cancelled', finished_at: now() }), 202);
  }
  if (noun === 'mails') {
    if (!id) return found(page(mails, url, [(m) => m.recipient], ['status']));
    const one = mails.find((m) => m.id === id);
    if (verb === 'retry') return found(Object.assign(one, { status: 'queued', problem: null }), 202);
    return found({ ...one, text: 'Hello,\n\nAda Martin invites you to Acme Hosting as developer. The link works once, for 7 days.\n\nhttps://console.acme.example/invite#token', link: 'https://console.acme.example/invite#token' });
  }
  if (noun === 'settings' && id === 'logs') return found(method === 'PUT' ? bump(logs, { ...body, ...(body.level === null ? { level: 'info', level_source: 'configuration' } : body.level ? { level_source: 'settings' } : {}) }) : logs);
  if (noun === 'settings' && id === 'mail') return found({ to: body.to, accepted: body.to?.startsWith('ada'), answer: body.to?.startsWith('ada') ? '250 2.0.0 Ok: queued as 4F1c9a7be2' : '550 5.1.1 The mailbox is not known here.' });
  if (noun === 'settings') {
    if (method !== 'PUT') return found(settings);
    if (body.mail) { const { password, ...mailServer } = body.mail; body.mail = { ...mailServer, password_set: Boolean(password) || settings.mail?.password_set }; }
    if (body.oauth) body.oauth = body.oauth.map(({ client_secret, ...one }) => ({ ...one, client_secret_set: true }));
    return found(bump(settings, { ...body, ...(body.mail === null ? { mail_source: 'none' } : body.mail ? { mail_source: 'settings' } : {}) }));
  }
  if (noun === 'metrics') return found({ version: '0.1.0', at: now(), users: { total: users.length, admins: 1, suspended: 1, signed_in_24h: 12, with_second_factor: 9, open_sessions: 21 }, organizations: 3, servers: { online: 43, offline: 1, degraded: 1 }, instances: { running: 10, stopped: 1, error: 1 }, jobs: { queued: 5, running: 2, succeeded_24h: 1972, failed_24h: 8 }, mails: { queued: 1, kept: 1, failed_24h: 1 }, audit: { entries_24h: 412, unsealed: 1 }, replicas: [{ id: randomUUID(), version: '0.1.0', started_at: ago(9e4), agents: 44 }], database_bytes: 184_549_376 });
  if (noun === 'tunnels') return found(page(Array.from({ length: 30 }, (_, i) => ({ server_id: `t${i}`, server_name: i ? `edge-${i}` : 'paris-1', organization_id: 'org', organization_name: 'Acme Hosting', replica_id: 'r', address: `203.0.113.${i + 7}`, epoch: 17 + i, agent_version: '0.1.0', connected_since: ago(9e4 - i * 50), streams: i % 7 ? 1 : null })), url));
  if (noun === 'audit-logs') return id === 'verify' ? found({ valid: true, chains: [whole(null), whole('org'), whole('org2')] }) : listAudit(url, id);
  return undefined;
}

function listAudit(url, id) {
  if (id === 'verify') return found(process.env.MOCK_BROKEN ? broken : whole());
  if (id === 'export') return { status: 200, body: audit };
  const list = audit.filter((e) => (!url.searchParams.get('actor') || e.actor.id === url.searchParams.get('actor')) && (!url.searchParams.get('resource_id') || e.subject.id === url.searchParams.get('resource_id')) && (!url.searchParams.get('resource_type') || e.subject.type === url.searchParams.get('resource_type')) && (!url.searchParams.get('from') || e.created_at >= url.searchParams.get('from')));
  return found(page(list, url, [(e) => e.action, (e) => e.actor.name, (e) => e.subject.name], ['action']));
}

/** An answer, or nothing where the rest of the mock is to answer. */
export function platform(method, url, body) {
  const [, , noun, id, verb, sub] = url.pathname.split('/');
  if (noun === 'webhook-endpoints') return webhooks(method, url, body, id, verb);
  if (noun === 'webhook-events') return found({ data: eventTypes, has_more: false, next_cursor: null });
  if (noun === 'webhook-deliveries') {
    const one = deliveries.find((d) => d.id === id);
    if (!one || verb !== 'replay') return one ? found(one) : gone;
    const again = delivery(one.endpoint_id, one.event_type, 'delivered', [attempt(1, 200)], { replay_of: one.id, payload: one.payload, event_id: one.event_id, created_at: now() });
    deliveries.unshift(again);
    return found({ id: again.id, status: 'pending', message: 'The delivery is sent again.', job_id: randomUUID() }, 202);
  }
  if (noun === 'notices') return found({ data: process.env.MOCK === 'empty' ? [] : notices, has_more: false, next_cursor: null });
  if (noun === 'audit-logs') return listAudit(url, id);
  if (noun === 'tunnel') return found({ connected: 44, disconnected: 1, streams: 44, oldest_connection: ago(9e4), newest_connection: ago(300), replicas: [{ replica_id: 'r', version: '0.1.0', seen_at: ago(2), agents: 44 }] });
  if (noun === 'admin') return administration(method, url, body, id, verb, sub, url.pathname.split('/')[6]);
  return undefined;
}
