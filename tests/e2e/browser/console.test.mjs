// A first evening in the browser: make the admin, add this machine, run Odoo on it, read its log, type in shells.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { bin, bootstrap, PASSWORD, picture, startController, until } from './support/controller.mjs';

const state = {};

before(async () => {
  state.controller = await startController({
    OCORE_ODOO_IMAGE: 'localhost:5000/odoo:{version}', OCORE_POSTGRES_IMAGE: 'localhost:5000/postgres:13',
    OCORE_AGENT_BINARY: path.join(bin, 'ocore-agent'),
  });
  state.base = state.controller.base;
  state.page = await state.controller.visitor();
});

after(() => state.controller?.stop());

test('the first admin is made', { timeout: 60_000 }, async () => {
  const { page } = state;
  await bootstrap(page, state.base);
  await picture(page, 'first-steps');
});

test('a server is added and its stages are followed', { timeout: 60_000 }, async () => {
  const { page } = state;
  await page.goto(`${state.base}/servers`);
  await page.getByTestId('add-server').first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('first');
  await dialog.getByRole('button', { name: 'Show the install command' }).click();
  const shown = dialog.getByTestId('install-command');
  await shown.waitFor();
  const command = await shown.innerText();
  const [, url] = /--url (\S+)/.exec(command);
  const [, pin] = /--pin '([^']+)'/.exec(command);
  const [, token] = /--token (\S+)/.exec(command);
  const dirs = ['--dir', path.join(state.controller.dir, 'agent'), '--config-dir', path.join(state.controller.dir, 'etc')];
  const env = { ...process.env, OCORE_JOIN_TOKEN: token };
  const enrolled = spawnSync(path.join(bin, 'ocore-agent'), ['enroll', '--url', url, '--pin', pin, ...dirs], { env });
  assert.equal(enrolled.status, 0, String(enrolled.stderr));
  state.controller.run('ocore-agent', ['run', ...dirs]);
  await dialog.getByTestId('install-done').waitFor({ timeout: 30_000 });
  assert.equal(await dialog.getByTestId('install-stage').count(), 5);
  await page.goto(`${state.base}/servers`);
  await page.getByTestId('server-row').filter({ hasText: 'Online' }).waitFor();
  await page.getByTestId('server-row').getByText('Online').click();
  await page.getByText('Kernel').waitFor();
  await until('live use', 30, async () => (await page.getByText(/load \d/).count()) > 0);
  await picture(page, 'server');
});

test('a terminal on the server, the same one after a reload', { timeout: 90_000 }, async () => {
  const { page } = state;
  const screen = () => page.locator('.xterm-rows').innerText();
  await page.getByTestId('tab-overview').focus();
  for (const key of ['ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
  assert.equal(await page.getByTestId('tab-overview').getAttribute('aria-selected'), 'true', 'going past opens no shell');
  await page.getByTestId('tab-terminal').click();
  await page.getByTestId('terminal').click();
  await until('an open terminal', 20, async () => (await screen()).trim().length > 0);
  await page.keyboard.type('echo "żółw $((6*7))"; kept=still\n');
  await until('the echo', 20, async () => (await screen()).includes('żółw 42'));
  await picture(page, 'terminal');

  await page.reload();
  await until('what it showed', 20, async () => (await screen()).includes('żółw 42'));
  await page.getByTestId('terminal').click();
  await page.keyboard.type('echo "$kept here"\n');
  await until('the same shell', 20, async () => (await screen()).includes('still here'));
  await page.keyboard.press('Control+Shift+X');
  await until('a way out by keys', 5, () => page.getByTestId('terminal-status').evaluate((e) => e === document.activeElement));
});

test('an instance is made, watched, read and deleted', { timeout: 400_000 }, async () => {
  const { page } = state;
  await page.goto(`${state.base}/instances/new`);
  await page.getByTestId('instance-name').fill('Acme ERP');
  await page.getByTestId('instance-email').fill('boss@acme.test');
  await page.getByTestId('instance-password').fill('odoo canary 9');
  await page.getByTestId('instance-version').click();
  await page.getByRole('option', { name: /14/ }).click();
  const server = page.getByTestId('instance-server');
  if (!(await server.inputValue()).includes('first')) {
    await server.click();
    await page.getByTestId('server-option').first().click();
  }
  await picture(page, 'new-instance');
  await page.getByTestId('create-instance').click();
  await page.getByTestId('step-row').first().waitFor({ timeout: 20_000 });
  await until('the initialisation', 120, async () => /initiali/i.test(await page.locator('main').innerText()));
  await picture(page, 'provisioning');
  await page.getByText('Healthy').first().waitFor({ timeout: 240_000 });
  await page.getByTestId('open-instance').waitFor();
  const address = await page.getByTestId('open-instance').getAttribute('href');
  assert.equal((await fetch(`${address}/web/login`)).status, 200);
  await picture(page, 'instance');

  await page.getByTestId('tab-logs').click();
  await page.getByTestId('log-line').first().waitFor({ timeout: 20_000 });
  await picture(page, 'logs');
  await page.getByTestId('tab-shell').click();
  await page.getByTestId('terminal').click();
  await until('an open shell', 20, async () => (await page.locator('.xterm-rows').innerText()).trim().length > 0);
  await page.keyboard.type('echo in-$((1+1))-$(id -un)\n');
  await until('the echo', 20, async () => (await page.locator('.xterm-rows').innerText()).includes('in-2-odoo'));

  await bringModule(page);

  await page.getByRole('button', { name: /more/i }).first().click();
  await page.getByTestId('action-delete').click();
  await page.getByTestId('confirm-name').fill('Acme ERP');
  await page.getByTestId('purge').check();
  await page.getByTestId('confirm-delete').click();
  // Whoever leaves earlier takes the request back.
  await page.waitForURL('**/jobs/*');
  await page.goto(`${state.base}/instances`);
  await page.getByTestId('empty').waitFor({ timeout: 60_000 });
});

/** A directory, a text that two people change, a large file in parts, and all of it gone again. */
async function bringModule(page) {
  const row = (path) => page.locator(`[data-file="${path}"]`);
  await page.getByTestId('tab-files').click();
  await row('config').waitFor({ timeout: 20_000 });
  await row('addons').getByRole('button').first().click();
  await page.getByTestId('empty').waitFor();
  await page.getByTestId('new-in-files').click();
  await page.getByTestId('new-directory').click();
  await page.getByTestId('file-name').fill('hello');
  await page.getByTestId('save-file-name').click();
  await page.getByRole('button', { name: 'hello', exact: true }).waitFor();
  await page.getByTestId('new-in-files').click();
  await page.getByTestId('new-file').click();
  await page.getByTestId('file-name').fill('__manifest__.py');
  await page.getByTestId('save-file-name').click();
  await page.getByTestId('file-text').fill("{'name': 'Hello'}");
  await picture(page, 'file-editor');
  await page.keyboard.press('Control+S');
  await until('the saved file', 20, async () => (await row('addons/hello/__manifest__.py').innerText()).includes('17 B'));

  // Somebody else is faster.
  const open = () => row('addons/hello/__manifest__.py').getByRole('button').first().click();
  await open();
  await page.getByTestId('file-text').fill("{'name': 'Mine'}");
  const id = new URL(page.url()).pathname.split('/')[2];
  const address = `${state.base}/api/instances/${id}/files/content?path=addons/hello/__manifest__.py`;
  const theirs = await page.request.put(address, { data: { content: "{'name': 'Theirs'}" }, headers: { origin: state.base } });
  assert.equal(theirs.status(), 200, await theirs.text());
  await page.getByTestId('file-save').click();
  await page.getByTestId('file-outdated').waitFor();
  await page.getByTestId('file-reload').click();
  await until('what they wrote', 20, async () => (await page.getByTestId('file-text').inputValue()).includes('Theirs'));
  await page.keyboard.press('Escape');

  const large = Buffer.alloc(20 * 1024 * 1024, 'oCore');
  await page.locator('input[type=file]').setInputFiles({ name: 'large.bin', mimeType: 'application/octet-stream', buffer: large });
  await row('addons/hello/large.bin').waitFor({ timeout: 60_000 });
  await picture(page, 'files');
  await row('addons/hello/large.bin').getByRole('button', { name: /actions/i }).click();
  const link = await page.getByRole('menuitem', { name: 'Download' }).getAttribute('href');
  const back = await page.request.get(state.base + link);
  assert.match(back.headers()['content-disposition'], /^attachment; filename="large.bin"/);
  assert.ok((await back.body()).equals(large), 'what came back is what was brought');
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'addons', exact: true }).click();
  await row('addons/hello').getByRole('button', { name: /actions/i }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByText('2 files in 1 directory').waitFor();
  await page.getByTestId('confirm').click();
  await page.getByTestId('empty').waitFor({ timeout: 20_000 });
}

test('the API reference works and nothing broke', { timeout: 30_000 }, async () => {
  const { page } = state;
  await page.goto(`${state.base}/docs/`);
  await page.getByText('/api/instances', { exact: false }).first().waitFor();
  await page.goto(`${state.base}/docs/guide`);
  await page.getByRole('heading', { name: 'oCore' }).waitFor();
  assert.deepEqual(state.controller.errors, []);
  assert.ok(!state.controller.log().includes(PASSWORD));
});
