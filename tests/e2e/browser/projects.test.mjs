// A project with its environments, as one person works with them, and what an Odoo in it is set to. No agent carries
// anything out here: what a server would have done is written into the database.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bootstrap, picture, startController, until } from './support/controller.mjs';

const state = {};

before(async () => {
  state.controller = await startController();
  state.base = state.controller.base;
  state.page = await state.controller.visitor();
  await bootstrap(state.page, state.base);
  const made = await state.page.evaluate(async () => {
    const headers = { 'content-type': 'application/json' };
    return (await fetch('/api/servers', { method: 'POST', headers, body: JSON.stringify({ name: 'iron-1' }) })).status;
  });
  assert.equal(made, 201);
  state.controller.sql("update servers set status = 'online', session_epoch = 1");
});

after(() => state.controller?.stop());

const card = (name) => state.page.locator(`[data-testid="environment"][data-environment="${name}"]`);

test('a project is made with its environments', { timeout: 60_000 }, async () => {
  const { page } = state;
  await page.getByRole('link', { name: 'Projects' }).click();
  await page.locator('[data-testid="project-row"][data-project="Default"]').waitFor();
  await page.getByTestId('new-project').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Default');
  await dialog.getByRole('button', { name: 'Create project' }).click();
  await dialog.getByText("There is a project named 'Default' already").waitFor();
  await dialog.getByLabel('Name').fill('Acme');
  await dialog.getByLabel('Description').fill('The shop of Acme and what comes next');
  await dialog.getByLabel('Odoo version').selectOption('17.0');
  await dialog.getByTestId('starts-with-staging').uncheck();
  await picture(page, 'new-project');
  await dialog.getByRole('button', { name: 'Create project' }).click();
  await page.getByRole('heading', { name: 'Acme' }).waitFor();
  await card('Production').waitFor();
  await card('Development').waitFor();
  assert.equal(await page.getByTestId('environment').count(), 2);
  await page.getByText('New instances run Odoo 17.0').waitFor();
});

test('environments are added and renamed', { timeout: 60_000 }, async () => {
  const { page } = state;
  assert.equal(await page.getByTestId('add-production').count(), 0, 'there is one production');
  await page.getByTestId('add-staging').click();
  const dialog = page.getByRole('dialog');
  assert.equal(await dialog.getByLabel('Name').inputValue(), 'Staging');
  await dialog.getByLabel('Description').fill('Looked at before each release');
  await dialog.getByRole('button', { name: 'Create environment' }).click();
  await page.getByTestId('column-staging').getByText('Looked at before each release').waitFor();

  await card('Staging').getByTestId('environment-actions').click();
  await page.getByTestId('edit-environment').click();
  await dialog.getByLabel('Name').fill('Production');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('already').waitFor();
  await dialog.getByLabel('Name').fill('Rehearsal');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await card('Rehearsal').waitFor();
  assert.equal(await card('Staging').count(), 0);
});

test('an instance is made where it belongs', { timeout: 60_000 }, async () => {
  const { page } = state;
  for (const [environment, name] of [['Production', 'Acme shop'], ['Development', 'Acme sandbox']]) {
    await card(environment).getByTestId('new-instance-here').click();
    const chosen = page.getByTestId('instance-environment');
    await until('the environment', 10, async () => (await chosen.inputValue()) === `Acme / ${environment}`);
    await until('the version of the project', 10, async () => (await page.getByTestId('instance-version').inputValue()) === '17.0');
    await page.getByTestId('instance-name').fill(name);
    await page.getByTestId('instance-password').fill('odoo canary 9');
    await until('the only server', 10, async () => (await page.getByTestId('instance-server').inputValue()) === 'iron-1');
    if (environment === 'Production') await picture(page, 'new-instance-in-project');
    await page.getByTestId('create-instance').click();
    await page.waitForURL(/instances\/[0-9a-f-]{36}$/);
    if (environment === 'Production') state.instance = page.url();
    await page.getByRole('link', { name: 'Acme', exact: true }).click();
    await card(environment).getByText(name).waitFor();
  }
  await card('Development').getByTestId('job-note').getByText('Instance provision').waitFor();
  // As if the server had set them up.
  state.controller.sql("update jobs set status = 'succeeded', finished_at = now()");
  state.controller.sql(`update instances set status = 'running', health = 'healthy', container_id = 'c0ffee', http_port = 20001,
    observed_generation = generation`);
  await page.reload();
  await card('Production').getByText('Healthy').waitFor();
  await picture(page, 'board');
});

test('settings are tried before they are saved', { timeout: 60_000 }, async () => {
  const { page } = state;
  await page.goto(state.instance);
  await page.getByTestId('tab-configuration').click();
  const form = page.getByTestId('config-form');
  await form.getByTestId('sizing').getByText('One process with threads').waitFor();
  await page.getByTestId('conf').getByText('db_password = ********').waitFor();
  await page.getByTestId('revision').getByText('in force').waitFor();
  await picture(page, 'configuration');

  // What the server would not bear is said at its field, while one types.
  await form.getByText('Number', { exact: true }).click();
  await form.getByTestId('workers').fill('50');
  await form.getByText('50 workers need about').waitFor();
  await form.getByTestId('workers').fill('2');
  await page.locator('[data-testid="conf"] ins', { hasText: 'workers = 2' }).waitFor();
  await page.locator('[data-testid="conf"] del', { hasText: 'workers = 0' }).waitFor();
  await page.getByTestId('config-warnings').getByText('live bus').waitFor();
  assert.equal(await form.getByText('50 workers need about').count(), 0);
  await form.getByTestId('users').fill('40');
  await form.getByTestId('sizing').getByText('people need 7').waitFor();
  await picture(page, 'configuration-preview');

  await form.getByTestId('add-key').click();
  await form.getByLabel('Key 1', { exact: true }).fill('db_host');
  await form.getByText('is set by oCore and cannot be given').waitFor();
  await form.getByLabel('Key 1', { exact: true }).fill('csv_internal_sep');
  await form.getByLabel('Value of csv_internal_sep').fill(';');
  await page.locator('[data-testid="conf"] ins', { hasText: 'csv_internal_sep = ;' }).waitFor();
  await form.getByTestId('timezone').fill('warsaw');
  await page.getByRole('option', { name: 'Europe/Warsaw' }).click();
  await form.getByTestId('mail-on').check();
  await form.getByTestId('smtp-host').fill('mail.example.com');
  await form.getByTestId('smtp-password').fill('a quiet mail 9');
  await form.getByText('A password goes with a user').waitFor();
  await form.getByTestId('smtp-user').fill('shop');
  await page.locator('[data-testid="conf"] ins', { hasText: 'smtp_password = ********' }).waitFor();
  await form.getByTestId('config-note').fill('Acme opens in Warsaw');
  await picture(page, 'configuration-mail');
  await form.getByTestId('save-config').click();
  await page.getByText('Instance update').waitFor();
  await picture(page, 'configuration-applying');
});

test('what is not in force says so, and there is a way back', { timeout: 60_000 }, async () => {
  const { page, controller } = state;
  const failure = { code: 'odoo_not_healthy', message: 'Odoo did not answer within 120 s with these settings.', retryable: true };
  controller.sql(`update jobs set status = 'failed', finished_at = now(), failure = '${JSON.stringify(failure)}' where kind = 'instance_update'`);
  controller.sql("update instances set status = 'running' where name = 'Acme shop'");
  await page.reload();
  const notice = page.getByTestId('not-in-force');
  await notice.getByText('Odoo did not answer within 120 s').waitFor();
  await notice.getByTestId('apply-again').waitFor();
  await picture(page, 'configuration-not-in-force');

  await page.getByText('History', { exact: true }).click();
  const newest = page.getByTestId('revision-row').first();
  await newest.getByText('Acme opens in Warsaw').waitFor();
  await newest.getByText('Europe/Warsaw').waitFor();
  await picture(page, 'configuration-history');
  await page.getByTestId('revision-row').last().getByTestId('back-to').click();
  await page.getByRole('dialog').getByText('the mail password included').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();

  await notice.getByTestId('go-back').click();
  await page.getByTestId('confirm').click();
  await page.getByTestId('revision-row').first().getByText('Back to revision 1').waitFor();
  await page.getByText('Instance update').waitFor();
});

test('an environment goes, and what is lost was said by name', { timeout: 60_000 }, async () => {
  const { page } = state;
  await page.getByRole('link', { name: 'Projects' }).click();
  await page.getByRole('link', { name: 'Acme', exact: true }).click();
  // Empty: there is nothing to lose but the place.
  await card('Rehearsal').getByTestId('environment-actions').click();
  await page.getByTestId('delete-environment').click();
  const dialog = page.getByRole('dialog');
  assert.equal(await dialog.getByTestId('losses').getByRole('listitem').count(), 1);
  await dialog.getByTestId('confirm').click();
  await until('an empty column', 20, async () => (await card('Rehearsal').count()) === 0);

  // Production is asked for by its name.
  await card('Production').getByTestId('environment-actions').click();
  await page.getByTestId('delete-environment').click();
  await dialog.getByTestId('losses').getByText('Acme shop: its containers.').waitFor();
  await dialog.getByTestId('losses').getByText('stay in volumes on iron-1').waitFor();
  assert.ok(await dialog.getByTestId('confirm-delete').isDisabled());
  await picture(page, 'delete-production');
  await dialog.getByRole('button', { name: 'Keep it' }).click();

  await card('Development').getByTestId('environment-actions').click();
  await page.getByTestId('delete-environment').click();
  await dialog.getByTestId('losses').getByText('at once and for good').waitFor();
  await picture(page, 'delete-development');
  await dialog.getByTestId('confirm').click();
  await card('Development').getByText('It goes with the last of its instances.').waitFor();
  await card('Development').getByTestId('job-note').getByText('Instance remove').waitFor();
  await picture(page, 'board-deleting');

  // The project stays for as long as something is in it.
  await page.getByTestId('more-actions').click();
  await page.getByTestId('action-delete').click();
  await dialog.getByTestId('delete-blocked').getByText('environments; delete them first').waitFor();
  assert.ok(await dialog.getByTestId('confirm').isDisabled());
});

test('an empty project is archived, restored and deleted', { timeout: 60_000 }, async () => {
  const { page } = state;
  await page.goto(`${state.base}/projects?add=project`);
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Globex');
  for (const type of ['production', 'staging', 'development']) await dialog.getByTestId(`starts-with-${type}`).uncheck();
  await dialog.getByRole('button', { name: 'Create project' }).click();
  await page.getByText('No environment yet').waitFor();
  await picture(page, 'project-empty');
  const act = async (action) => {
    await page.getByTestId('more-actions').click();
    await page.getByTestId(`action-${action}`).click();
    await page.getByTestId('confirm').click();
  };
  await act('archive');
  await page.getByTestId('archived').waitFor();
  await page.getByRole('link', { name: 'Projects' }).first().click();
  await page.locator('[data-testid="project-row"][data-project="Acme"]').waitFor();
  const row = page.locator('[data-testid="project-row"][data-project="Globex"]');
  // The list that was shown before stands until the new one has come.
  await row.waitFor({ state: 'detached' });
  await page.getByTestId('show-archived').check();
  await row.getByText('archived').waitFor();
  await picture(page, 'projects');
  await row.getByRole('link').click();
  await act('archive');
  await until('a restored project', 20, async () => (await page.getByTestId('archived').count()) === 0);
  await act('delete');
  await page.waitForURL('**/projects');
  await page.locator('[data-testid="project-row"][data-project="Acme"]').waitFor();
  await row.waitFor({ state: 'detached' });
});

test('nothing broke, and no password was written down', { timeout: 10_000 }, () => {
  assert.deepEqual(state.controller.errors, []);
  for (const secret of ['a quiet mail 9', 'odoo canary 9']) assert.ok(!state.controller.log().includes(secret));
});
