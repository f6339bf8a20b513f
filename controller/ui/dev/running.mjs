// What the mock knows of an instance that runs: its names, its database, how it is and what it has used.
import { randomUUID } from 'node:crypto';
import { ago, now, odooLine } from './data.mjs';

const page = (data) => ({ body: { data, has_more: false, next_cursor: null } });
const access = (rest) => ({ allow: [], deny: [], basic_auth: [], redirect_to_primary: false, hsts_seconds: null, ...rest });
const soon = (days) => new Date(Date.now() + days * 86_400_000).toISOString();

function domain(instance, host, state, rest = {}) {
  return {
    id: randomUUID(), instance_id: instance.id, host, name: host, url: `https://${host}`, is_primary: false, automatic: false, state,
    reason: null, retry_at: null, snippets: null, reach: null, active_job_id: null, access: access({}), version: 1, created_at: ago(9e5), updated_at: ago(600),
    dns: { records: [{ type: 'A', name: host, value: '203.0.113.7' }, { type: 'AAAA', name: host, value: '2001:db8::7' }], checked: null },
    certificate: { source: 'acme', issuer: null, not_before: null, not_after: null, serial: null }, ...rest,
  };
}
const certificate = (days, rest) => ({ source: 'acme', issuer: 'R11', not_before: ago(1e6), not_after: soon(days), serial: '04af', ...rest });

const snippets = (host) => ({
  nginx: `upstream ocore {\n    server 127.0.0.1:20004;\n}\nserver {\n    listen 443 ssl;\n    server_name ${host};\n    location / {\n        proxy_pass http://ocore;\n    }\n}\n`,
  traefik: `http:\n  routers:\n    ocore:\n      rule: Host(\`${host}\`)\n      service: ocore\n`,
});
const names = new Map();
function domainsOf(instance, place) {
  if (!names.has(instance.id)) {
    names.set(instance.id, place === 0 ? [
      domain(instance, 'shop.acme.example', 'active', { is_primary: true, certificate: certificate(61), access: access({ hsts_seconds: 31_536_000 }) }),
      domain(instance, 'www.acme.example', 'active', { certificate: certificate(9, { source: 'uploaded', issuer: 'Acme Internal CA' }), access: access({ redirect_to_primary: true, allow: ['203.0.113.0/24'], basic_auth: [{ username: 'ada', has_password: true }] }) }),
      domain(instance, 'boutique.acme.example', 'pending_dns', { dns: { records: [{ type: 'A', name: 'boutique.acme.example', value: '203.0.113.7' }], checked: { ok: false, addresses: ['198.51.100.4'], aliases: [], checked_at: ago(70), message: 'boutique.acme.example leads to 198.51.100.4, and the server is 203.0.113.7.' } } }),
      domain(instance, 'erp.acme.example', 'failed', { reason: 'The authority has issued enough for now: too many certificates for acme.example.', retry_at: soon(0.4) }),
      domain(instance, 'acme-production.apps.example.com', 'issuing', { automatic: true }),
    ] : place === 5 ? [
      domain(instance, 'crm.acme.example', 'active', { is_primary: true, certificate: certificate(40, { source: 'external', issuer: 'R12' }), snippets: snippets('crm.acme.example'), reach: { ok: true, message: null, checked_at: ago(200) } }),
      domain(instance, 'old.acme.example', 'active', { certificate: certificate(5, { source: 'external', issuer: 'R12' }), snippets: snippets('old.acme.example'), reach: { ok: false, message: 'The live bus (chat, notifications) does not come through: /websocket answers 502 Bad Gateway. Lead it to port 20005.', checked_at: ago(40) } }),
    ] : []);
  }
  return names.get(instance.id);
}

export function domainAnswer(method, instance, place, sub, leaf, body) {
  const all = domainsOf(instance, place);
  const one = all.find(({ id }) => id === sub);
  if (!sub && method === 'GET') return page(all);
  if (!sub) {
    if (body.host.includes('*')) return { status: 400, body: { error: { code: 'validation_error', message: 'A domain with * takes a certificate that oCore cannot fetch; add each name by itself.', details: { field: 'host', constraint: 'host' } } } };
    const made = domain(instance, body.host.toLowerCase(), 'pending_dns', { is_primary: all.length === 0 });
    all.unshift(made);
    return { status: 201, body: made };
  }
  if (method === 'DELETE') { all.splice(all.indexOf(one), 1); return { status: 204 }; }
  if (leaf === 'verify') return { status: 422, body: { error: { code: 'dns_not_ready', message: `${one.host} leads to 198.51.100.4, and the server is 203.0.113.7.` } } };
  if (leaf === 'primary') all.forEach((other) => { other.is_primary = other === one; });
  if (leaf === 'access') one.access = access({ ...body, basic_auth: (body.basic_auth ?? []).map(({ username }) => ({ username, has_password: true })) });
  return { body: one };
}

const proxies = new Map();
export function proxyAnswer(method, server, body) {
  const stored = proxies.get(server.id) ?? {
    server_id: server.id, mode: server.name === 'paris-1' ? 'managed' : server.name === 'oslo-1' ? 'external' : 'none', http_port: 80, https_port: 443, image: 'caddy:2', acme_email: 'ops@acme.example',
    acme_directory: null, acme_ca_certificate: null, zone: 'apps.example.com', status: server.name === 'paris-1' ? 'active' : 'off', status_message: null,
    applied_at: server.name === 'paris-1' ? ago(4000) : null, console_host: server.name === 'paris-1' ? 'ocore.acme.example' : null, version: 1,
  };
  if (method === 'PUT') {
    Object.assign(stored, body, { version: stored.version + 1 });
    if (stored.mode === 'managed' && server.name !== 'paris-1') Object.assign(stored, { status: 'failed', status_message: 'Port 80 is used by nginx (process 812). Stop that, give the proxy other ports, or let it be the proxy (mode external).' });
    else Object.assign(stored, { status: stored.mode === 'managed' ? 'active' : 'off', applied_at: now() });
  }
  proxies.set(server.id, stored);
  return { body: stored };
}

export function healthAnswer(place) {
  const check = (name, state, reason = null) => ({ name, state, reason, since: ago(state === 'ok' ? 86_400 * 6 : 340) });
  const days = Array.from({ length: 71 }, (_, i) => {
    const unhealthy = i === 12 ? 4200 : i === 40 ? 290 : 0;
    return { day: new Date(Date.now() - i * 86_400_000).toISOString().slice(0, 10), healthy_seconds: 86_400 - unhealthy, unhealthy_seconds: unhealthy, percent: (1 - unhealthy / 86_400) * 100 };
  });
  const well = { state: 'healthy', score: 100, grade: 'A', deductions: [], since: ago(86_400 * 6), reported_at: ago(9), crashes: { recent: 0, total: 0, is_looping: false, last_at: null, exit_code: null, out_of_memory: false }, checks: [check('container', 'ok'), check('http', 'ok'), check('database', 'ok'), check('realtime', 'ok')], uptime: { percent: 99.93, days } };
  if (place !== 2) return { body: well };
  return { body: { ...well, state: 'crash_looping', score: 20, grade: 'F', since: ago(340), deductions: [{ points: 50, reason: 'It ended by itself 4 times in 10 minutes (out of memory).' }, { points: 30, reason: 'Odoo does not answer.' }], crashes: { recent: 4, total: 9, is_looping: true, last_at: ago(40), exit_code: 137, out_of_memory: true }, checks: [check('container', 'failing', 'Odoo was killed for its memory (exit code 137).'), check('http', 'failing', 'Odoo’s port gives no answer: connection refused.'), check('database', 'ok'), check('realtime', 'not_applicable', 'It has no workers, so Odoo’s one process serves the live bus too.')], uptime: { percent: 98.4, days } } };
}

export function metricsAnswer(instance) {
  const data = Array.from({ length: 60 }, (_, i) => {
    const wave = Math.sin(i / 7);
    return { instance_id: instance.id, at: ago((60 - i) * 60), cpu_percent: 40 + 30 * wave + Math.random() * 12, memory_used_bytes: 9.1e8 + 1e8 * wave, memory_rss_bytes: 7.2e8 + 8e7 * wave, memory_limit_bytes: 2147483648, network_rx_bytes_per_second: 2e4 + 1e4 * wave, network_tx_bytes_per_second: 9e4 + 4e4 * wave, block_read_bytes_per_second: Math.random() * 9e4, block_write_bytes_per_second: 6e4 + 3e4 * wave, processes: 9, database_bytes: i % 5 ? null : 4.4e8 + i * 1e5, database_connections: 12 + Math.round(4 * wave), filestore_bytes: i % 5 ? null : 1.2e9 };
  });
  return { body: { from: ago(3600), to: now(), step_seconds: 60, data } };
}

const setting = (name, value, rest) => ({ name, about: '', applies: 'reload', source: 'ocore', pending_restart: false, value, default: null, least: null, most: null, recommended: null, reason: null, words: [], ...rest });
const SETTINGS = [
  setting('shared_buffers', '512MB', { about: 'Memory for pages that all connections share.', applies: 'restart', least: '128kB', most: '1GB', recommended: '512MB', reason: 'A quarter of 2048 MB.' }),
  setting('work_mem', '32MB', { about: 'Memory for one sort or hash.', source: 'set', least: '64kB', most: '512MB', recommended: '8MB', reason: 'Shared by 40 connections.' }),
  setting('max_connections', '60', { about: 'Most connections at a time.', applies: 'restart', least: '44', most: '1000' }),
  setting('jit', 'off', { about: 'Compile expensive queries.', words: ['on', 'off'] }),
  setting('autovacuum_naptime', '1min', { about: 'Pause between looks at a database.', source: 'postgresql', least: '1s', most: '1h' }),
  setting('log_min_duration_statement', '-1', { about: 'Write down what takes longer.', source: 'postgresql' }),
];
const table = (name, total_bytes, live_rows, dead_rows, cleaned) => ({ schema: 'public', name, total_bytes, index_bytes: total_bytes / 3, live_rows, dead_rows, index_scans: 912, sequential_scans: 12, last_vacuum: null, last_autovacuum: cleaned && ago(cleaned), last_analyze: null, last_autoanalyze: null });
const TABLES = [table('mail_message', 1.9e8, 412_300, 12_990, 4000), table('ir_attachment', 6.1e7, 18_220, 310, 90_000), table('stock_move', 4.2e7, 99_870, 4_410, 300), table('account_move_line', 3.9e7, 88_120, 77, 7000), table('res_partner', 8.1e6, 5_210, 40, null)];
let commits = 90_000;

export function databaseAnswer(method, url, instance, sub, begin) {
  if (!sub) return { body: { name: instance.database_name, size_bytes: 4.4e8, owner: 'odoo', encoding: 'UTF8', collation: 'C.UTF-8', version: '15.6', image: 'postgres:15', memory_mb: 1024, shared_memory_mb: 256, started_at: ago(86_400 * 6), connections: { used: 14, most: 60 }, extensions: [{ name: 'pg_trgm', version: '1.6' }, { name: 'unaccent', version: '1.1' }] } };
  if (sub === 'metrics') {
    commits += 140;
    return { body: { at: now(), size_bytes: 4.4e8, cache_hit_ratio: 0.9971, waiting_locks: 0, longest_transaction_ms: 340, longest_idle_in_transaction_ms: null, frozen_xid_age: 120_000, replicas: [], checkpoints: { timed: 812, requested: 3, write_ms: 9, sync_ms: 2 }, connections: { active: 2, idle: 11, idle_in_transaction: 1, other: 0, used: 14, most: 60 }, counters: { commits, rollbacks: 120, blocks_read: 1, blocks_hit: 1, rows_returned: commits * 30, rows_fetched: 1, rows_inserted: commits, rows_updated: commits, rows_deleted: 10, deadlocks: 1, conflicts: 0, temp_files: 0, temp_bytes: 0 }, slow_statements: [{ statement: 'SELECT "stock_move".id FROM "stock_move" WHERE ("stock_move"."state" NOT IN ($1, $2)) ORDER BY sequence, id', calls: 4110, mean_ms: 38.2, max_ms: 911, total_ms: 157_002, rows: 90_112 }, { statement: 'UPDATE "res_users" SET "login_date" = $1 WHERE id IN ($2)', calls: 812, mean_ms: 1.2, max_ms: 44, total_ms: 974, rows: 812 }] } };
  }
  if (sub === 'tables') return page(TABLES.filter(({ name }) => name.includes(url.searchParams.get('q') ?? '')));
  if (sub === 'databases' && method === 'GET') return page([{ name: instance.database_name, owner: 'odoo', size_bytes: 4.4e8, connections: 13, is_own: true, is_reserved: false }, { name: 'before-upgrade', owner: 'odoo', size_bytes: 4.1e8, connections: 0, is_own: false, is_reserved: false }, { name: 'postgres', owner: 'postgres', size_bytes: 7.9e6, connections: 1, is_own: false, is_reserved: true }]);
  if (sub === 'config' && method === 'GET') return { body: { instance_id: instance.id, version: 3, postgres_version: '15.6', active_job_id: null, problem: null, settings: { work_mem: '32MB' }, available: SETTINGS } };
  if (sub === 'tune') return { body: { machine: { memory_mb: 2048, cpus: 2, connections: 24 }, shared_memory_mb: 256, recommendations: [{ name: 'shared_buffers', value: '512MB', wanted: '512MB', reason: 'A quarter of 2048 MB.', applies: 'restart', differs: false }, { name: 'work_mem', value: '8MB', wanted: '32MB', reason: 'Shared by 40 connections.', applies: 'reload', differs: true }, { name: 'effective_cache_size', value: '1536MB', wanted: null, reason: 'Three quarters of 2048 MB are used as a cache by the system.', applies: 'reload', differs: true }] } };
  return begin();
}

const TRACE = ['Traceback (most recent call last):', '  File "odoo/http.py", line 1771, in _serve_db', '    return service_model.retrying(self._serve_ir_http, self.env)', 'psycopg2.errors.SerializationFailure: could not serialize access due to concurrent update'];
/** A line as history has it: read, with a traceback after each error. */
export function historyLine(n) {
  const line = odooLine(n);
  const after = n % 41;
  if (after > 0 && after <= TRACE.length) return { ...line, level: 'ERROR', text: TRACE[after - 1], head: null };
  const message = line.text.replace(/\u001b\[[0-9;]*m/g, '').split(': ').slice(1).join(': ');
  return { ...line, text: message, at: new Date(Date.now() - (20_000 - n) * 900).toISOString(), head: { written_at: '2026-11-23 10:00:00,120', pid: 812, database: 'acme_production', logger: n % 3 ? 'werkzeug' : 'odoo.http', message_at: 0 } };
}
