// Made-up registries and modules of an Odoo for the mock server.
import { randomUUID } from 'node:crypto';
import { ago, now } from './data.mjs';

const stamp = () => ({ version: 1, created_at: ago(9e5), updated_at: ago(9e4) });
const registry = (address, rest) => ({ id: randomUUID(), address, description: '', username: null, has_password: false, mirror_of: null, status: 'ok', status_message: null, checked_at: ago(3000), ...stamp(), ...rest });
const registries = process.env.MOCK === 'empty' ? [] : [
  registry('registry.acme.example', { description: 'Our own images', username: 'ci', has_password: true }),
  registry('mirror.acme.example:5000', { description: 'In the first rack', mirror_of: 'docker.io', status: 'unreachable', status_message: 'The controller cannot ask it, servers may: no answer from mirror.acme.example:5000 within 10 s.' }),
  registry('ghcr.io', { username: 'ada', has_password: true, status: 'refused', status_message: 'It refuses this user or password. Use an access token where it has them.', checked_at: ago(2e5) }),
];
const refused = (status, code, message, field) => ({ status, body: { error: { code, message, ...(field && { errors: [{ field, constraint: 'required', message }] }) } } });

/** The answer to a request about registries. */
export function registryAnswer(method, url, body, page) {
  const [, , , id, verb] = url.pathname.split('/');
  const one = registries.find((x) => x.id === id);
  const { password, ...rest } = body;
  if (verb === 'test') {
    one.checked_at = now();
    return { body: { status: one.status, message: one.status_message, repositories: one.status === 'ok' ? ['acme/odoo', 'acme/odoo-enterprise', 'acme/worker', 'tools/backup'] : [] } };
  }
  if (password === 'wrong') return refused(422, 'registry_refused', 'It refuses this user or password. Use an access token where it has them.');
  if (method === 'POST') {
    if (registries.some((x) => x.address === body.address)) return refused(409, 'registry_exists', 'There is an entry for this registry already; change that one.', 'address');
    registries.unshift(registry(body.address, { ...rest, has_password: Boolean(password), checked_at: now() }));
    return { status: 201, body: registries[0] };
  }
  if (method === 'PATCH') return { body: Object.assign(one, rest, { has_password: (one.has_password || Boolean(password)) && rest.username !== null, version: one.version + 1 }) };
  if (method === 'DELETE') { registries.splice(registries.indexOf(one), 1); return { status: 204 }; }
  return { body: id ? one : page(registries, url) };
}

const destination = (name, config, rest) => ({ id: randomUUID(), name, config, has_secret: config.kind !== 'local', encryption: config.kind === 'local' ? 'none' : 'managed', recipients: [], is_default: false, is_off_site: config.kind !== 'local', status: 'ok', problem: null, free_bytes: null, checked_at: ago(3000), ...stamp(), ...rest });
const disk = destination('The server’s own disk', { kind: 'local', path: '/var/backups/ocore' }, { status: 'unchecked', checked_at: null });
const destinations = process.env.MOCK === 'empty' ? [Object.assign(disk, { is_default: true })] : [
  destination('Off-site', { kind: 's3', endpoint: 'https://s3.example.com', region: 'eu-central-1', bucket: 'acme-backups', prefix: 'odoo', path_style: true, access_key_id: 'AKIAEXAMPLE', ca_certificate: null }, { is_default: true }),
  destination('Box in the cellar', { kind: 'sftp', host: 'box.acme.example', port: 22, username: 'ocore', path: 'backups', host_key: 'SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDkZaD1HE5PQ1IqSsU' }, { status: 'failed', encryption: 'recipients', recipients: ['age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'], problem: { kind: 'unreachable', message: 'box.acme.example, port 22, cannot be reached: no answer within 10 s.' }, checked_at: ago(2e5) }),
  Object.assign(disk, { status: 'ok', free_bytes: 81_604_378_624, checked_at: ago(9e4) }),
];

const BACKUP = [['check', 'Look at the instance and the destination'], ['begin', 'Begin at the destination'], ['database', 'Back up the database'], ['filestore', 'Back up the attachments'], ['manifest', 'Write down what is in it'], ['finish', 'Tidy up']];
const backup = (instance, seconds, rest) => {
  const at = destinations.find((x) => x.is_default) ?? disk;
  return { id: randomUUID(), environment_id: instance.environment_id, instance_id: instance.id, instance_name: instance.name, server_id: instance.server_id, kind: 'manual', status: 'succeeded', destination_id: at.id, destination_name: at.name, is_off_site: at.is_off_site, encryption: at.encryption, odoo_version: instance.odoo_version, postgres_version: '15.6', size_bytes: 3.1e8, database_bytes: 4.4e8, attachments: { files: 5312, bytes: 2.4e8, missing: 0, damaged: 0 }, snapshot_at: ago(seconds), duration_seconds: 41.2, failure: null, is_pinned: false, note: '', job_id: randomUUID(), created_by: { type: 'user', id: randomUUID(), name: 'Ada' }, finished_at: ago(seconds - 41), ...stamp(), created_at: ago(seconds), ...rest };
};
const backups = new Map();
function backupsOf(instance, has) {
  if (!backups.has(instance.id)) {
    backups.set(instance.id, !has ? [] : [
      backup(instance, 3600 * 5, { note: 'Before the fair', is_pinned: true }),
      backup(instance, 86_400, { kind: 'scheduled', attachments: { files: 5298, bytes: 2.39e8, missing: 3, damaged: 0 } }),
      backup(instance, 86_400 * 2, { kind: 'scheduled', status: 'failed', size_bytes: null, database_bytes: null, attachments: null, snapshot_at: null, duration_seconds: null, failure: { code: 'destination_unreachable', message: 'The bucket acme-backups cannot be reached: connection refused (os error 111).', retryable: true } }),
      backup(instance, 86_400 * 9, { destination_name: disk.name, is_off_site: false, encryption: 'none' }),
    ]);
  }
  return backups.get(instance.id);
}

export const allBackups = (instances, status) => [...backupsOf(instances[0], instances.length > 0), backup({ ...instances[0], id: null, name: 'Wayne' }, 86_400 * 30, { instance_id: null, environment_id: null, is_pinned: true })].filter((x) => !status || x.status === status);

/** The answer to a request about an instance's backups. */
export function backupAnswer(method, url, instance, has, body, page, begin) {
  const list = backupsOf(instance, has);
  if (method === 'GET') return { body: page(list, url) };
  const answer = begin('backup_create', instance, instance.status, named(BACKUP), 2, () => Object.assign(list[0], { status: 'succeeded', size_bytes: 3.1e8, database_bytes: 4.4e8, attachments: { files: 5313, bytes: 2.4e8, missing: 0, damaged: 0 }, snapshot_at: now(), duration_seconds: 12.7 }));
  list.unshift(backup(instance, 0, { status: 'running', note: body.note, is_pinned: body.is_pinned, size_bytes: null, database_bytes: null, attachments: null, snapshot_at: null, duration_seconds: null, job_id: answer.body.job_id }));
  return answer;
}

/** The answer to a request about one backup. */
export function oneBackupAnswer(method, id, verb, body, begin) {
  const list = [...backups.values()].find((each) => each.some((x) => x.id === id));
  const one = list?.find((x) => x.id === id);
  if (!one) return { status: 404, body: { error: { code: 'not_found', message: 'There is no such backup.' } } };
  if (verb === 'restore') return begin(one);
  if (method === 'PATCH') return { body: Object.assign(one, body, { version: one.version + 1 }) };
  if (method === 'DELETE') { list.splice(list.indexOf(one), 1); return { status: 204 }; }
  return { body: one };
}

/** The answer to a request about destinations of backups. */
export function destinationAnswer(method, url, body, page) {
  const [, , , id, verb] = url.pathname.split('/');
  const one = destinations.find((x) => x.id === id);
  const { secret, is_default, ...rest } = body;
  if (verb === 'activate') {
    for (const each of destinations) each.is_default = each === one;
    return { body: one };
  }
  if (verb === 'test') return { body: Object.assign(one, { checked_at: now() }) };
  if (secret === 'wrong') return refused(422, 'destination_refused', 'The access key may not do this in the bucket acme-backups, or its secret is wrong (SignatureDoesNotMatch).');
  if (method === 'POST') {
    destinations.unshift(destination(body.name, body.config, { ...rest, has_secret: Boolean(secret), checked_at: now() }));
    if (is_default) for (const each of destinations) each.is_default = each === destinations[0];
    return { status: 201, body: destinations[0] };
  }
  if (method === 'PATCH') return { body: Object.assign(one, rest, { version: one.version + 1 }) };
  if (method === 'DELETE') { destinations.splice(destinations.indexOf(one), 1); return { status: 204 }; }
  return { body: id ? one : page(destinations, url) };
}

const module = (name, title, depends, rest) => ({ name, title, author: 'Odoo S.A.', state: 'installed', installed_version: '18.0.1.0', available_version: '18.0.1.0', on_disk: true, application: false, needs_update: false, depends, problem: null, ...rest });
const free = { state: 'uninstalled', installed_version: null };
const app = { application: true };
const acme = { author: 'Acme' };
const modules = [
  module('base', 'Base', []), module('web', 'Web', ['base']), module('bus', 'IM Bus', ['base', 'web']), module('mail', 'Discuss', ['base', 'web', 'bus'], app),
  module('product', 'Products & Pricelists', ['base', 'mail']), module('uom', 'Units of measure', ['base']), module('portal', 'Customer Portal', ['web', 'mail']),
  module('account', 'Invoicing', ['product', 'portal'], { ...app, installed_version: '18.0.1.3', available_version: '18.0.1.3' }),
  module('sale', 'Sales', ['account', 'portal']), module('sale_management', 'Sales', ['sale'], app), module('stock', 'Inventory', ['product'], app),
  module('sale_stock', 'Sales and Warehouse Management', ['sale', 'stock']), module('stock_account', 'WMS Accounting', ['stock', 'account']),
  module('purchase', 'Purchase', ['account'], { ...free, ...app }), module('crm', 'CRM', ['mail', 'sales_team'], { ...free, ...app }), module('sales_team', 'Sales Teams', ['mail'], free),
  module('project', 'Project', ['mail', 'portal'], { ...free, ...app }), module('hr', 'Employees', ['mail'], { ...free, ...app }), module('website', 'Website', ['portal'], { ...free, ...app }),
  module('point_of_sale', 'Point of Sale', ['stock_account'], { ...free, ...app }), module('mrp', 'Manufacturing', ['stock'], { ...free, ...app }),
  module('acme_base', 'Acme: what all need', ['sale_stock'], { ...acme, installed_version: '18.0.2.1.0', available_version: '18.0.2.2.0', needs_update: true }),
  module('acme_labels', 'Acme: labels', ['acme_base'], { ...acme, installed_version: '18.0.1.4.0', available_version: '18.0.1.4.0', needs_update: true }),
  module('acme_portal', 'Acme: portal of wholesalers', ['acme_base', 'portal'], { ...acme, installed_version: '18.0.3.0.0', available_version: null, on_disk: false, problem: 'Its files are missing: no folder of that name is on the addons path.' }),
  module('acme_routes', null, ['stock'], { ...acme, state: 'unlisted', installed_version: null, available_version: '18.0.1.0.0', title: null }),
  module('acme_scales', 'Acme: scales', ['stock', 'iot_box'], { ...acme, ...free }),
  module('acme_torn', null, ['base'], { ...acme, state: 'unlisted', installed_version: null, available_version: null, problem: 'models/order.py cannot be read: invalid syntax (line 42)' }),
  ...['ar', 'at', 'be', 'br', 'ch', 'cz', 'de', 'dk', 'ee', 'es', 'fi', 'fr', 'gb', 'hr', 'hu', 'ie', 'it', 'lt', 'lu', 'lv', 'mx', 'nl', 'no', 'pl', 'pt', 'ro', 'se', 'si', 'sk', 'us'].map((land) => module(`l10n_${land}`, `${land.toUpperCase()} - Accounting`, ['account'], free)),
].sort((a, b) => (a.name < b.name ? -1 : 1));

const named = (steps) => steps.map(([name, title]) => ({ name, title, status: 'pending', started_at: null, finished_at: null, progress: null, message: null }));
const CHANGE = [['check', 'Look at the modules'], ['stop', 'Stop Odoo'], ['copy', 'Copy the database'], ['change', 'Install and update'], ['uninstall', 'Uninstall'], ['start', 'Start Odoo'], ['health', 'Wait until Odoo answers'], ['finish', 'Remove the copy']];
export const changeSteps = () => named(CHANGE);
/** A change that failed at its third step, and was taken back. */
export function failedChange() {
  const steps = named(CHANGE);
  steps.slice(0, 4).forEach((step, i) => Object.assign(step, { status: i === 0 ? 'succeeded' : 'undone', started_at: ago(9000 - i * 20), finished_at: ago(8985 - i * 20) }));
  return { steps, started_at: ago(9000), finished_at: ago(8800), failure: { code: 'odoo_failed', message: 'Odoo ended while it updated acme_base: column "weight" of relation "product_template" does not exist.', retryable: false } };
}
export const passwordSteps = () => named([['password', 'Set the password']]);

/** The modules as they are, a page of them. */
export function moduleList(url, page, server) {
  if (server.status === 'offline') return refused(503, 'agent_offline', `The server ${server.name} is not connected. It is asked again as soon as it is back.`);
  return { body: page(modules, url, ['name', 'title', 'author']) };
}

/** Why a change is not taken, if it is not. */
export function changeRefused(body) {
  const odd = (body.install ?? []).find((name) => name === 'l10n_ar');
  return odd && { status: 400, body: { error: { code: 'validation_error', message: 'Some fields need another value.', errors: [{ field: 'install[0]', constraint: 'pattern', message: 'must be a technical name such as sale_management' }] } } };
}

/** Does what was asked. */
export function changeModules(body) {
  const find = (name) => modules.find((one) => one.name === name);
  const installed = (name, done = []) => {
    const one = find(name);
    if (!one || one.state === 'installed') return done;
    one.depends.forEach((next) => installed(next, done));
    Object.assign(one, { state: 'installed', installed_version: one.available_version });
    return [...done, name];
  };
  const update = body.update_changed ? modules.filter((one) => one.needs_update).map(({ name }) => name) : (body.update ?? []);
  update.forEach((name) => Object.assign(find(name), { needs_update: false, installed_version: find(name).available_version }));
  (body.uninstall ?? []).forEach((name) => Object.assign(find(name), free));
  return { installed: (body.install ?? []).flatMap((name) => installed(name)), updated: update, uninstalled: body.uninstall ?? [], down_milliseconds: 64_200 };
}

const source = (name, url, rest) => ({ name, url, reference: '18.0', enterprise: false, credential: null, ca_certificate: null, known_hosts: null, commit: randomUUID().replace(/-/g, '').padEnd(40, '7'), paths: [''], ...rest });
const addons = new Map();
const UPGRADE = [['check', 'Look at the instance'], ['fetch', 'Fetch the addons'], ['pull_image', 'Fetch Odoo'], ['build', 'Add Python packages to the image'], ['inspect', 'Look at the modules'], ['try', 'Try it beside the running Odoo'], ['stop', 'Stop Odoo'], ['copy', 'Copy the database'], ['update', 'Update the modules'], ['switch', 'Make the container anew'], ['health', 'Wait until Odoo answers'], ['finish', 'Remove the copy']];
export const upgradeSteps = () => named(UPGRADE);
/** A fetch that ended before anything was touched. */
export function failedFetch() {
  const steps = named(UPGRADE);
  steps.slice(0, 2).forEach((step, i) => Object.assign(step, { status: ['succeeded', 'failed'][i], started_at: ago(9000), finished_at: ago(8995) }));
  return { steps, created_at: ago(9002), started_at: ago(9000), finished_at: ago(8995), failure: { code: 'git_ref_not_found', message: 'The source initech has no branch, tag or commit 19.9. Correct its reference.', retryable: false } };
}

/** The sources of an instance; `first`: it has some. */
export function addonsOf({ id, version }, first) {
  if (!addons.has(id)) addons.set(id, first ? [
    source('enterprise', 'https://git.acme.example/odoo/enterprise.git', { enterprise: true, credential: { type: 'token', username: 'deploy', has_value: true } }),
    source('server-tools', 'https://git.example.org/community/server-tools.git'),
    source('erp', 'git@git.acme.example:acme/erp.git', { reference: 'v2.4.1', credential: { type: 'ssh_key', has_value: true }, paths: ['addons', 'addons/labels'] }),
  ] : []);
  const sources = addons.get(id);
  const path = sources.flatMap((s) => s.paths.map((p) => `/mnt/addons/${s.name}/${s.commit}${p && `/${p}`}`));
  return { body: { instance_id: id, sources, addons_path: [...path, '/mnt/extra-addons'].join(','), built_image: first ? 'ocore-built/acme-production:18-8c2f1d0a' : null }, headers: { etag: `"${version}"` } };
}

export function addonsRefused(body, match, { version }) {
  if (match && match !== `"${version}"`) return { status: 412, body: { error: { code: 'changed_meanwhile', message: 'It has been changed meanwhile. Look at it again, then apply.' } } };
  const odd = body.sources.findIndex((s) => s.url.includes('refused'));
  return odd >= 0 && { status: 400, body: { error: { code: 'validation_error', message: 'Some fields need another value.', errors: [{ field: `sources[${odd}].url`, constraint: 'custom', message: 'is not reached from here' }] } } };
}

export function replaceAddons({ id }, body) {
  addons.set(id, body.sources.map((s) => source(s.name, s.url, { ...s, credential: s.credential && { type: s.credential.type, username: s.credential.username, has_value: true } })));
  return { updated: ['acme_base', 'acme_labels'], down_milliseconds: 41_300 };
}
