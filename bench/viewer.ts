/**
 * The viewer over a run of 100,000 completions in a real browser: until something is painted, until the records stand there, and
 * how long a filter takes from the choice to the drawn rows.
 * Usage: npm run build && node dist/bench/viewer.js [--records 100000] [--repeats 5]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { DeliberateError, dependencyError, exitCodes, inputError } from '../src/base/errors.js';
import { chromiumFile, openChromium, openTab } from '../src/report/chromium.js';
import { madeSpec, writeMadeRun } from '../src/view/made-run.js';
import { createViewer } from '../src/view/server.js';
import { describeMachine, machineLine } from './machine.js';

/** What the issue that asked for the viewer allows, ms. */
const limits = { paint: 1000, filter: 200 };

function readOptions() {
  const { values } = parseArgs({ options: { records: { type: 'string', default: '100000' }, repeats: { type: 'string', default: '5' } } });
  const whole = (name: 'records' | 'repeats') => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw inputError(`--${name} must be a whole number, at least 1, not ${values[name]}.`);
    return value;
  };
  return { records: whole('records'), repeats: whole('repeats') };
}

async function main(): Promise<void> {
  const { records, repeats } = readOptions();
  if (chromiumFile === undefined)
    throw dependencyError('there is no Chromium here. Install one (`apt-get install chromium`), or name it in CHROMIUM.');
  const root = await mkdtemp(path.join(os.tmpdir(), 'deliberate-bench-viewer-'));
  const browser = await openChromium();
  try {
    await writeMadeRun(root, { completions: records });
    console.log(machineLine(await describeMachine()));
    console.log(
      `load before: ${os
        .loadavg()
        .map((load) => load.toFixed(1))
        .join(', ')}; ${records.toLocaleString('en')} completions\n`,
    );
    await measure(root, browser, repeats);
  } finally {
    await browser.close();
    await rm(root, { recursive: true, force: true });
  }
}

async function measure(root: string, browser: Browser, repeats: number): Promise<void> {
  const started = performance.now();
  const viewer = await createViewer(root, madeSpec);
  try {
    await viewer.app.listen({ host: '127.0.0.1', port: 0 });
    const base = `http://127.0.0.1:${(viewer.app.server.address() as AddressInfo).port}`;
    // At once, while the records are still being read.
    const cold = await visit(browser, base, '/records');
    await viewer.store.whenReady();
    await viewer.store.refreshNow();
    tell('first paint, the run being read', [cold.paint], limits.paint);
    tell('records drawn, the run being read', [cold.drawn]);
    tell('until all answers are classified', [performance.now() - started]);
    for (const address of ['/', '/records']) {
      const visits = [];
      for (let i = 0; i < repeats; i++) visits.push(await visit(browser, base, address));
      tell(
        `first paint of ${address}`,
        visits.map(({ paint }) => paint),
        limits.paint,
      );
      tell(
        `${address} drawn`,
        visits.map(({ drawn }) => drawn),
      );
    }
    const { page } = await openTab(browser, [base]);
    await page.goto(`${base}/records`);
    await page.waitForSelector('#filter-clause option[value=V4]', { state: 'attached' });
    for (const [name, value] of [
      ['clause', 'V4'],
      ['category', 'violence'],
      ['score', 'unscored'],
      ['decision', 'refuse'],
      ['technique', 'poems'],
      ['use', 'over-applied'],
      ['sort', '-score'],
    ] as const) {
      const times = [];
      for (let i = 0; i < repeats; i++) {
        times.push(await choose(page, name, value));
        await choose(page, name, name === 'sort' ? 'order' : '');
      }
      tell(`filter ${name}=${value}`, times, limits.filter);
    }
    const times = [];
    for (let i = 0; i < repeats; i++) times.push(await search(page, i % 2 === 0 ? 'treaty' : 'case 77'));
    tell('search, from the last key', times);
  } finally {
    await viewer.close();
  }
}

/** A first visit: nothing is cached. @returns ms from the start of the navigation */
async function visit(browser: Browser, base: string, address: string): Promise<{ paint: number; drawn: number }> {
  const { page } = await openTab(browser, [base]);
  await page.goto(base + address);
  await page.waitForSelector(address === '/' ? '.stages' : '.records tbody tr', { timeout: 300_000 });
  const drawn = Number(await page.evaluate('performance.now()'));
  const paint = Number(await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"));
  await page.context().close();
  return { paint, drawn };
}

/** Ms from doing `what` in the page until the rows are drawn that it leads to. */
const untilDrawn = async (page: Page, what: string): Promise<number> =>
  Number(
    await page.evaluate(`new Promise((done) => {
      const table = document.querySelector('table.records');
      const start = performance.now();
      const watch = new MutationObserver(() => {
        watch.disconnect();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
      });
      watch.observe(table, { childList: true });
      ${what}
    })`),
  );

const choose = (page: Page, name: string, value: string): Promise<number> =>
  untilDrawn(
    page,
    `const field = document.querySelector('#${name === 'sort' ? 'sort' : `filter-${name}`}');
    field.value = ${JSON.stringify(value)};
    field.dispatchEvent(new Event('change'));`,
  );

const search = (page: Page, words: string): Promise<number> =>
  untilDrawn(
    page,
    `const field = document.querySelector('#q');
    field.value = ${JSON.stringify(words)};
    field.dispatchEvent(new Event('input'));`,
  );

function tell(what: string, times: readonly number[], limit?: number): void {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const range = sorted.length > 1 ? ` (${Math.round(sorted[0]!)}–${Math.round(sorted.at(-1)!)})` : '';
  const verdict = limit === undefined ? '' : middle < limit ? `  below ${limit}` : `  NOT below ${limit}`;
  console.log(`${what.padEnd(36)} ${`${Math.round(middle)} ms`.padStart(9)}${range.padEnd(14)}${verdict}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = exitCodes[error instanceof DeliberateError ? error.kind : 'internal'];
});
