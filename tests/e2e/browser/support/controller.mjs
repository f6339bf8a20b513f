// A controller of one's own with a browser beside it, for the length of a test file.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../../../..');
export const ofConsole = createRequire(path.join(root, 'controller/ui/package.json'));
const { chromium } = ofConsole('playwright-core');
export const bin = process.env.OCORE_BIN_DIR;
assert.ok(bin, 'OCORE_BIN_DIR is not set; run the tests by tests/run');
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
/** Chromium, as all that look at the console start it. */
export const launchBrowser = () => chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
const shots = process.env.OCORE_SCREENSHOTS;

export const PASSWORD = 'a quiet place 7';

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A look that fails is one that has not seen it yet. */
export async function until(what, seconds, look) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await Promise.resolve(look()).catch(() => undefined);
    if (found) return found;
    assert.ok(Date.now() < deadline, `${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Started with these variables, at `http://localhost:PORT`, where browsers allow passkeys. */
export async function startController(env = {}) {
  const dir = mkdtempSync('/var/tmp/ocore-browser-');
  chmodSync(dir, 0o711);
  const [port, agents] = [await freePort(), await freePort()];
  const base = `http://localhost:${port}`;
  const { DATABASE_URL: _, ...inherited } = process.env;
  const children = [];
  const fileOf = (name) => path.join(dir, `${name}.log`);
  const run = (name, args, more = {}) => {
    const child = spawn(path.join(bin, name), args, { env: { ...inherited, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const out of [child.stdout, child.stderr]) out.on('data', (data) => appendFileSync(fileOf(name), data));
    children.unshift(child);
    return child;
  };
  const log = () => readFileSync(fileOf('ocore-controller'), 'utf8');
  const controller = run('ocore-controller', ['serve'], {
    OCORE_DATA_DIR: path.join(dir, 'data'), OCORE_LISTEN: `127.0.0.1:${port}`,
    OCORE_AGENTS_LISTEN: `127.0.0.1:${agents}`, OCORE_PUBLIC_URL: base, ...env,
  });
  const browser = await launchBrowser();
  const stop = async () => {
    await browser.close();
    for (const child of children) {
      child.kill('SIGTERM');
      await new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.once('exit', resolve) : resolve()));
    }
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const ended = () => controller.exitCode !== null;
    await until('a ready controller', 60, async () => ended() || (await fetch(`http://127.0.0.1:${port}/ready`)).ok);
    assert.ok(!ended(), 'the controller has ended');
  } catch (error) {
    error.message += `\n${log().split('\n').slice(-15).join('\n')}`;
    await stop();
    throw error;
  }
  const errors = [];
  /** A statement for its database, for what only an agent could bring about. */
  const sql = (statement) => {
    const options = ['-h', path.join(dir, 'data/postgres/run'), '-U', 'postgres', '-d', 'ocore', '-qAtX', '-v', 'ON_ERROR_STOP=1'];
    const done = spawnSync('psql', [...options, '-c', statement], { encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
    return done.stdout.trim();
  };
  /** A browser of somebody else, without a cookie. */
  const visitor = async () => {
    const page = await (await browser.newContext({ viewport: { width: 1360, height: 860 } })).newPage();
    page.setDefaultTimeout(30_000);
    page.on('pageerror', (error) => errors.push(error.message));
    return page;
  };
  return { base, dir, errors, visitor, run, sql, stop, log };
}

/** Ada becomes the first administrator, and is signed in then. */
export async function bootstrap(page, base) {
  await page.goto(`${base}/bootstrap`);
  const form = page.getByTestId('bootstrap-form');
  await form.getByLabel('Your name').fill('Ada');
  await form.getByLabel('E-mail').fill('ada@example.com');
  await form.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await form.getByLabel('Organization').fill('Example');
  await form.getByRole('button', { name: /create|make|start/i }).click();
  await page.getByTestId('first-steps').waitFor();
}

/** A picture of the page in both themes, where they are asked for. */
export async function picture(page, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.waitForTimeout(400);
    await page.screenshot({ path: path.join(shots, `${name}-${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: 'light' });
}
