// An administrator in the browser: an account that is made and suspended, a webhook whose receiver checks what comes, and
// the audit log that tells of it all.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { bootstrap, picture, startController, until } from './support/controller.mjs';

let stack;
let page;
const receiver = { requests: [], status: 200 };

before(async () => {
  receiver.server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    receiver.requests.push({ headers: request.headers, body: Buffer.concat(parts) });
    response.writeHead(receiver.status, { 'content-type': 'text/plain' }).end('the receiver was here');
  });
  await new Promise((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
  receiver.url = `http://127.0.0.1:${receiver.server.address().port}/hook`;
  // Webhooks lead to public addresses only, unless the operator says otherwise.
  stack = await startController({ OCORE_OUTBOUND_ALLOW: '127.0.0.0/8' });
  page = await stack.visitor();
  await bootstrap(page, stack.base);
});

after(async () => {
  await stack?.stop();
  receiver.server.closeAllConnections();
  receiver.server.close();
});

const signIn = (email, password) =>
  fetch(`${stack.base}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });

test('an account is made by link and by password, and suspended', { timeout: 90_000 }, async () => {
  await page.getByTestId('nav-admin').click();
  await page.getByTestId('nav-admin-users').click();
  await page.getByTestId('new-user').click();
  let form = page.getByTestId('user-form');
  await form.getByLabel('Name').fill('Linda');
  await form.getByLabel('E-mail').fill('linda@example.com');
  await form.getByTestId('create-user').click();
  const link = await page.getByTestId('password-link').innerText();
  assert.ok(link.startsWith(`${stack.base}/`), 'without a mail server the link is shown');
  await page.getByRole('button', { name: 'I have copied it' }).click();
  await page.getByRole('heading', { name: 'Linda' }).waitFor();

  await page.goto(`${stack.base}/admin/users`);
  await page.getByTestId('new-user').click();
  form = page.getByTestId('user-form');
  await form.getByLabel('Name').fill('Vic');
  await form.getByLabel('E-mail').fill('vic@example.com');
  await form.getByLabel('I choose it').check();
  await form.getByLabel('Their password').fill('another quiet place 8');
  await form.getByTestId('create-user').click();
  await page.getByRole('heading', { name: 'Vic' }).waitFor();
  assert.equal((await signIn('vic@example.com', 'another quiet place 8')).status, 200);

  await page.getByTestId('action-suspend').click();
  await page.getByLabel('Reason').fill('Left the company');
  await page.getByTestId('confirm-suspend').click();
  await page.getByTestId('suspended').getByText('Left the company').waitFor();
  await picture(page, 'admin-user');
  assert.notEqual((await signIn('vic@example.com', 'another quiet place 8')).status, 200, 'whoever is suspended stays out');
  await page.goto(`${stack.base}/admin/users?q=vic`);
  const row = page.locator('[data-testid="user-row"][data-email="vic@example.com"]');
  await row.getByTestId('status').getByText('Suspended').waitFor();
});

test('a webhook gets signed events, which are seen and sent again', { timeout: 120_000 }, async () => {
  await page.goto(`${stack.base}/webhooks/new`);
  const form = page.getByTestId('webhook-form');
  await form.getByLabel('Address').fill(receiver.url);
  await form.getByLabel('Description').fill('Receiver of the test');
  await form.getByLabel('Search events').fill('role.created');
  await form.getByRole('checkbox', { name: /^role\.created/ }).check();
  await picture(page, 'new-webhook');
  await form.getByTestId('save-webhook').click();
  const secret = await page.getByTestId('webhook-secret').innerText();
  // The receiver checks by the very function that the console gives.
  const code = await page.getByRole('group', { name: 'verification in Node.js' }).locator('pre').innerText();
  const { isFromOcore } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  const isOurs = ({ headers, body }) => isFromOcore(secret, headers, body);
  await page.getByTestId('secret-copied').click();

  await page.getByTestId('test-webhook').click();
  await page.getByTestId('test-result').getByText('It came through').waitFor();
  await page.getByTestId('response-body').getByText('the receiver was here').waitFor();
  const [ping] = receiver.requests.splice(0);
  assert.equal(JSON.parse(ping.body).type, 'webhook_endpoint.tested');
  assert.ok(isOurs(ping), 'the test is signed');
  assert.ok(!isOurs({ ...ping, body: Buffer.concat([ping.body, Buffer.from(' ')]) }), 'one byte more is not ours');
  await picture(page, 'webhook-test');
  await page.getByRole('button', { name: 'Done' }).click();

  const made = await page.evaluate(async () => {
    const body = JSON.stringify({ name: 'night shift', description: '', permissions: ['view:servers'] });
    const answer = await fetch('/api/roles', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    return answer.status;
  });
  assert.equal(made, 201);
  const [first] = await until('a delivery', 30, async () => receiver.requests.length > 0 && receiver.requests.splice(0));
  assert.equal(JSON.parse(first.body).subject.name, 'night shift');
  assert.ok(isOurs(first));

  await page.reload();
  await page.locator('[data-testid="delivery-row"][data-status="delivered"]').getByText('role.created').click();
  const delivery = page.getByTestId('delivery');
  await delivery.getByText('night shift').first().waitFor();
  await delivery.getByTestId('response-body').getByText('the receiver was here').waitFor();
  await picture(page, 'delivery');
  await delivery.getByTestId('replay').click();
  const [again] = await until('the replay', 30, async () => receiver.requests.length > 0 && receiver.requests.splice(0));
  assert.equal(again.headers['webhook-id'], first.headers['webhook-id'], 'the same event to who remembers ids');
  assert.ok(again.body.equals(first.body), 'the same bytes');
  assert.ok(isOurs(again));
  await page.getByText('the first delivery').waitFor();
});

test('the audit log shows the change, field by field, and holds', { timeout: 60_000 }, async () => {
  await page.goto(`${stack.base}/webhooks`);
  await page.getByTestId('webhook-row').getByRole('link').click();
  await page.getByTestId('tab-settings').click();
  await page.getByTestId('webhook-form').getByLabel('Description').fill('Another description');
  await page.getByTestId('save-webhook').click();
  await page.getByRole('heading', { name: 'Another description' }).waitFor();

  await page.goto(`${stack.base}/audit`);
  await page.locator('[data-testid="audit-row"][data-action="webhook_endpoint.updated"]').getByRole('button').first().click();
  const entry = page.getByTestId('audit-entry');
  await entry.getByText('webhook_endpoint.updated', { exact: true }).waitFor();
  const change = entry.locator('[data-path="description"][data-kind="changed"]');
  assert.match(await change.innerText(), /Receiver of the test[^]*Another description/);
  assert.equal(await entry.locator('[data-kind]').count(), 1, 'nothing else has changed');
  await picture(page, 'audit-entry');
  await page.keyboard.press('Escape');

  await until('a sealed log', 20, async () => {
    await page.getByTestId('verify').click();
    const result = await page.getByTestId('verified').innerText();
    await page.getByRole('button', { name: 'Done' }).click();
    return /The log is whole[^]*Every hash was computed anew/.test(result);
  });

  const download = page.waitForEvent('download');
  await page.getByTestId('export').click();
  await page.getByTestId('export-json').click();
  const lines = await (await download).createReadStream();
  let text = '';
  for await (const part of lines) text += part;
  const entries = text.trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(entries.some(({ action }) => action === 'webhook_endpoint.updated'));

  await page.goto(`${stack.base}/admin/audit?q=suspended`);
  await page.locator('[data-testid="audit-row"][data-action="user.suspended"]').waitFor();
  assert.deepEqual(stack.errors, [], 'no page broke');
});
