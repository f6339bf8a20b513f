// Two people in one organization: an invitation, a role that changes under open eyes, a key by the line that is shown,
// an exception that reaches the key, and a removal that asks about it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { bootstrap, PASSWORD, picture, startController, until } from './support/controller.mjs';

const state = {};

/** Runs a line as a person would who has copied it into a shell. */
function shell(line) {
  const done = spawnSync('sh', ['-c', line]);
  return { status: done.status, out: String(done.stdout), error: String(done.stderr) };
}

before(async () => {
  state.controller = await startController();
  state.base = state.controller.base;
  state.ada = await state.controller.visitor();
  state.grace = await state.controller.visitor();
});

after(() => state.controller?.stop());

test('an owner invites somebody and hands the link over', { timeout: 60_000 }, async () => {
  const { ada } = state;
  await bootstrap(ada, state.base);
  // Grace has been on this controller for longer.
  const grace = { name: 'Grace', email: 'grace@example.com', password: PASSWORD, is_admin: false };
  const made = await ada.evaluate(async (body) => {
    const headers = { 'content-type': 'application/json' };
    return (await fetch('/api/admin/users', { method: 'POST', headers, body: JSON.stringify(body) })).status;
  }, grace);
  assert.equal(made, 201);

  await ada.getByRole('link', { name: 'Members' }).click();
  await ada.getByTestId('invite').click();
  const dialog = ada.getByRole('dialog');
  await dialog.getByLabel('E-mail').fill('grace@example.com');
  await dialog.getByTestId('role-select').click();
  await ada.getByRole('option', { name: /developer/ }).click();
  await dialog.getByRole('button', { name: 'Invite', exact: true }).click();
  state.link = await dialog.getByTestId('invitation-link').innerText();
  assert.ok(state.link.startsWith(`${state.base}/invite#token=`), state.link);
  await picture(ada, 'invited');
  await dialog.getByRole('button', { name: 'Done' }).click();

  // The same address cannot wait twice, and the form says so at its field.
  await ada.getByTestId('invite').click();
  await dialog.getByLabel('E-mail').fill('Grace@example.com');
  await dialog.getByRole('button', { name: 'Invite', exact: true }).click();
  await dialog.getByText('has been invited already').waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
});

test('she sees who invites her where, signs in and joins', { timeout: 60_000 }, async () => {
  const { grace } = state;
  await grace.goto(state.link);
  await grace.getByRole('heading', { name: 'Join Example' }).waitFor();
  await grace.getByText('Ada invites you').waitFor();
  await grace.getByText('developer').waitFor();
  await picture(grace, 'invitation');
  await grace.getByTestId('invite-sign-in').click();
  await grace.waitForURL('**/login?*');
  assert.ok(!grace.url().includes('token'), 'the token stays out of addresses that are sent');
  assert.equal(await grace.getByLabel('E-mail').inputValue(), 'grace@example.com');
  await grace.locator('input[type=password]').fill(PASSWORD);
  await grace.getByRole('button', { name: 'Sign in', exact: true }).click();
  await grace.getByTestId('accept-invitation').click();
  await grace.waitForURL(`${state.base}/`);
  await grace.getByTestId('organization-menu').getByText('Example').waitFor();

  // Used once: the link says so to whoever comes later.
  const stranger = await state.controller.visitor();
  await stranger.goto(state.link);
  await stranger.getByRole('heading', { name: 'This invitation has ended' }).waitFor();
  await stranger.close();
});

test('a role that changes is seen at once, without a reload', { timeout: 60_000 }, async () => {
  const { ada, grace } = state;
  await grace.getByRole('link', { name: 'API keys' }).click();
  await grace.getByTestId('new-key').first().waitFor();

  await ada.goto(`${state.base}/members`);
  const row = ada.locator('[data-testid="member-row"][data-email="grace@example.com"]');
  const give = async (role) => {
    await row.getByTestId('member-actions').click();
    await ada.getByTestId('action-role').click();
    await ada.getByRole('dialog').getByTestId('role-select').click();
    await ada.getByRole('option', { name: new RegExp(role) }).click();
    await ada.getByRole('dialog').getByRole('button', { name: 'Change the role' }).click();
    await row.getByTestId('role').getByText(role).waitFor();
  };
  await give('viewer');
  await until('no button for a viewer', 20, async () => (await grace.getByTestId('new-key').count()) === 0);
  await give('developer');
  await grace.getByTestId('new-key').first().waitFor({ timeout: 20_000 });
  await picture(ada, 'members');
});

test('a key is made and used by the line that is shown', { timeout: 60_000 }, async () => {
  const { ada, grace } = state;
  await grace.getByTestId('new-key').first().click();
  const dialog = grace.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Inventory');
  const locked = dialog.getByTestId('manage:servers');
  assert.ok(await locked.isDisabled(), 'nobody gives what they do not hold');
  await dialog.getByTestId('view:servers').check();
  await dialog.getByTestId('manage:projects').check();
  assert.ok(await dialog.getByTestId('view:projects').isChecked(), 'managing includes viewing');
  await picture(grace, 'new-key');
  await dialog.getByRole('button', { name: 'Create key' }).click();
  state.curl = await dialog.getByTestId('curl').innerText();
  assert.ok(state.curl.includes(await dialog.getByTestId('api-key').innerText()));
  const answer = shell(state.curl);
  assert.equal(answer.status, 0, answer.error);
  assert.deepEqual(JSON.parse(answer.out).data, []);
  await dialog.getByRole('button', { name: 'I have copied it' }).click();
  await dialog.waitFor({ state: 'hidden' });
  assert.equal(await grace.getByText(/ocore_k_\w{20}/).count(), 0, 'it is shown once');

  await ada.goto(`${state.base}/api-keys`);
  await ada.locator('[data-testid="key-row"][data-key="Inventory"]').getByText('Active').waitFor();
});

test('why she can, and an exception that reaches her key', { timeout: 60_000 }, async () => {
  const { ada } = state;
  await ada.goto(`${state.base}/members`);
  await ada.getByRole('link', { name: 'Grace' }).click();
  await ada.getByTestId('tab-access').click();
  await ada.getByLabel('Search the permissions').fill('servers');
  const row = ada.locator('[data-testid="access-row"][data-permission="view:servers"]');
  await row.getByText('role developer').filter({ visible: true }).waitFor();
  await picture(ada, 'access');
  await row.getByTestId('exception-menu').click();
  await ada.getByTestId('exception-deny').click();
  await row.getByText('An exception denies it').filter({ visible: true }).waitFor();
  await until('a refused key', 20, async () => shell(state.curl).error.includes('403'));
  await row.getByTestId('exception-menu').click();
  await ada.getByTestId('exception-drop').click();
  await row.getByText('role developer').filter({ visible: true }).waitFor();
  await until('a key that works again', 20, async () => shell(state.curl).status === 0);
});

test('a role of their own, in one project only', { timeout: 60_000 }, async () => {
  const { ada } = state;
  await ada.getByRole('link', { name: 'Roles' }).click();
  await ada.getByTestId('new-role').click();
  await ada.getByLabel('Name').fill('night watch');
  await ada.getByTestId('manage:jobs').check();
  await picture(ada, 'new-role');
  await ada.getByTestId('save-role').click();
  await ada.getByRole('heading', { name: 'night watch' }).waitFor();

  await ada.goto(`${state.base}/members`);
  await ada.getByRole('link', { name: 'Grace' }).click();
  await ada.getByTestId('add-grant').click();
  const grant = ada.getByTestId('grant-row').last();
  await grant.getByTestId('grant-role').click();
  await ada.getByRole('option', { name: 'night watch' }).click();
  await grant.getByTestId('scope-kind').selectOption('project');
  await grant.getByTestId('scope-object').click();
  await ada.getByRole('option', { name: 'Default', exact: true }).click();
  await picture(ada, 'grants');
  await ada.getByTestId('save-grants').click();
  await until('saved', 10, () => ada.getByTestId('save-grants').isDisabled());

  // Who is in its way is named, and the role stays.
  await ada.getByRole('link', { name: 'Roles' }).click();
  await ada.getByRole('link', { name: 'night watch' }).click();
  await ada.getByTestId('used-by').getByText('Grace').waitFor();
  await ada.getByTestId('delete-role').click();
  await ada.getByRole('dialog').getByText('Grace').waitFor();
  assert.ok(await ada.getByTestId('confirm').isDisabled());
  await ada.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
});

test('a removal asks about her keys and ends them', { timeout: 60_000 }, async () => {
  const { ada, grace } = state;
  await ada.goto(`${state.base}/members`);
  await ada.getByRole('link', { name: 'Grace' }).click();
  await ada.getByTestId('remove-member').click();
  const dialog = ada.getByRole('dialog');
  await dialog.getByText('They made: Inventory.').waitFor();
  await picture(ada, 'remove-member');
  await dialog.getByTestId('confirm-remove').click();
  await ada.waitForURL('**/members');
  await until('a revoked key', 20, async () => shell(state.curl.replace('-fsS', '-sS')).out.includes('key_revoked'));
  // Her open page learns of it by itself.
  await grace.getByText('You belong to no organization').waitFor({ timeout: 20_000 });
});

test('another organization, and the way there and back', { timeout: 60_000 }, async () => {
  const { ada } = state;
  await ada.getByTestId('organization-menu').click();
  await ada.getByTestId('new-organization').click();
  await ada.getByRole('dialog').getByLabel('Name').fill('Second');
  await ada.getByRole('button', { name: 'Create and go there' }).click();
  await ada.getByTestId('organization-menu').getByText('Second').waitFor();
  await ada.getByRole('link', { name: 'Settings' }).click();
  await ada.getByLabel('Slug').fill('second-place');
  await ada.getByTestId('slug-notice').waitFor();
  await ada.getByTestId('save-general').click();
  await ada.getByText('Saved').waitFor();
  await ada.reload();
  await ada.getByTestId('organization-menu').getByText('Second').waitFor();
  assert.equal(await ada.getByLabel('Slug').inputValue(), 'second-place');

  await ada.getByTestId('delete-organization').click();
  await ada.getByTestId('confirm-name').fill('Second');
  await ada.getByTestId('confirm-delete').click();
  await ada.getByTestId('organization-menu').getByText('Example').waitFor();
  await ada.getByRole('link', { name: 'Members' }).click();
  await ada.getByTestId('member-row').getByText('ada@example.com').waitFor();
});

test('what is typed while a search comes back stays', { timeout: 30_000 }, async () => {
  const { ada } = state;
  await ada.goto(`${state.base}/servers`);
  const field = ada.getByLabel('Search servers');
  await field.waitFor();
  await ada.evaluate(() => {
    const field = document.querySelector('[data-search]');
    const { set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
    const { replaceState } = history;
    window.shown = [];
    const look = () => {
      window.shown.push(field.value);
      requestAnimationFrame(look);
    };
    // The next keys, at the moment at which the first word is on its way.
    history.replaceState = function (...args) {
      history.replaceState = replaceState;
      replaceState.apply(this, args);
      set.call(field, 'north east');
      field.dispatchEvent(new Event('input', { bubbles: true }));
      look();
    };
  });
  await field.fill('north');
  await ada.waitForURL(/q=north( |\+|%20)east/);
  assert.equal(await field.inputValue(), 'north east');
  assert.deepEqual([...new Set(await ada.evaluate(() => window.shown))], ['north east']);
});

test('nothing broke, and no secret was written down', { timeout: 10_000 }, async () => {
  assert.deepEqual(state.controller.errors, []);
  const log = state.controller.log();
  const key = /ocore_k_\w+/.exec(state.curl)[0];
  for (const secret of [PASSWORD, key, state.link.split('token=')[1]]) assert.ok(!log.includes(secret));
});
