// Pictures of every page in both themes, from the mock server: `npm run build && npm run mock &`, then `npm run shots`.
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';

const base = process.env.BASE ?? 'http://127.0.0.1:8099';
const out = new URL('./shots/', import.meta.url).pathname;
mkdirSync(out, { recursive: true });
const only = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

async function shoot(theme, width, height) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme });
  const tab = await context.newPage();
  const problems = [];
  tab.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  tab.on('pageerror', (error) => problems.push(String(error)));
  const name = `${theme}-${width}`;
  const take = async (label, path, act) => {
    if (only.length && !only.includes(label)) return;
    if (path) await tab.goto(base + path);
    await tab.locator('h1').first().waitFor({ timeout: 10_000 }).catch(() => undefined);
    await tab.waitForTimeout(900);
    if (act) {
      await act();
      await tab.waitForTimeout(700);
    }
    await tab.screenshot({ path: `${out}${label}-${name}.png` });
  };
  await take('login', '/servers');
  for (const page of ['signup', 'forgot-password', 'reset-password#token=x', 'verify-email#token=x']) await take(page.split('#')[0], `/${page}`);
  await tab.goto(base + '/login');
  await tab.getByLabel('E-mail').fill('ada@acme.example');
  await tab.locator('input[type=password]').fill('secret123');
  await tab.getByRole('button', { name: 'Sign in', exact: true }).click();
  await tab.waitForURL(base + '/');
  for (const part of ['profile', 'security', 'sessions', 'history', 'ssh', 'notifications']) await take(`account-${part}`, `/account?tab=${part}`);
  await take('account-totp', '/account?tab=security', () => tab.getByTestId('totp-set-up').click());
  const get = async (path) => (await (await context.request.get(base + path)).json()).data;
  const servers = await get('/api/servers');
  const instances = await get('/api/instances');
  const jobs = await get('/api/jobs');
  const find = (list, part) => list.find((x) => x.name.startsWith(part))?.id;
  await take('dashboard', '/');
  await take('servers', '/servers');
  if (servers.length === 0) return;
  await take('add-server', '/servers?add=server', async () => {
    await tab.getByLabel('Name').fill(`shot-${Date.now() % 100000}`);
    await tab.getByRole('button', { name: 'Show the install command' }).click();
    await tab.waitForTimeout(6500);
  });
  await take('server', `/servers/${find(servers, 'paris-1')}`, () => tab.waitForTimeout(1500));
  await take('server-degraded', `/servers/${find(servers, 'lyon')}`);
  await take('containers', `/servers/${find(servers, 'paris-1')}?tab=containers`);
  await take('terminal', `/servers/${find(servers, 'paris-1')}?tab=terminal`, async () => {
    await tab.waitForTimeout(1000);
    await tab.keyboard.type('ls -la\r');
  });
  await take('server-events', `/servers/${find(servers, 'paris-1')}?tab=events`);
  await take('server-settings', `/servers/${find(servers, 'paris-1')}?tab=settings`);
  await take('instances', '/instances');
  await take('new-instance', '/instances/new');
  await take('new-instance-errors', '/instances/new', async () => {
    await tab.getByLabel('Name').fill('taken');
    await tab.getByRole('combobox', { name: 'Server' }).click();
    await tab.waitForTimeout(500);
    await tab.screenshot({ path: `${out}server-select-${name}.png` });
    await tab.getByTestId('server-option').first().click();
    await tab.getByRole('button', { name: 'Make up a password' }).click();
    await tab.getByTestId('create-instance').click();
  });
  await take('instance', `/instances/${find(instances, 'Acme prod')}`);
  await take('instance-provisioning', `/instances/${find(instances, 'Umbrella')}`, () => tab.waitForTimeout(1500));
  await take('instance-error', `/instances/${find(instances, 'Initech')}`);
  await take('logs', `/instances/${find(instances, 'Acme prod')}?tab=logs`, async () => {
    await tab.getByLabel('Search these lines').fill('wkhtml');
    await tab.keyboard.press('Enter');
    await tab.waitForTimeout(2000);
  });
  await take('log-search', `/instances/${find(instances, 'Acme prod')}?tab=logs`, () => tab.getByText('Search', { exact: true }).first().click());
  await take('shell', `/instances/${find(instances, 'Acme prod')}?tab=shell`);
  await take('instance-settings', `/instances/${find(instances, 'Acme prod')}?tab=settings`);
  await take('delete', `/instances/${find(instances, 'Acme prod')}`, async () => {
    await tab.getByTestId('more-actions').click();
    await tab.getByTestId('action-delete').click();
    await tab.waitForTimeout(300);
    await tab.getByText('Delete the database and files too').click();
  });
  const projects = await get('/api/projects');
  const production = `/instances/${find(instances, 'Acme prod')}?tab=configuration`;
  await take('projects', '/projects');
  await take('new-project', '/projects?add=project');
  await take('board', `/projects/${find(projects, 'Acme')}`);
  await take('delete-environment', `/projects/${find(projects, 'Acme')}`, async () => {
    await tab.getByTestId('environment-actions').nth(0).click();
    await tab.getByTestId('delete-environment').click();
  });
  await take('configuration', production);
  await take('configuration-refused', production, async () => {
    await tab.getByText('Number', { exact: true }).click();
    await tab.getByTestId('workers').fill('9');
    await tab.getByTestId('add-key').click();
    await tab.getByLabel('Key 1', { exact: true }).fill('csv_internal_sep');
    await tab.getByTestId('sizing').scrollIntoViewIfNeeded();
  });
  await take('configuration-mail', production, async () => {
    await tab.getByTestId('mail-on').check();
    await tab.getByTestId('smtp-host').fill('smtp.acme.example');
    await tab.waitForTimeout(600);
  });
  await take('configuration-history', `${production}&view=history`);
  const modules = `/instances/${find(instances, 'Acme prod')}?tab=modules`;
  await take('modules', modules);
  await take('modules-chosen', `${modules}&view=all`, async () => {
    for (const name of ['acme_base', 'acme_labels', 'acme_routes']) await tab.getByLabel(`Choose ${name}`).check();
  });
  await take('modules-problems', `${modules}&view=problems`);
  await take('modules-nothing', `${modules}&q=nosuch`);
  await take('module', modules, () => tab.getByRole('button', { name: 'Inventory' }).click());
  const moduleAction = async (name, action) => {
    await tab.locator(`[data-module=${name}]`).getByTestId('module-actions').click();
    await tab.getByTestId(`action-${action}`).click();
  };
  await take('module-install', `${modules}&view=all&q=crm`, () => moduleAction('crm', 'install'));
  await take('module-obstacle', `${modules}&view=all&q=scales`, () => moduleAction('acme_scales', 'install'));
  await take('module-refused', `${modules}&view=all&q=l10n_ar`, async () => {
    await moduleAction('l10n_ar', 'install');
    await tab.getByTestId('confirm').click();
  });
  await take('module-uninstall', `${modules}&q=stock`, () => moduleAction('stock', 'uninstall'));
  await take('modules-update', modules, () => tab.getByTestId('update-changed').click());
  await take('modules-failed', `/instances/${find(instances, 'Globex')}?tab=modules`);
  await take('modules-stopped', `/instances/${find(instances, 'Acme stag')}?tab=modules`);
  await take('modules-offline', `/instances/${find(instances, 'Hooli')}?tab=modules`);
  await take('password', `/instances/${find(instances, 'Globex')}`, async () => {
    await tab.getByTestId('more-actions').click();
    await tab.getByTestId('action-password').click();
    await tab.getByRole('button', { name: 'Make up a password' }).click();
  });
  await take('password-set', `/instances/${find(instances, 'Globex')}`, async () => {
    await tab.getByTestId('more-actions').click();
    await tab.getByTestId('action-password').click();
    await tab.getByRole('button', { name: 'Make up a password' }).click();
    await tab.getByTestId('set-password').click();
    await tab.getByText('The password is set').waitFor();
  });
  await take('modules-progress', `${modules}&view=available&q=l10n_`, async () => {
    // Another one in each round: what is installed stays so.
    await moduleAction({ 'dark-1360': 'l10n_at', 'light-1360': 'l10n_be', 'dark-390': 'l10n_br' }[name], 'install');
    await tab.getByTestId('confirm').click();
    await tab.waitForTimeout(6500);
  });
  await take('modules-done', null, () => tab.getByTestId('last-change').waitFor({ timeout: 20_000 }));
  const tabOf = (name, part) => `/instances/${find(instances, name)}?tab=${part}`;
  await take('proxy', `/servers/${find(servers, 'paris-1')}?tab=proxy`);
  await take('proxy-none', `/servers/${find(servers, 'paris-2')}?tab=proxy`);
  const files = `${tabOf('Acme prod', 'files')}&path=addons`;
  const openFile = async () => {
    await tab.locator('[data-file="addons/acme_labels"] [data-row]').click();
    await tab.locator('[data-file="addons/acme_labels/__manifest__.py"] [data-row]').click();
  };
  await take('files-roots', tabOf('Acme prod', 'files'));
  await take('files', files);
  await take('files-editor', files, openFile);
  await take('files-delete', files, async () => {
    await tab.getByLabel('Actions for acme_labels').click();
    await tab.getByRole('menuitem', { name: 'Delete' }).click();
  });
  await take('files-empty', `${tabOf('Acme prod', 'files')}&path=addons/empty`);
  await take('domains', tabOf('Acme prod', 'domains'));
  await take('domains-own-proxy', tabOf('Hooli', 'domains'));
  await take('domains-none', tabOf('Globex', 'domains'));
  const domainAction = async (host, action) => {
    await tab.getByLabel(`Actions for ${host}`).click();
    await tab.getByTestId(`action-${action}`).click();
  };
  await take('domain-elsewhere', tabOf('Acme prod', 'domains'), () => tab.getByTestId('verify').first().click());
  await take('domain-access', tabOf('Acme prod', 'domains'), () => domainAction('www.acme.example', 'access'));
  await take('domain-certificate', tabOf('Acme prod', 'domains'), () => domainAction('shop.acme.example', 'certificate'));
  await take('health', tabOf('Acme prod', 'health'));
  await take('health-looping', tabOf('Globex', 'health'));
  await take('metrics', tabOf('Acme prod', 'metrics'), () => tab.waitForTimeout(1000));
  await take('database', tabOf('Acme prod', 'database'));
  await take('database-below', tabOf('Acme prod', 'database'), () => tab.getByTestId('new-database').scrollIntoViewIfNeeded());
  await take('database-tune', tabOf('Acme prod', 'database'), () => tab.getByTestId('tune').click());
  await take('database-maintain', tabOf('Acme prod', 'database'), () => tab.getByTestId('maintain').click());
  await take('database-stopped', tabOf('Acme stag', 'database'));
  const addons = `/instances/${find(instances, 'Acme prod')}?tab=addons`;
  const sourceAction = async (name, action) => {
    await tab.locator(`[data-source=${name}]`).getByTestId('source-actions').click();
    await tab.getByTestId(`action-${action}`).click();
  };
  await take('addons', addons);
  await take('addons-source', addons, async () => {
    await sourceAction('enterprise', 'edit');
    await tab.getByTestId('source-user').fill('other');
    await tab.getByTestId('source-more').click();
    await tab.getByTestId('keep-source').click();
  });
  await take('addons-key', addons, () => sourceAction('erp', 'edit'));
  const addRefused = async () => {
    await tab.getByTestId('add-source').click();
    await tab.getByTestId('source-url').fill('https://git.example.org/refused/web.git');
    await tab.getByTestId('keep-source').click();
    await tab.getByTestId('source-form').waitFor({ state: 'hidden' });
  };
  await take('addons-unsaved', addons, async () => {
    await addRefused();
    await sourceAction('server-tools', 'remove');
  });
  await take('addons-refused', addons, async () => {
    await addRefused();
    await tab.getByTestId('apply').click();
    await tab.getByTestId('confirm').click();
    await tab.waitForTimeout(500);
    await tab.keyboard.press('Escape');
  });
  await take('addons-none', `/instances/${find(instances, 'Globex')}?tab=addons`);
  await take('addons-stopped', `/instances/${find(instances, 'Acme stag')}?tab=addons`);
  await take('addons-offline', `/instances/${find(instances, 'Hooli')}?tab=addons`);
  await take('addons-unprovisioned', `/instances/${find(instances, 'Initech')}?tab=addons`);
  await take('addons-fetch', addons, () => tab.getByTestId('fetch-commits').click());
  await take('addons-progress', addons, async () => {
    await tab.getByTestId('fetch-commits').click();
    await tab.getByTestId('confirm').click();
    await tab.waitForTimeout(6000);
  });
  await take('addons-done', null, () => tab.getByTestId('last-change').waitFor({ timeout: 20_000 }));
  await take('upgrade', `/instances/${find(instances, 'Acme prod')}`, () => tab.getByTestId('upgrade-image-here').click());
  await take('upgrade-progress', `/instances/${find(instances, 'Acme prod')}`, async () => {
    await tab.getByTestId('more-actions').click();
    await tab.getByTestId('action-upgrade').click();
    await tab.getByTestId('upgrade-image').fill('odoo:18.0');
    await tab.getByTestId('upgrade').click();
    await tab.waitForTimeout(5000);
  });
  await take('upgrade-done', null, () => tab.getByTestId('last-change').waitFor({ timeout: 20_000 }));
  const registries = (kind) => async () => {
    await tab.getByTestId('registry-actions').first().click();
    await tab.getByTestId(`action-${kind}`).click();
  };
  const backups = `/instances/${find(instances, 'Acme production')}?tab=backups`;
  await take('backups', backups);
  await take('all-backups', '/backups');
  await take('backups-empty', `/instances/${find(instances, 'Globex')}?tab=backups`);
  await take('backup-new', backups, () => tab.getByTestId('new-backup').click());
  await take('backup-restore', backups, async () => {
    await tab.getByTestId('backup-actions').first().click();
    await tab.getByTestId('action-restore').click();
  });
  await take('backup-running', backups, async () => {
    await tab.getByTestId('new-backup').click();
    await tab.getByTestId('make-backup').click();
  });
  // The next theme finds the instance idle again.
  await take('backup-running-done', null, () => tab.getByTestId('new-backup').click({ trial: true, timeout: 60_000 }));
  await take('destinations', '/backup-destinations');
  await take('new-destination', '/backup-destinations?add=destination');
  await take('destination-refused', '/backup-destinations?add=destination', async () => {
    await tab.getByTestId('destination-name').fill('Far away');
    await tab.getByTestId('destination-bucket').fill('acme-backups');
    await tab.getByTestId('destination-region').fill('eu');
    await tab.getByTestId('destination-key').fill('AKIA');
    await tab.getByTestId('destination-secret').fill('wrong');
    await tab.getByTestId('save-destination').click();
    await tab.getByTestId('destination-refused').scrollIntoViewIfNeeded();
  });
  await take('destination-sftp', '/backup-destinations', async () => {
    await tab.getByTestId('destination-actions').nth(1).click();
    await tab.getByTestId('action-edit').click();
  });
  await take('registries', '/registries');
  await take('new-registry', '/registries?add=registry');
  await take('registry-refused', '/registries?add=registry', async () => {
    await tab.getByTestId('registry-address').fill('quay.io');
    await tab.getByTestId('registry-user').fill('acme');
    await tab.getByTestId('registry-password').fill('wrong');
    await tab.getByTestId('save-registry').click();
  });
  await take('edit-registry', '/registries', async () => {
    await registries('edit')();
    await tab.getByTestId('registry-user').fill('other');
    await tab.getByTestId('save-registry').click();
  });
  await take('registry-test', '/registries', registries('test'));
  await take('remove-registry', '/registries', registries('remove'));
  await take('jobs', '/jobs');
  await take('job', `/jobs/${jobs[0].id}`);
  await take('job-failed', `/jobs/${jobs.find((j) => j.status === 'failed').id}`);
  const members = await get('/api/members');
  const roles = await get('/api/roles');
  const accounts = await get('/api/service-accounts');
  await take('members', '/members');
  await take('invitations', '/members?tab=invitations');
  await take('invite', '/members', () => tab.getByTestId('invite').click());
  await take('member', `/members/${find(members, 'Nina')}`);
  await take('member-access', `/members/${find(members, 'Nina')}?tab=access`);
  await take('remove-member', `/members/${find(members, 'Grace')}`, () => tab.getByTestId('remove-member').click());
  await take('roles', '/roles');
  await take('role', `/roles/${find(roles, 'support')}`);
  await take('new-role', '/roles/new');
  await take('service-accounts', '/service-accounts');
  await take('service-account', `/service-accounts/${find(accounts, 'ci')}`);
  await take('organization', '/organization');
  await take('organizations', '/organization', () => tab.getByTestId('organization-menu').click());
  await take('account', '/account');
  await take('invitation', '/invite#token=mock');
  await take('keys', '/api-keys');
  await take('new-key', '/api-keys', () => tab.getByTestId('new-key').click());
  await take('key-made', '/api-keys', async () => {
    await tab.getByTestId('new-key').click();
    await tab.getByLabel('Name').fill('Backup script');
    await tab.getByRole('button', { name: 'All viewing' }).click();
    await tab.getByRole('button', { name: 'Create key' }).click();
  });
  const hooks = await get('/api/webhook-endpoints');
  await take('notices', '/', () => tab.getByTestId('notices').click());
  await take('webhooks', '/webhooks');
  await take('new-webhook', '/webhooks/new');
  await take('webhook-secret', '/webhooks/new', async () => {
    await tab.getByLabel('Address').fill('https://example.com/hook');
    await tab.getByTestId('all-events').check();
    await tab.getByTestId('save-webhook').click();
  });
  await take('webhook', `/webhooks/${hooks.find((h) => h.failing_since && h.active)?.id}`);
  await take('webhook-off', `/webhooks/${hooks.find((h) => !h.active)?.id}`);
  await take('delivery', `/webhooks/${hooks.find((h) => h.description.startsWith('Chat'))?.id}`, () => tab.getByTestId('delivery-row').nth(0).click());
  await take('webhook-test', `/webhooks/${hooks.find((h) => h.description.startsWith('Chat'))?.id}`, () => tab.getByTestId('test-webhook').click());
  await take('audit', '/audit');
  await take('audit-entry', '/audit', () => tab.getByTestId('audit-row').nth(0).click());
  await take('audit-secret', '/audit', () => tab.getByTestId('audit-row').nth(1).click());
  await take('audit-verified', '/audit', () => tab.getByTestId('verify').click());
  await take('admin', '/admin');
  await take('admin-users', '/admin/users');
  await take('admin-new-user', '/admin/users', () => tab.getByTestId('new-user').click());
  await take('admin-user', '/admin/users/u');
  await take('admin-suspend', '/admin/users', async () => {
    await tab.getByText('Grace Hopper').click();
    await tab.getByTestId('action-suspend').click();
  });
  await take('admin-organizations', '/admin/organizations');
  await take('admin-organization', '/admin/organizations/org');
  await take('admin-jobs', '/admin/jobs');
  await take('admin-job', '/admin/jobs', () => tab.getByTestId('admin-job-row').nth(1).click());
  await take('admin-mails', '/admin/mails');
  await take('admin-mail', '/admin/mails', () => tab.getByTestId('mail-row').nth(0).click());
  await take('admin-tunnels', '/admin/tunnels');
  await take('admin-settings', '/admin/settings');
  await take('admin-provider', '/admin/settings', () => tab.getByTestId('new-provider').click());
  await take('admin-mail-server', '/admin/settings?tab=mail', () => tab.getByTestId('test-mail').click());
  await take('admin-networks', '/admin/settings?tab=networks');
  await take('admin-logs', '/admin/settings?tab=logs');
  await take('shortcuts', '/instances', () => tab.keyboard.press('?'));
  await take('not-found', '/nowhere');
  console.log(name, problems.length ? [...new Set(problems)] : 'no problem in the console');
  await context.close();
}

await shoot('dark', 1360, 860);
await shoot('light', 1360, 860);
await shoot('dark', 390, 844);
await browser.close();
