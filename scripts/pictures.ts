/**
 * Takes the pictures of the README: the report and the viewer of a run, in the Chromium of this machine.
 * Usage: npm run pictures [-- runs/demo]      writes docs/pictures/*.png
 */
import { mkdir, stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { loadSpec } from '../src/align/spec/parse.js';
import { DeliberateError, dependencyError, exitCodes, inputError, internalError } from '../src/base/errors.js';
import { packageRoot } from '../src/base/package-root.js';
import { configOfRun, specFolder } from '../src/cli/settings.js';
import { chromiumFile, openChromium, openTab } from '../src/report/chromium.js';
import { createViewer, type Viewer } from '../src/view/server.js';

/** Pictures are fetched by everybody who opens the page. */
const mostBytes = 200_000;
const folder = path.join(packageRoot, 'docs', 'pictures');

async function main(): Promise<void> {
  const [root = path.join('runs', 'demo')] = process.argv.slice(2);
  const report = path.resolve(root, 'report.html');
  await stat(report).catch((error: unknown) => {
    throw inputError(`${report}: is not there. Give the folder of a finished run, or make one with \`npm run demo\`.`, error);
  });
  if (chromiumFile === undefined)
    throw dependencyError('there is no Chromium here. Install one (`apt-get install chromium`), or name it in CHROMIUM.');
  await mkdir(folder, { recursive: true });
  const browser = await openChromium();
  const viewer = await createViewer(root, await loadSpec(specFolder(await configOfRun(root, undefined, {}))));
  try {
    await pictureOfReport(browser, pathToFileURL(report).href);
    await pictureOfViewer(browser, viewer);
  } finally {
    await viewer.close();
    await browser.close();
  }
}

/** Its head: the sentence and the table. */
async function pictureOfReport(browser: Browser, address: string): Promise<void> {
  const { page, problems } = await openTab(browser, [address], { viewport: { width: 1120, height: 716 } });
  await page.goto(address);
  await take(page, 'report', problems);
}

/** A trace: a completion that was learnt from, with the clauses that it cites. */
async function pictureOfViewer(browser: Browser, viewer: Viewer): Promise<void> {
  await viewer.app.listen({ host: '127.0.0.1', port: 0 });
  const base = `http://127.0.0.1:${(viewer.app.server.address() as AddressInfo).port}`;
  await viewer.store.whenReady();
  await viewer.store.refreshNow();
  // Most clauses cited word for word first: what the method is about; the shortest that fits into a picture.
  const [found] = await viewer.store.rows(`select key from records where source = 'generate' and kept and len(codes) > 0
    order by len(codes) desc, decision = 'refuse' desc, category in ('erotic-content', 'self-harm'), score desc, length(cot) + length(answer) limit 1`);
  const any = found ?? (await viewer.store.rows('select key from records order by n limit 1'))[0];
  if (any === undefined) throw inputError(`${viewer.store.root}: has no records yet.`);
  const { page, problems } = await openTab(browser, [base], { viewport: { width: 1120, height: 800 } });
  // With the token the page has its buttons for a verdict.
  await page.goto(`${base}/trace?${new URLSearchParams({ key: String(any['key']) }).toString()}#token=${viewer.token}`);
  await page.waitForSelector('.trace');
  await page.locator('mark').first().hover();
  await take(page, 'viewer', problems);
}

async function take(page: Page, name: string, problems: readonly string[]): Promise<void> {
  const file = path.join(folder, `${name}.png`);
  const { length } = await page.screenshot({ path: file, animations: 'disabled' });
  await page.context().close();
  if (problems.length > 0) throw internalError(`${name}: ${problems.join('\n')}`);
  console.log(`${path.relative(packageRoot, file)}: ${Math.round(length / 1000)} kB`);
  if (length > mostBytes) throw internalError(`${file} is larger than ${mostBytes / 1000} kB: take a smaller window.`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = exitCodes[error instanceof DeliberateError ? error.kind : 'internal'];
});
