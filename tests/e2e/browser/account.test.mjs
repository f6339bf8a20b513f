// Every way into the console and back: mail, invitation, authenticator app, passkey, an account elsewhere.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ofConsole, PASSWORD, picture, startController, until } from './support/controller.mjs';
import { startMailbox } from './support/smtp.mjs';
import { app } from './support/totp.mjs';

const { OAuth2Server } = await import(ofConsole.resolve('oauth2-mock-server'));
const ANOTHER = 'a louder place 8';
const state = {};

async function api(method, path, body, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(state.base + path, { method, headers, body: JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

before(async () => {
  state.mailbox = await startMailbox();
  state.issuer = new OAuth2Server();
  await state.issuer.issuer.keys.generate('RS256');
  await state.issuer.start(0, 'localhost');
  state.controller = await startController({
    SMTP_HOST: '127.0.0.1', SMTP_PORT: String(state.mailbox.port), SMTP_TLS: 'none', SMTP_FROM: 'ocore@example.com',
  });
  state.base = state.controller.base;
  const made = await api('POST', '/api/auth/bootstrap', {
    email: 'ada@example.com', password: PASSWORD, name: 'Ada', organization_name: 'Example',
  });
  const provider = {
    id: 'sso', kind: 'oidc', name: 'Sign-on', issuer: state.issuer.issuer.url, client_id: 'ocore', client_secret: 'not a secret',
  };
  await api('PUT', '/api/admin/settings', { signup: 'open', oauth: [provider] }, made.access_token);
});

after(async () => {
  await state.controller?.stop();
  await state.issuer?.stop();
  await state.mailbox?.stop();
});

/** Who is vouched for from now on. */
function vouchFor(person) {
  const { service } = state.issuer;
  service.removeAllListeners();
  service.on('beforeTokenSigning', (token) => Object.assign(token.payload, person));
  service.on('beforeUserinfo', (answer) => Object.assign(answer.body, person));
}

async function typePassword(page, email, password) {
  const form = page.getByTestId('login-form');
  await form.getByLabel('E-mail').fill(email);
  await form.getByLabel('Password', { exact: true }).fill(password);
  await form.getByRole('button', { name: 'Sign in', exact: true }).click();
}

async function signIn(page, email, password) {
  await page.goto(`${state.base}/login`);
  await typePassword(page, email, password);
  await page.getByTestId('user-menu').waitFor();
}

async function signOut(page) {
  await page.getByTestId('user-menu').click();
  await page.getByTestId('sign-out').click();
  await page.waitForURL('**/login*');
}

const organizationOf = (page) => page.getByTestId('organization-menu').innerText();

test('somebody signs up, and is let in once their address is confirmed', { timeout: 90_000 }, async () => {
  const page = await state.controller.visitor();
  await page.goto(`${state.base}/login`);
  await page.getByTestId('to-signup').click();
  const form = page.getByTestId('signup-form');
  await form.getByLabel('Your name').fill('Bob');
  await form.getByLabel('E-mail').fill('bob@example.com');
  await form.getByLabel('Organization').fill('Bob & Co');
  await form.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await form.getByRole('button', { name: 'Create the account' }).click();
  await page.getByTestId('check-mail').waitFor();

  // Not before: the page says what is missing.
  const early = await state.controller.visitor();
  await early.goto(`${state.base}/login`);
  await typePassword(early, 'bob@example.com', PASSWORD);
  await early.getByTestId('check-mail').waitFor();

  const link = await state.mailbox.link('bob@example.com');
  assert.ok(link.startsWith(`${state.base}/verify-email#token=`), link);
  await page.goto(link);
  await page.getByTestId('verify').click();
  await page.getByTestId('verified').getByRole('link', { name: 'Sign in' }).click();
  await typePassword(page, 'bob@example.com', PASSWORD);
  await page.getByTestId('user-menu').waitFor();
  assert.match(await organizationOf(page), /Bob & Co/);
  // The link works once.
  await early.goto(link);
  await early.getByTestId('verify').click();
  await early.getByTestId('verify-refused').waitFor();
});

test('a forgotten password is set anew by mail, which signs out everywhere', { timeout: 90_000 }, async () => {
  const old = await state.controller.visitor();
  await signIn(old, 'bob@example.com', PASSWORD);
  const page = await state.controller.visitor();
  await page.goto(`${state.base}/login`);
  await page.getByTestId('login-form').getByLabel('E-mail').fill('bob@example.com');
  await page.getByTestId('forgot').click();
  await page.getByTestId('forgot-form').getByRole('button', { name: 'Send the link' }).click();
  await page.getByTestId('check-mail').waitFor();
  const link = await state.mailbox.link('bob@example.com');
  await page.goto(link);
  await page.getByLabel('New password', { exact: true }).fill('password1');
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByText(/everybody/).waitFor();
  await page.getByLabel('New password', { exact: true }).fill(ANOTHER);
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByTestId('reset-done').waitFor();
  await signIn(page, 'bob@example.com', ANOTHER);
  await until('the end of the other session', 20, async () => {
    await old.goto(`${state.base}/account`);
    return old.waitForURL('**/login*', { timeout: 1500 }).then(() => true, () => false);
  });
  await old.goto(link);
  await old.getByLabel('New password', { exact: true }).fill(PASSWORD);
  await old.getByRole('button', { name: 'Set the password' }).click();
  await old.getByTestId('reset-refused').waitFor();
});

test('an invitation by mail leads to an account that has joined', { timeout: 90_000 }, async () => {
  const ada = await state.controller.visitor();
  await signIn(ada, 'ada@example.com', PASSWORD);
  await ada.goto(`${state.base}/members`);
  await ada.getByTestId('invite').click();
  const form = ada.getByTestId('invite-form');
  await form.getByLabel('E-mail').fill('grace@example.com');
  await form.getByRole('button', { name: 'Invite' }).click();
  await form.waitFor({ state: 'detached' });

  const grace = await state.controller.visitor();
  await grace.goto(await state.mailbox.link('grace@example.com'));
  const signup = grace.getByTestId('signup-form');
  await signup.getByLabel('Your name').fill('Grace');
  await signup.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await signup.getByRole('button', { name: /join/ }).click();
  await grace.getByTestId('user-menu').waitFor();
  assert.match(await organizationOf(grace), /Example/);
});

/** Opens the dialog; the codes of an app that was given its key. */
async function beginTotp(page) {
  await page.getByTestId('totp-set-up').click();
  await page.getByTestId('qr').waitFor();
  return app(await page.getByTestId('totp-secret').innerText());
}

async function keepCodes(page) {
  await page.getByTestId('codes-kept').check();
  await page.getByTestId('codes-done').click();
}

test('an authenticator app is set up and asked for; a recovery code does in its place', { timeout: 120_000 }, async () => {
  const page = await state.controller.visitor();
  await signIn(page, 'grace@example.com', PASSWORD);
  await page.goto(`${state.base}/account?tab=security`);
  const next = await beginTotp(page);
  await page.getByTestId('code').fill('000000');
  await page.getByText('The code is wrong').waitFor();
  await picture(page, 'totp');
  await page.getByTestId('code').fill(next());
  const list = page.getByTestId('recovery-codes').getByRole('listitem');
  await list.first().waitFor();
  const codes = await list.allInnerTexts();
  assert.equal(new Set(codes).size, 8);
  await page.keyboard.press('Escape');
  assert.ok(await page.getByTestId('codes-done').isDisabled(), 'it is not left by accident');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId('download-codes').click()]);
  assert.equal(file.suggestedFilename(), 'ocore-recovery-codes.txt');
  await keepCodes(page);
  await page.getByTestId('codes-left').filter({ hasText: '8 recovery codes' }).waitFor();

  await signOut(page);
  await typePassword(page, 'grace@example.com', PASSWORD);
  await page.getByTestId('code').fill('000000');
  await page.getByText('The code is wrong').waitFor();
  await page.getByTestId('code').fill(next());
  await page.getByTestId('user-menu').waitFor();

  await signOut(page);
  await typePassword(page, 'grace@example.com', PASSWORD);
  await page.getByTestId('toggle-recovery').click();
  await page.getByTestId('recovery-code').fill(codes[0].toUpperCase());
  await page.getByTestId('code-submit').click();
  await page.getByTestId('user-menu').waitFor();
  await page.goto(`${state.base}/account?tab=security`);
  await page.getByTestId('codes-left').filter({ hasText: '7 recovery codes' }).waitFor();
  await page.goto(`${state.base}/account?tab=history`);
  await page.getByTestId('login-row').filter({ hasText: 'Wrong code' }).waitFor();
  await page.getByTestId('login-row').filter({ hasText: 'recovery code' }).waitFor();
  state.graceCodes = codes;
});

/** A device that makes passkeys and touches itself. */
async function device(page) {
  const tools = await page.context().newCDPSession(page);
  await tools.send('WebAuthn.enable');
  const { authenticatorId } = await tools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return { tools, authenticatorId };
}

/** Such a browser offers no passkey while an address is typed, so that the button is what is tried. */
const withoutAutofill = (page) =>
  page.addInitScript(() => Object.defineProperty(PublicKeyCredential, 'isConditionalMediationAvailable', { value: undefined }));

async function addPasskey(page) {
  await page.goto(`${state.base}/account?tab=security`);
  await page.getByTestId('add-passkey').click();
  const form = page.getByTestId('passkey-form');
  await form.getByLabel('Name').fill('Test device');
  await form.getByRole('button', { name: 'Go on' }).click();
  await page.getByTestId('passkey-row').filter({ hasText: 'Test device' }).waitFor();
}

test('a passkey is registered and signs in by its button and while an address is typed', { timeout: 120_000 }, async () => {
  const page = await state.controller.visitor();
  await withoutAutofill(page);
  const { tools, authenticatorId } = await device(page);
  await signIn(page, 'bob@example.com', ANOTHER);
  await addPasskey(page);
  await picture(page, 'passkeys');
  const { credentials } = await tools.send('WebAuthn.getCredentials', { authenticatorId });
  assert.equal(credentials.length, 1);
  assert.ok(credentials[0].isResidentCredential);
  await signOut(page);
  await page.getByTestId('passkey-sign-in').click();
  await page.getByTestId('user-menu').waitFor();
  await page.goto(`${state.base}/account?tab=sessions`);
  await page.getByTestId('session-row').filter({ hasText: 'by passkey' }).filter({ hasText: 'this one' }).waitFor();

  // The same key in a browser that offers it by itself.
  const other = await state.controller.visitor();
  const second = await device(other);
  await second.tools.send('WebAuthn.addCredential', {
    authenticatorId: second.authenticatorId,
    credential: { ...credentials[0], signCount: credentials[0].signCount + 5 },
  });
  await other.goto(`${state.base}/login`);
  await other.getByTestId('user-menu').waitFor();

  // Removed, it signs in no more.
  await other.goto(`${state.base}/account?tab=security`);
  await other.getByTestId('passkey-actions').click();
  await other.getByTestId('action-remove').click();
  await other.getByTestId('confirm').click();
  await other.getByTestId('passkey-row').waitFor({ state: 'detached' });
  await signOut(page);
  await page.getByTestId('passkey-sign-in').click();
  await page.getByTestId('form-error').waitFor();
});

test('a passkey is a second factor too', { timeout: 90_000 }, async () => {
  const page = await state.controller.visitor();
  await withoutAutofill(page);
  await device(page);
  await page.goto(`${state.base}/login`);
  await typePassword(page, 'grace@example.com', PASSWORD);
  await page.getByTestId('toggle-recovery').click();
  await page.getByTestId('recovery-code').fill(state.graceCodes[1]);
  await page.getByTestId('code-submit').click();
  await page.getByTestId('user-menu').waitFor();
  await addPasskey(page);
  await signOut(page);
  await typePassword(page, 'grace@example.com', PASSWORD);
  await page.getByTestId('factor-passkey').click();
  await page.getByTestId('user-menu').waitFor();
});

test('an account elsewhere signs up, is refused where it could take over, and is connected', { timeout: 120_000 }, async () => {
  vouchFor({ sub: 'hedy-elsewhere', email: 'hedy@example.com', email_verified: true, name: 'Hedy' });
  const hedy = await state.controller.visitor();
  await hedy.goto(`${state.base}/login`);
  await hedy.getByTestId('provider-sso').click();
  await hedy.getByTestId('user-menu').waitFor();
  await hedy.goto(`${state.base}/account`);
  await hedy.getByText('hedy@example.com').first().waitFor();

  vouchFor({ sub: 'ada-elsewhere', email: 'ada@example.com', email_verified: true, name: 'Ada' });
  const ada = await state.controller.visitor();
  await ada.goto(`${state.base}/login`);
  await ada.getByTestId('provider-sso').click();
  await ada.getByTestId('login-notice').filter({ hasText: 'There is an account of this address' }).waitFor();
  await typePassword(ada, 'ada@example.com', PASSWORD);
  await ada.getByTestId('user-menu').waitFor();
  await ada.goto(`${state.base}/account?tab=security`);
  await ada.getByTestId('connect-sso').click();
  await ada.getByText('Sign-on is connected').waitFor();
  await ada.getByTestId('connected-row').filter({ hasText: 'ada@example.com' }).waitFor();
  await signOut(ada);
  await ada.getByTestId('provider-sso').click();
  await ada.getByTestId('user-menu').waitFor();

  // Whoever has a second factor is asked for it here too.
  vouchFor({ sub: 'grace-elsewhere', email: 'grace@example.com', email_verified: true, name: 'Grace' });
  const grace = await state.controller.visitor();
  await grace.goto(`${state.base}/login`);
  await typePassword(grace, 'grace@example.com', PASSWORD);
  await grace.getByTestId('toggle-recovery').click();
  await grace.getByTestId('recovery-code').fill(state.graceCodes[2]);
  await grace.getByTestId('code-submit').click();
  await grace.getByTestId('user-menu').waitFor();
  await grace.goto(`${state.base}/account?tab=security`);
  await grace.getByTestId('connect-sso').click();
  await grace.getByTestId('connected-row').waitFor();
  await signOut(grace);
  await grace.getByTestId('provider-sso').click();
  await grace.getByTestId('code-form').waitFor();
  assert.ok(!grace.url().includes('mfa_token'), 'the token does not stay in the address');
  await grace.getByTestId('toggle-recovery').click();
  await grace.getByTestId('recovery-code').fill(state.graceCodes[3]);
  await grace.getByTestId('code-submit').click();
  await grace.getByTestId('user-menu').waitFor();
});

/** A request of the page itself, with its session. */
const ask = (page, method, path, body) =>
  page.evaluate(
    async (given) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(given.path, { method: given.method, headers, body: JSON.stringify(given.body) });
      return { status: answer.status, body: await answer.json() };
    },
    { method, path, body },
  );

test('an organization that asks for a second factor says so and lets in who sets one up', { timeout: 120_000 }, async () => {
  const ada = await state.controller.visitor();
  await signIn(ada, 'ada@example.com', PASSWORD);
  await ada.goto(`${state.base}/account?tab=security`);
  const next = await beginTotp(ada);
  await ada.getByTestId('code').fill(next());
  await keepCodes(ada);
  assert.equal((await ask(ada, 'PUT', '/api/org/settings', { require_second_factor: true })).status, 200);
  const roles = (await ask(ada, 'GET', '/api/roles')).body.data;
  const role_id = roles.find((role) => role.name === 'developer').id;
  assert.equal((await ask(ada, 'POST', '/api/members/invite', { email: 'vic@example.com', role_id })).status, 201);

  const vic = await state.controller.visitor();
  await vic.goto(await state.mailbox.link('vic@example.com'));
  const signup = vic.getByTestId('signup-form');
  await signup.getByLabel('Your name').fill('Vic');
  await signup.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await signup.getByRole('button', { name: /join/ }).click();
  await vic.getByTestId('to-security').first().waitFor();
  await picture(vic, 'factor-required');
  await vic.getByTestId('to-security').first().click();
  const code = await beginTotp(vic);
  await vic.getByTestId('code').fill(code());
  await keepCodes(vic);
  await vic.goto(`${state.base}/servers`);
  await vic.getByTestId('empty').waitFor();
  assert.equal((await ask(ada, 'PUT', '/api/org/settings', { require_second_factor: false })).status, 200);
});

test('SSH keys and notices are kept', { timeout: 90_000 }, async () => {
  const page = await state.controller.visitor();
  await signIn(page, 'bob@example.com', ANOTHER);
  await page.goto(`${state.base}/account?tab=ssh`);
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ bob@laptop';
  await page.getByTestId('add-ssh-key').click();
  const form = page.getByTestId('ssh-key-form');
  await form.getByLabel('Public key').fill('-----BEGIN OPENSSH PRIVATE KEY-----');
  await form.getByText(/private key/).waitFor();
  assert.equal(await form.getByLabel('Public key').inputValue(), '', 'it does not even stay in the field');
  await form.getByLabel('Public key').fill(key);
  await form.getByRole('button', { name: 'Add the key' }).click();
  const row = page.getByTestId('ssh-key-row').filter({ hasText: 'bob@laptop' });
  await row.getByText('default').waitFor();
  await page.getByTestId('add-ssh-key').click();
  await form.getByLabel('Public key').fill(key);
  await form.getByRole('button', { name: 'Add the key' }).click();
  await page.getByTestId('form-error').waitFor();
  await form.getByRole('button', { name: 'Cancel' }).click();
  await row.getByTestId('ssh-key-actions').click();
  await page.getByTestId('action-remove').click();
  await page.getByTestId('confirm').click();
  await page.getByTestId('empty').waitFor();

  await page.goto(`${state.base}/account?tab=notifications`);
  const kinds = ['server_offline', 'job_failed', 'disk_full'];
  // One right after the other: each is saved on top of the one before.
  for (const kind of kinds) await page.getByTestId(`notice-${kind}`).uncheck({ force: true });
  await until('three muted kinds', 10, async () => {
    const { muted } = (await ask(page, 'GET', '/api/user/notices')).body;
    return kinds.every((kind) => muted.includes(kind)) && muted.length === 3;
  });
  await page.reload();
  await page.getByTestId('notice-job_failed').waitFor();
  assert.equal(await page.getByTestId('notice-job_failed').isChecked(), false);
  assert.equal(await page.getByTestId('notice-api_key_expiring').isChecked(), true);
  assert.equal(await page.getByText('This did not work').count(), 0);
});

test('sessions are ended, an address is changed, an account is closed', { timeout: 120_000 }, async () => {
  const bob = await state.controller.visitor();
  await signIn(bob, 'bob@example.com', ANOTHER);
  const elsewhere = await state.controller.visitor();
  await signIn(elsewhere, 'bob@example.com', ANOTHER);
  await bob.goto(`${state.base}/account?tab=sessions`);
  await bob.getByTestId('end-others').click();
  await bob.getByTestId('confirm').click();
  await bob.getByText(/sessions? ended/).waitFor();
  await until('the end of the other session', 20, async () => {
    await elsewhere.goto(`${state.base}/account`);
    return elsewhere.waitForURL('**/login*', { timeout: 1500 }).then(() => true, () => false);
  });

  await bob.goto(`${state.base}/account`);
  await bob.getByTestId('change-email').click();
  const form = bob.getByTestId('email-form');
  await form.getByLabel('New address').fill('robert@example.com');
  await form.getByLabel('Your password').fill(PASSWORD);
  await form.getByRole('button', { name: 'Send the link' }).click();
  await form.getByText('The password is wrong.').waitFor();
  await form.getByLabel('Your password').fill(ANOTHER);
  await form.getByRole('button', { name: 'Send the link' }).click();
  await bob.getByTestId('email-asked').waitFor();
  await bob.goto(await state.mailbox.link('robert@example.com'));
  await bob.getByTestId('login-notice').filter({ hasText: 'confirmed' }).waitFor();
  await signIn(bob, 'robert@example.com', ANOTHER);

  await bob.goto(`${state.base}/account`);
  await bob.getByTestId('close-account').click();
  const close = bob.getByTestId('close-form');
  await close.getByLabel('Your password').fill(ANOTHER);
  await close.getByTestId('confirm-close').click();
  await bob.getByText('Your account is closed').waitFor();
  await typePassword(bob, 'robert@example.com', ANOTHER);
  await bob.getByTestId('form-error').waitFor();
});

test('nothing broke, and no secret is in the log', () => {
  assert.deepEqual(state.controller.errors, []);
  const log = state.controller.log();
  for (const secret of [PASSWORD, ANOTHER, ...(state.graceCodes ?? [])]) assert.ok(!log.includes(secret));
});
