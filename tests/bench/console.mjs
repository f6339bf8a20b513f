// P15 in Chromium: what a person waits for on the list of many servers. Prints one object of lists, a value a round.
//   console.mjs BASE ROUNDS, with OCORE_EMAIL and OCORE_PASSWORD
import { launchBrowser } from '../e2e/browser/support/controller.mjs';

const [base, rounds] = process.argv.slice(2);

/** Runs in the page before all else: when each server's name was first there, and how long the page did not answer. */
function watch() {
  window.seen = {};
  window.longest = 0;
  new MutationObserver(() => {
    for (const row of document.querySelectorAll('[data-testid=server-row]')) {
      window.seen[row.dataset.server] ??= performance.now();
    }
  }).observe(document, { childList: true, subtree: true });
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
  }).observe({ type: 'longtask' });
}

async function round(browser) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1360, height: 860 } });
  await context.addInitScript(watch);
  const page = await context.newPage();
  await page.goto(`${base}/login`);
  const signedIn = await page.evaluate(async ([email, password]) => {
    const headers = { 'content-type': 'application/json', 'x-session': 'cookie' };
    const answer = await fetch('/api/auth/login', { method: 'POST', headers, body: JSON.stringify({ email, password }) });
    return answer.status;
  }, [process.env.OCORE_EMAIL, process.env.OCORE_PASSWORD]);
  if (signedIn !== 200) throw new Error(`signing in: ${signedIn}`);
  // Once to have the code, as whoever comes back has it; then the one that counts.
  const rows = page.locator('[data-testid=server-row]');
  for (let visit = 0; visit < 2; visit++) {
    await page.goto(`${base}/servers`);
    await rows.first().waitFor();
  }
  const { paint, scripts } = await page.evaluate(() => {
    const paint = Math.min(...Object.values(window.seen));
    const needed = performance.getEntriesByType('resource')
      .filter((entry) => entry.startTime < paint && new URL(entry.name).pathname.endsWith('.js'));
    return { paint, scripts: needed.reduce((sum, entry) => sum + entry.encodedBodySize, 0) };
  });

  await page.evaluate(() => { window.seen = {}; window.longest = 0; });
  const wanted = 'server 4711';
  await page.locator('[data-search]').click();
  await page.keyboard.type(wanted);
  const typed = await page.evaluate(() => performance.now());
  await page.locator(`[data-server="${wanted}"]`).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=server-row]').length === 1);
  const found = (await page.evaluate(() => performance.now())) - typed;

  await page.locator('[data-search]').fill('');
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=server-row]').length > 1);
  const next = page.getByRole('button', { name: 'Next page' });
  for (let turn = 0; turn < 20; turn++) {
    const first = await rows.first().getAttribute('data-server');
    await next.click();
    await page.waitForFunction((old) => document.querySelector('[data-testid=server-row]').dataset.server !== old, first);
    await page.mouse.wheel(0, 600);
  }
  const stall = await page.evaluate(() => window.longest);
  await context.close();
  return { paint, found, stall, scripts: scripts / 1024 };
}

const browser = await launchBrowser();
const all = { paint: [], found: [], stall: [], scripts: [] };
for (let n = 0; n < Number(rounds); n++) {
  for (const [key, value] of Object.entries(await round(browser))) all[key].push(value);
}
await browser.close();
console.log(JSON.stringify(all));
