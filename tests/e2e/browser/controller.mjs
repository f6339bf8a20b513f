// A controller of its own, a browser in front of it, and its first admin signed in.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../../..');
const { chromium } = createRequire(path.join(root, 'controller/ui/package.json'))('playwright-core');
const shots = process.env.OCORE_SCREENSHOTS;
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const ADMIN = { name: 'Ada', email: 'ada@example.com', password: 'a quiet place 7' };

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export async function until(what, seconds, look) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    assert.ok(Date.now() < deadline, `${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Starts it all; `stop` ends it, `log` reads what the controller said. */
export async function start(env = {}) {
  const bin = process.env.OCORE_BIN_DIR;
  assert.ok(bin, 'OCORE_BIN_DIR is not set; run the tests by tests/run');
  const dir = mkdtempSync('/var/tmp/ocore-browser-');
  chmodSync(dir, 0o711);
  const [port, agents] = [await freePort(), await freePort()];
  const base = `http://127.0.0.1:${port}`;
  const { DATABASE_URL: _, ...rest } = process.env;
  const controller = spawn(path.join(bin, 'ocore-controller'), ['serve'], {
    env: {
      ...rest, OCORE_DATA_DIR: path.join(dir, 'data'), OCORE_LISTEN: `127.0.0.1:${port}`,
      OCORE_AGENTS_LISTEN: `127.0.0.1:${agents}`, OCORE_PUBLIC_URL: `https://127.0.0.1:${port}`, ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const file = path.join(dir, 'controller.log');
  for (const out of [controller.stdout, controller.stderr]) out.on('data', (data) => appendFileSync(file, data));
  await until('a ready controller', 60, async () => (await fetch(`${base}/ready`)).ok);
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  const page = await (await browser.newContext({ viewport: { width: 1360, height: 860 } })).newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  const stop = async () => {
    await browser.close();
    controller.kill('SIGTERM');
    await new Promise((resolve) => (controller.exitCode === null && controller.signalCode === null ? controller.once('exit', resolve) : resolve()));
    rmSync(dir, { recursive: true, force: true });
  };
  return { base, page, errors, stop, log: () => readFileSync(file, 'utf8') };
}

/** Makes the first admin, who is signed in then. */
export async function bootstrap({ page, base }) {
  await page.goto(`${base}/bootstrap`);
  const form = page.getByTestId('bootstrap-form');
  await form.getByLabel('Your name').fill(ADMIN.name);
  await form.getByLabel('E-mail').fill(ADMIN.email);
  await form.getByLabel('Password', { exact: true }).fill(ADMIN.password);
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
