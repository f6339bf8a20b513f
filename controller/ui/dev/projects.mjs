// Made-up projects, environments and settings of an Odoo for the mock server.
import { randomUUID } from 'node:crypto';
import { ago, now } from './data.mjs';

const stamp = { version: 1, created_at: ago(9e5), updated_at: ago(9e4) };
const project = (name, description, odoo_version, rest) => ({ id: randomUUID(), name, slug: name.toLowerCase(), description, odoo_version, archived_at: null, ...stamp, ...rest });
export const projects = [
  project('Acme', 'The shop of Acme and what comes next', '18.0'),
  project('Globex', '', null),
  project('Initech', 'Ended in spring', '16.0', { archived_at: ago(9e6) }),
];
const environment = (of, type, name, description = '') => ({ id: randomUUID(), project_id: of.id, project_name: of.name, name, slug: name.toLowerCase(), type, description, status: 'active', ...stamp });
export const environments = [
  environment(projects[0], 'production', 'Production'),
  environment(projects[0], 'staging', 'Rehearsal', 'Looked at before each release'),
  environment(projects[0], 'development', 'Sandbox'),
  environment(projects[0], 'development', 'Nina’s corner', 'The new warehouse'),
  environment(projects[1], 'production', 'Production'),
];

const changed = (object, part) => Object.assign(object, part, { version: object.version + 1, updated_at: now() });
const refused = (status, code, message, field) => ({ status, body: { error: { code, message, ...(field && { errors: [{ field, constraint: 'memory', message }] }) } } });
const gone = (status, jobs = []) => ({ status: 202, body: { id: randomUUID(), status, message: 'It goes with the last of its instances.', job_id: jobs[0] ?? null, job_ids: jobs } });

/** The answer to a request about projects and environments, or nothing where it is about something else. */
export function delivery(method, url, body, page, instances) {
  const [, , noun, id, verb] = url.pathname.split('/');
  const inIt = (environment_id) => instances.filter((one) => one.environment_id === environment_id).length;
  const full = (one) => ({ ...one, instances_count: inIt(one.id) });
  const whole = (one) => {
    const own = environments.filter(({ project_id }) => project_id === one.id);
    return { ...one, environments_count: own.length, instances_count: own.reduce((sum, { id }) => sum + inIt(id), 0) };
  };
  const dry = url.searchParams.get('dry_run') === 'true';
  if (noun === 'projects') {
    const one = projects.find((x) => x.id === id);
    if (verb === 'environments' && method === 'POST') { environments.push(environment(one, body.type, body.name, body.description)); return { status: 201, body: full(environments.at(-1)) }; }
    if (verb === 'environments') return { body: page(environments.filter((x) => x.project_id === id).map(full), url) };
    if (!id && method === 'GET') return { body: page(projects.filter((x) => !x.archived_at || url.searchParams.get('include_archived') === 'true').map(whole), url, ['name', 'slug']) };
    if (!id) {
      projects.unshift(project(body.name, body.description, body.odoo_version));
      for (const type of body.environments) environments.push(environment(projects[0], type, type));
      return { status: 201, body: whole(projects[0]) };
    }
    if (method === 'DELETE') {
      const left = whole(one).environments_count;
      if (left) return refused(409, 'project_in_use', `The project has ${left} environments; delete them first.`);
      if (!dry) projects.splice(projects.indexOf(one), 1);
      return gone(dry ? 'kept' : 'deleted');
    }
    if (method === 'PATCH') { const { archived, ...rest } = body; return { body: whole(changed(one, { ...rest, ...(archived !== undefined && { archived_at: archived ? now() : null }) })) }; }
    return { body: whole(one) };
  }
  if (noun === 'environments') {
    const one = environments.find((x) => x.id === id);
    if (!id) return { body: page(environments.map(full), url) };
    if (method === 'DELETE') { if (!dry) changed(one, { status: 'deleting' }); return gone(dry ? 'kept' : 'deleting'); }
    return { body: full(method === 'PATCH' ? changed(one, body) : one) };
  }
}

const EMPTY = { workers: null, users: null, max_cron_threads: null, limit_memory_soft_mb: null, limit_memory_hard_mb: null, limit_time_cpu: null, limit_time_real: null, limit_time_real_cron: null, limit_request: null, db_maxconn: null, log_level: 'info', log_handler: [], server_wide_modules: [], unaccent: false, proxy_mode: null, timezone: null, smtp: null, extra_conf: {} };
const settings = new Map();
const past = new Map();

function shown(instance, set, revision, applied) {
  const workers = set.workers ?? 3;
  const smtp = set.smtp ? [`smtp_server = ${set.smtp.host}`, `smtp_port = ${set.smtp.port}`] : [];
  const conf = ['; Written by the oCore agent. Changes here are lost; use the instance’s settings.', '[options]', 'db_password = ********', 'admin_passwd = ********', `db_name = ${instance.database_name}`, `workers = ${workers}`, `max_cron_threads = ${set.max_cron_threads ?? 1}`, `limit_time_real = ${set.limit_time_real ?? 1200}`, `log_level = ${set.log_level}`, ...smtp, ...Object.entries(set.extra_conf).map(([key, value]) => `${key} = ${value}`), ''].join('\n');
  const sizing = { workers, max_cron_threads: set.max_cron_threads ?? 1, by_cpu: 4, by_memory: 3, by_users: set.users ? Math.ceil(set.users / 6) : null, reason: set.workers === null ? '3 workers: 2 cores allow 4 and 2048 MB of memory allow 3.' : `${workers} workers asked for.` };
  const warnings = set.log_level.startsWith('debug_') ? ['This log level writes what people send and read into the log, and makes Odoo slow.'] : [];
  return { ...set, instance_id: instance.id, odoo_version: instance.odoo_version, limits: instance.limits, sizing, conf, warnings, revision, applied, active_job_id: instance.active_job_id, version: revision };
}

/** The answer to a request about what an instance's Odoo is set to. */
export function configuration(method, url, body, instance, page) {
  const [, , , id, , sub] = url.pathname.split('/');
  const set = settings.get(id) ?? EMPTY;
  const history = past.get(id) ?? [{ id: randomUUID(), revision: 1, created_at: ago(8e5), actor: { type: 'system', id: 'o', name: 'oCore' }, note: '', changes: [], job_id: null, set: EMPTY }];
  past.set(id, history);
  if (sub === 'history') return { body: page(history.map(({ set: _, ...rest }) => rest), url) };
  const revision = history[0].revision;
  if (method === 'GET') return { body: shown(instance, set, revision, instance.status !== 'error') };
  const { note, ...wished } = sub === 'revert' ? history.find((one) => one.revision === body.revision).set : body;
  if (wished.workers > 3) return refused(400, 'validation_error', `${wished.workers} workers need about ${350 + 325 * (wished.workers + 1)} MB of memory and the instance may use 2048: ask for 3 at most, or raise limits.memory_mb.`, 'workers');
  const next = { ...set, ...wished };
  if (next.smtp) next.smtp = { port: 587, encryption: 'starttls', ...next.smtp, has_password: Boolean(next.smtp.password ?? set.smtp?.has_password), password: undefined };
  if (url.searchParams.get('dry_run') === 'true') return { body: shown(instance, next, revision, true) };
  const changes = Object.keys(EMPTY).filter((key) => JSON.stringify(set[key]) !== JSON.stringify(next[key])).map((setting) => ({ setting, before: set[setting], after: next[setting] }));
  settings.set(id, next);
  history.unshift({ id: randomUUID(), revision: revision + 1, created_at: now(), actor: { type: 'user', id: 'u', name: 'Ada Martin' }, note: note ?? '', changes, job_id: null, set: next });
  return { body: shown(instance, next, revision + 1, true) };
}
