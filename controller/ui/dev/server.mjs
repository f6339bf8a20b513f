// A pretend controller for work on the console: `npm run mock`, then `npm run dev`, or open its own port after a build.
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { WebSocketServer } from 'ws';
import { accountAnswer, signInAnswer } from './account.mjs';
import { platform } from './platform.mjs';
import { ago, containersOf, makeInstance, makeJob, makeServer, now, odooLine, sample } from './data.mjs';
import { identity, permissions } from './identity.mjs';
import { addonsOf, addonsRefused, allBackups, backupAnswer, changeModules, changeRefused, changeSteps, destinationAnswer, failedChange, failedFetch, moduleList, oneBackupAnswer, passwordSteps, registryAnswer, replaceAddons, upgradeSteps } from './apps.mjs';
import { fileAnswer } from './files.mjs';
import { databaseAnswer, historyLine, domainAnswer, healthAnswer, metricsAnswer, proxyAnswer } from './running.mjs';
import { configuration, delivery, environments } from './projects.mjs';

const port = Number(process.env.PORT ?? 8099);
const dist = new URL('../dist', import.meta.url).pathname;
const empty = process.env.MOCK === 'empty';
let bootstrapped = process.env.MOCK !== 'bootstrap';

const servers = empty ? [] : [
  makeServer('paris-1', 'online', 1, { description: 'Production, first rack', labels: { region: 'eu', tier: 'prod' } }),
  makeServer('paris-2', 'online', 6, { labels: { region: 'eu' } }),
  makeServer('lyon-1', 'degraded', 3, { status_reason: 'Docker does not answer', labels: { region: 'eu' } }),
  makeServer('oslo-1', 'offline', 4, { status_reason: 'No sign of life for 90 minutes. Is the machine on, and may it reach port 8443?' }),
  makeServer('new-box', 'pending', 5),
  ...Array.from({ length: 40 }, (_, i) => makeServer(`edge-${i + 1}`, 'online', (i % 6) + 1)),
];
const instances = empty ? [] : [
  makeInstance('Acme production', servers[0], 'running'),
  makeInstance('Acme staging', servers[0], 'stopped', { environment_type: 'staging' }),
  makeInstance('Globex', servers[1], 'running', { health: 'unhealthy', status_reason: 'Odoo answers /web/health with 500 since 10:14' }),
  makeInstance('Initech', servers[1], 'error', { status_reason: 'The image odoo:99 does not exist' }),
  makeInstance('Umbrella', servers[1], 'provisioning'),
  makeInstance('Hooli', servers[3], 'running', { health: 'unknown', status_reason: 'Its server is offline' }),
];
const jobs = empty ? [] : [
  makeJob('instance_provision', instances[4], 'running'),
  makeJob('instance_restart', instances[0], 'succeeded'),
  makeJob('instance_provision', instances[3], 'failed', { finished_at: ago(390), failure: { code: 'image_not_found', message: 'The image odoo:99 does not exist. Choose another version, or an image that the server can pull.', retryable: false } }),
  makeJob('instance_modules', instances[2], 'failed', failedChange()),
  makeJob('instance_addons', instances[5], 'failed', failedFetch()),
];
if (!empty) {
  [0, 1, 4, 4, 2, 4].forEach((place, i) => Object.assign(instances[i], { environment_id: environments[place].id, environment_type: environments[place].type, project_id: environments[place].project_id }));
  instances[4].active_job_id = jobs[0].id;
  instances[3].container_id = null;
  instances[0].last_job_id = jobs[1].id;
  instances[3].last_job_id = jobs[2].id;
  jobs[2].steps[0].status = 'succeeded';
  instances[2].last_job_id = jobs[3].id;
  Object.assign(jobs[2].steps[1], { status: 'failed', started_at: ago(400), finished_at: ago(390), message: 'manifest for odoo:99 not found' });
}
const user = { id: 'u', email: 'ada@acme.example', name: 'Ada Martin', is_admin: true, version: 1, has_password: true, default_organization_id: null, created_at: ago(9e6), updated_at: ago(9e6), organizations: [{ id: 'org', slug: 'acme', name: 'Acme Hosting', role: 'owner', permissions }, { id: 'org2', slug: 'lab', name: 'Lab', role: 'admin', permissions }] };

const listeners = new Set();
let eventNumber = 0;
const sse = (res, event, data, id) => res.write(`${id ? `id: ${id}\n` : ''}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
const emit = (event, data, id) => listeners.forEach((res) => sse(res, event, data, id));
const changed = (type, id) => emit('changed', { subject: { type, id } });
function happened(type, subject, data = {}) {
  const id = randomUUID();
  emit(type, { id, type, created_at: now(), organization_id: 'org', actor: { type: 'user', id: 'u', name: 'Ada Martin' }, subject, data }, `${++eventNumber}-${id}`);
}

const visible = ({ seed, log, ...rest }) => rest;
function page(list, url, fields = []) {
  const q = url.searchParams.get('q')?.toLowerCase();
  let found = list;
  for (const key of ['status', 'kind', 'server_id', 'instance_id', 'environment_id']) {
    const wanted = url.searchParams.get(key);
    if (wanted) found = found.filter((x) => x[key] === wanted);
  }
  if (q) found = found.filter((x) => fields.some((f) => String(x[f] ?? '').toLowerCase().includes(q)));
  const limit = Number(url.searchParams.get('limit') ?? 20);
  const from = Number(url.searchParams.get('cursor') ?? 0);
  const more = from + limit < found.length;
  return { data: found.slice(from, from + limit).map(visible), has_more: more, next_cursor: more ? String(from + limit) : null };
}

function install(server) {
  return { command: `curl -fsSk --pinnedpubkey 'sha256//Jb1xU7oQp9Yp6aW0l4hZf2C8m3rT5nKdVxEwGzHsQ0k=' https://console.acme.example:8443/install.sh | sudo sh -s -- --token ocj_${server.id.replace(/-/g, '')}`, uninstall_command: 'sudo ocore-agent uninstall', token_expires_at: ago(-3600), addresses: ['console.acme.example:8443'], pin: 'sha256//…' };
}
function playInstall(server) {
  ['fetched', 'verified', 'enrolled', 'tunnel', 'docker'].forEach((stage, i) =>
    setTimeout(() => {
      server.install_stages.push({ stage, at: now() });
      Object.assign(server, { install_stage: stage, status: i < 3 ? 'provisioning' : 'online' });
      if (stage === 'docker') Object.assign(server, { usage: sample(2), facts: servers[0]?.facts ?? null, last_seen_at: now() });
      changed('server', server.id);
    }, 2500 * (i + 1)));
}
function playJob(job, instance, seconds = 3, end = provisioned) {
  const log = (step, text) => job.log.push({ seq: job.log.length + 1, at: now(), step, text });
  job.steps.forEach((step, i) => {
    setTimeout(() => {
      Object.assign(step, { status: 'running', started_at: now() });
      for (let n = 0; n < 12; n += 1) log(step.name, `${step.title.toLowerCase()}: line ${n + 1}`);
      changed('job', job.id);
      if (step.name === 'pull_image') for (let p = 1; p <= 10; p += 1) setTimeout(() => {
        step.progress = { done: p * 52_428_800, total: 629_145_600, unit: 'bytes' };
        emit('progress', { job_id: job.id, step: step.name, progress: step.progress });
      }, p * seconds * 90);
    }, i * seconds * 1000);
    setTimeout(() => { Object.assign(step, { status: 'succeeded', finished_at: now() }); changed('job', job.id); }, (i + 1) * seconds * 1000 - 60);
  });
  setTimeout(() => {
    Object.assign(job, { status: 'succeeded', finished_at: now() });
    Object.assign(instance, { status: 'running', active_job_id: null, last_job_id: job.id });
    changed('job', job.id);
    end(job, instance);
  }, job.steps.length * seconds * 1000);
}
function provisioned(job, instance) {
  Object.assign(instance, { health: 'healthy', url: 'http://203.0.113.7:20001', container_id: 'c0ffee' });
  happened('instance.provisioned', job.subject);
}
/** A job of an instance that is there: it begins at once, and `end` is what it brings about. */
function begin(kind, instance, status, steps, seconds, end) {
  const started = makeJob(kind, instance, 'running', { steps, created_at: now(), started_at: now() });
  Object.assign(instance, { status, active_job_id: started.id, last_job_id: started.id });
  jobs.unshift(started);
  playJob(started, instance, seconds, end);
  changed('instance', instance.id);
  return accepted(instance.id, started.id);
}
if (!empty) playJob(jobs[0], instances[4], 25);

const notFound = (what) => ({ status: 404, body: { error: { code: 'not_found', message: `There is no such ${what}.`, request_id: randomUUID() } } });
const accepted = (id, job_id) => ({ status: 202, body: { id, status: 'accepted', message: 'Accepted', job_id } });

async function answer(method, url, body, match) {
  const answered = platform(method, url, body);
  if (answered) return answered;
  const [, , noun, id, verb, sub] = url.pathname.split('/');
  const server = noun === 'servers' && id ? servers.find((s) => s.id === id) : null;
  const instance = noun === 'instances' && id ? instances.find((i) => i.id === id) : null;
  const job = noun === 'jobs' && id ? jobs.find((j) => j.id === id) : null;
  if (noun === 'user') return accountAnswer(method, url.pathname, body, user) ?? notFound('page');
  if (noun === 'backups' && !id) return { body: page(allBackups(instances, url.searchParams.get('status')), url) };
  if (noun === 'backups') return oneBackupAnswer(method, id, verb, body, (one) => begin('backup_restore', instances.find((x) => x.id === one.instance_id), 'restoring', passwordSteps(), 2));
  if (noun === 'backup-destinations') return destinationAnswer(method, url, body, page);
  if (noun === 'registries') return registryAnswer(method, url, body, page);
  const found = identity(method, url, body, page) ?? delivery(method, url, body, page, instances);
  if (found) return found;
  if (noun === 'servers') {
    if (!id && method === 'GET') return { body: page(servers, url, ['name', 'description']) };
    if (!id) {
      if (servers.some((s) => s.name === body.name)) return { status: 409, body: { error: { code: 'conflict', message: 'A server has this name already.', details: { field: 'name', constraint: 'unique' } } } };
      const made = makeServer(body.name, 'pending', 2, { description: body.description ?? null, labels: body.labels });
      servers.unshift(made);
      playInstall(made);
      return { status: 201, body: { server: visible(made), install: install(made) } };
    }
    if (!server) return notFound('server');
    if (verb === 'install-command') return { body: install(server) };
    if (verb === 'metrics') {
      const length = { '1h': 3600, '6h': 21600, '24h': 86400, '7d': 604800, '30d': 2592000 }[url.searchParams.get('period') ?? '1h'];
      const step = length / 120;
      return { body: { from: ago(length), to: now(), step_seconds: step, data: Array.from({ length: 120 }, (_, i) => sample(server.seed, Date.now() - (120 - i) * step * 1000)).filter((_, i) => i < 50 || i > 62) } };
    }
    if (verb === 'proxy') return proxyAnswer(method, server, body);
    if (verb === 'inventory') return { body: { data: containersOf(instances.filter((i) => i.server_id === id)), has_more: false, next_cursor: null } };
    if (verb === 'events') return { body: { data: ['connected', 'disconnected', 'installed'].map((t, i) => ({ id: `${id}${i}`, type: `server.${t}`, created_at: ago(4000 * (i + 1)), organization_id: 'org', actor: { type: 'system', id: '00000000-0000-0000-0000-000000000000', name: 'oCore' }, subject: { type: 'server', id, name: server.name }, data: i === 1 ? { message: 'The connection was silent for 15 s' } : {} })), has_more: false, next_cursor: null } };
    if (method === 'PATCH') { Object.assign(server, body); return { body: visible(server) }; }
    if (method === 'DELETE') {
      if (server.instances_count && !url.searchParams.get('force')) return { status: 409, body: { error: { code: 'conflict', message: `${server.instances_count} instances remain on this server.` } } };
      return accepted(id, jobs[0].id);
    }
    return { body: visible(server) };
  }
  if (noun === 'instances') {
    if (!id && method === 'GET') return { body: page(instances, url, ['name', 'slug']) };
    if (!id) {
      if (body.name === 'taken') return { status: 409, body: { error: { code: 'conflict', message: 'Some fields need another value.', errors: [{ field: 'name', constraint: 'unique', message: 'An instance has this name already' }, { field: 'limits.memory_mb', constraint: 'max', message: 'More than the server has' }] } } };
      const target = servers.find((s) => s.id === body.server_id);
      const made = makeInstance(body.name, target, 'provisioning', { odoo_version: body.odoo_version, limits: body.limits, modules: body.modules });
      const started = makeJob('instance_provision', made, 'running', { created_at: now(), started_at: now() });
      made.active_job_id = started.id;
      instances.unshift(made);
      jobs.unshift(started);
      playJob(started, made);
      return accepted(made.id, started.id);
    }
    if (!instance) return notFound('instance');
    if (verb === 'backups') return backupAnswer(method, url, instance, instances.indexOf(instance) === 0, body, page, (kind, target, status, steps, seconds, end) => begin(kind, target, status, steps, seconds, (job) => { end(job); happened('backup.created', job.subject); }));
    if (verb === 'domains') return domainAnswer(method, instance, instances.indexOf(instance), sub, url.pathname.split('/')[6], body);
    if (verb === 'files') return fileAnswer(method, url, sub, body, match, page);
    if (verb === 'health') return healthAnswer(instances.indexOf(instance));
    if (verb === 'metrics') return metricsAnswer(instance);
    if (verb === 'database') return databaseAnswer(method, url, instance, sub, () => begin('database_settings', instance, 'updating', passwordSteps(), 2, (job) => happened('database.settings_changed', job.subject)));
    if (verb === 'stats') return { body: { at: now(), cpu_percent: 20 + Math.random() * 60, memory_used_bytes: 6.1e8, memory_limit_bytes: 2147483648, network_rx_bytes: 8.1e8, network_tx_bytes: 3.3e9, block_read_bytes: 4e8, block_write_bytes: 2e9, pids: 14 } };
    if (verb === 'modules' && method === 'GET') return moduleList(url, page, servers.find((s) => s.id === instance.server_id));
    if (verb === 'modules') return changeRefused(body) || begin('instance_modules', instance, 'updating', changeSteps(), 2, (job) => { job.result = changeModules(body); happened('instance.modules_changed', job.subject); });
    if (verb === 'addons' && method === 'GET') return addonsOf(instance, [0, 1, 5].includes(instances.indexOf(instance)));
    if (verb === 'addons') return addonsRefused(body, match, instance) || begin('instance_addons', instance, 'updating', upgradeSteps(), 1, (job) => { job.result = replaceAddons(instance, body); happened('instance.addons_changed', job.subject); });
    if (verb === 'upgrade') return begin('instance_upgrade', instance, 'updating', upgradeSteps(), 1, (job) => { job.result = { image: body.image ?? instance.image, updated: [], down_milliseconds: 8_400 }; instance.image = job.result.image; happened('instance.upgraded', job.subject); });
    if (verb === 'admin-password') return begin('instance_admin_password', instance, instance.status, passwordSteps(), 2, (job) => happened('instance.admin_password_set', job.subject));
    if (verb === 'config') return configuration(method, url, body, instance, page);
    if (sub === 'history') {
      const before = Number((url.searchParams.get('before') ?? 'c:0:20000').split(':')[2]);
      const first = Math.max(0, before - 500);
      return { body: { lines: Array.from({ length: before - first }, (_, i) => historyLine(first + i)), previous_cursor: `c:0:${first}`, has_more: first > 0 } };
    }
    if (method === 'PATCH') { Object.assign(instance, body); return { body: visible(instance) }; }
    if (method === 'GET') return { body: visible(instance) };
    const next = { start: 'running', stop: 'stopped', restart: 'running', kill: 'stopped' }[verb];
    if (next) { Object.assign(instance, { status: `${verb}ing`.replace('stoping', 'stopping').replace('killing', 'stopping') }); setTimeout(() => { instance.status = next; happened(`instance.${verb}ed`, { type: 'instance', id, name: instance.name }); }, 2000); }
    return accepted(id, jobs[0].id);
  }
  if (noun === 'jobs') {
    if (!id) return { body: page(jobs, url) };
    if (!job) return notFound('job');
    if (verb === 'cancel') { job.cancel_requested = true; changed('job', id); return accepted(id, id); }
    return { body: visible(job) };
  }
  return notFound('page');
}

function streamLogs(req, res, url, id) {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let n = 20_000;
  const after = url.searchParams.get('after');
  if (after) n = Number(after.split(':')[2]) + 1;
  else for (const end = n + 400; n < end; n += 1) { const line = odooLine(n, Date.now() - (end - n) * 1000); sse(res, 'log', line, line.cursor); }
  const timer = setInterval(() => { for (let burst = Number(process.env.LOG_BURST ?? 1); burst > 0; burst -= 1) {
    const line = n % 60 === 0 ? { ...odooLine(n), stream: 'mark', text: '', dropped: 128, level: undefined } : odooLine(n);
    n += 1;
    sse(res, 'log', line, line.cursor);
  } }, Number(process.env.LOG_MS ?? 300));
  req.on('close', () => clearInterval(timer));
}
function streamJobLog(req, res, job) {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let sent = Number(req.headers['last-event-id'] ?? 0);
  const send = () => {
    for (; sent < job.log.length; sent += 1) sse(res, 'log', job.log[sent], job.log[sent].seq);
    if (job.finished_at) { sse(res, 'end', visible(job)); res.end(); clearInterval(timer); }
  };
  const timer = setInterval(send, 300);
  send();
  req.on('close', () => clearInterval(timer));
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const CSP = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";
function file(url, res) {
  let path = join(dist, url.pathname);
  if (!path.startsWith(dist) || !existsSync(path) || !statSync(path).isFile()) path = join(dist, 'index.html');
  res.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream', 'content-security-policy': CSP });
  res.end(readFileSync(path));
}

const signIn = (res, status) => {
  res.writeHead(status, { 'content-type': 'application/json', 'set-cookie': 'mock=1; Path=/; HttpOnly; SameSite=Strict' });
  res.end(JSON.stringify({ expires_in: 3600, token_type: 'Bearer', user }));
};

const http = createServer(async (req, res) => {
  const url = new URL(req.url, `http://${req.headers.host}`);
  if (!url.pathname.startsWith('/api/')) return file(url, res);
  const send = (status, body, headers) => { res.writeHead(status, { 'content-type': 'application/json', ...headers }); res.end(body === undefined ? '' : JSON.stringify(body)); };
  let text = '';
  for await (const chunk of req) text += chunk;
  const body = text ? JSON.parse(text) : {};
  const path = url.pathname;
  if (path === '/api/auth/bootstrap/status') return send(200, { needed: !bootstrapped, token_required: true, version: '0.1.0', signup: process.env.MOCK_SIGNUP ?? 'open' });
  if (path === '/api/auth/bootstrap') { bootstrapped = true; return signIn(res, 201); }
  const way = signInAnswer(path, body);
  if (way) return way.signedIn ? signIn(res, 200) : send(way.status ?? 200, way.body);
  if (path === '/api/auth/login') return body.password === 'wrong' ? send(401, { error: { code: 'invalid_credentials', message: 'E-mail or password is wrong.' } }) : signIn(res, 200);
  if (path === '/api/auth/logout') { res.writeHead(204, { 'set-cookie': 'mock=; Path=/; Max-Age=0' }); return res.end(); }
  if (!req.headers.cookie?.includes('mock=1')) return send(401, { error: { code: 'unauthenticated', message: 'Sign in first.' } });
  if (path === '/api/auth/ws-ticket') return send(200, { ticket: randomUUID(), expires_in: 30 });
  if (path === '/api/events') {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    res.write(': hello\n\n');
    listeners.add(res);
    const watch = servers.find((s) => s.id === url.searchParams.get('watch'));
    const timer = setInterval(() => (watch ? sse(res, 'metrics', { server_id: watch.id, sample: sample(watch.seed) }) : res.write(': alive\n\n')), 3000);
    return req.on('close', () => { listeners.delete(res); clearInterval(timer); });
  }
  const [, , noun, id, verb, sub] = path.split('/');
  if (noun === 'instances' && verb === 'logs' && !sub) return streamLogs(req, res, url, id);
  if (noun === 'jobs' && verb === 'logs') return streamJobLog(req, res, jobs.find((j) => j.id === id));
  const failed = (error) => ({ status: 500, body: { error: { code: 'internal', message: `The mock failed: ${error}` } } });
  const { status = 200, body: out, headers } = await answer(req.method, url, body, req.headers['if-match']).catch(failed);
  send(status, out, headers);
});

// Terminals that echo, and replay what they said to whoever comes back.
const terminals = new Map();
new WebSocketServer({ server: http }).on('connection', (socket, req) => {
  const url = new URL(req.url, 'http://mock');
  const id = url.searchParams.get('terminal_id') ?? randomUUID();
  const terminal = terminals.get(id) ?? { out: Buffer.alloc(0) };
  terminals.set(id, terminal);
  const say = (text) => { terminal.out = Buffer.concat([terminal.out, Buffer.from(text)]); socket.send(Buffer.from(text)); };
  const after = Number(url.searchParams.get('after') ?? 0);
  socket.send(JSON.stringify({ type: 'open', terminal_id: id, offset: after, survives_agent: true }));
  if (terminal.out.length > after) socket.send(terminal.out.subarray(after));
  if (terminal.out.length === 0) say('\x1b[1;32mada@paris-1\x1b[0m:\x1b[1;34m~\x1b[0m$ ');
  socket.on('message', (data, binary) => {
    if (!binary) return;
    const text = data.toString();
    if (text === 'x') return socket.terminate();
    if (text === '\x04') return socket.send(JSON.stringify({ type: 'exit', code: 0 }));
    say(text === '\r' ? '\r\nżółw 🐢 \x1b[31mred\x1b[0m \x1b[33myellow\x1b[0m\r\n\x1b[1;32mada@paris-1\x1b[0m:\x1b[1;34m~\x1b[0m$ ' : text === '\x03' ? '^C\r\n$ ' : text);
  });
});

http.listen(port, '127.0.0.1', () => console.log(`mock controller on http://127.0.0.1:${port}`));
