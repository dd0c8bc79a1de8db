import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readJsonl } from '../base/jsonl.js';
import { madeSpec, writeMadeRun } from './made-run.js';
import { Override } from './overrides.js';
import { createViewer, type Viewer } from './server.js';

const found = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (file) => file !== undefined && existsSync(file),
);
const hostile = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'"><svg onload=window.hacked=1></textarea>{{7*7}}\u202etxt.exe\u0007 [X"><b>1] javascript:window.hacked=1`;
const advice = found === undefined ? ' (skipped: no Chromium here; `apt-get install chromium`, or name one in CHROMIUM)' : '';

describe.skipIf(found === undefined)(`the page${advice}`, () => {
  let root: string;
  let viewer: Viewer;
  let base: string;
  let browser: Browser;
  const problems: string[] = [];

  beforeAll(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'deliberate-browser-'));
    await writeMadeRun(root, { completions: 240, evals: 40, rollouts: 8, hostile });
    viewer = await createViewer(root, madeSpec);
    await viewer.app.listen({ host: '127.0.0.1', port: 0 });
    base = `http://127.0.0.1:${(viewer.app.server.address() as AddressInfo).port}`;
    browser = await chromium.launch({
      executablePath: found!,
      args: ['--no-sandbox', '--host-resolver-rules=MAP evil.example 127.0.0.1'],
    });
    await viewer.store.whenReady();
  }, 300_000);
  beforeEach(() => {
    problems.length = 0;
  });
  afterAll(async () => {
    await browser?.close();
    await viewer?.close();
    await rm(root, { recursive: true, force: true });
  });

  /** A tab that notes every error that a browser would show. */
  async function tab(options: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })).newPage();
    page.setDefaultTimeout(60_000);
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') problems.push(`${page.url()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.stack}`));
    return page;
  }
  /** Waits until the page shows what its address says. */
  const settled = (page: Page, address: string) => page.waitForSelector(`body[data-ready="${address}"]`);
  /** Waits until the page shows what its address says, whatever that is. */
  const drawn = (page: Page) => settled(page, new URL(page.url()).pathname + new URL(page.url()).search);
  const open = async (page: Page, address: string) => {
    await page.goto(base + address);
    await settled(page, address);
  };
  const pages = [
    '/',
    '/records',
    '/compare?show=all',
    '/spec',
    '/trace?key=completion/c2',
    '/trace?key=rollout/r0',
    '/trace?key=eval/sft/forbidden-plain/e1',
  ];

  it('shows whatever a model or a user wrote as text, without an error in the console', async () => {
    const page = await tab();
    for (const address of pages) {
      await open(page, address);
      expect(await page.evaluate('window.hacked'), address).toBeUndefined();
      expect(await page.locator('main img, main script, main iframe, main svg[onload], main b:text-is("1]")').count(), address).toBe(0);
    }
    await open(page, '/trace?key=rollout/r0');
    const text = await page.locator('.reading').innerText();
    expect(text).toContain('<img src=x onerror="window.hacked=1">');
    expect(text).toContain('‹U+202E›txt.exe␇');
    expect(text).toContain('The judge in RL saw only this');
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);

  it('fits both colour schemes and a narrow screen', async () => {
    const background = async (page: Page) => String(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
    const seen: string[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await tab({ colorScheme, viewport: { width: 360, height: 740 } });
      for (const address of pages) {
        await open(page, address);
        expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), `${address} ${colorScheme}`).toBeLessThanOrEqual(
          0,
        );
      }
      seen.push(await background(page));
      await page.context().close();
    }
    expect(seen[0]).not.toBe(seen[1]);
    expect(problems).toEqual([]);
  }, 300_000);

  it('is walked with the keyboard alone: list, trace, verdict, back, search', async () => {
    const page = await tab();
    await page.goto(`${base}/#token=${viewer.token}`);
    await settled(page, '/');
    expect(page.url()).toBe(`${base}/`);
    await page.keyboard.press('2');
    await settled(page, '/records');
    await page.waitForSelector('.records tbody tr');
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.trace');
    expect(new URL(page.url()).searchParams.get('at')).toBe('1');
    await page.keyboard.press('j');
    await page.waitForURL(/at=2/);
    await drawn(page);
    const key = new URL(page.url()).searchParams.get('key');
    await page.keyboard.press('-');
    await page.waitForSelector('#bad[aria-pressed=true]');
    expect(await readJsonl(path.join(root, 'overrides.jsonl'), Override)).toMatchObject([{ record: key, verdict: 0 }]);
    // A cited clause takes the focus and lights up beside the text.
    await page.locator('mark').first().focus();
    expect(await page.locator('.clause.lit').count()).toBe(1);
    await page.locator('body').press('u');
    await page.waitForSelector('.records tbody tr');
    await page.keyboard.press('/');
    await page.keyboard.type('treaty');
    await page.waitForURL(/q=treaty/);
    await settled(page, '/records?q=treaty');
    expect(await page.locator('.status').innerText()).toContain('of 164 records');
    await page.keyboard.press('Escape');
    await page.keyboard.press('n');
    await page.waitForURL(/offset=50/);
    await page.keyboard.press('?');
    await page.waitForSelector('#help[open]');
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);

  it('keeps filters in the address, for links and for the way back', async () => {
    const page = await tab();
    await open(page, '/records?source=eval&arm=sft');
    expect(await page.locator('.status').innerText()).toContain('of 40 records');
    await page.waitForSelector('#filter-kind option[value=refuse]', { state: 'attached' });
    await page.selectOption('#filter-kind', 'refuse');
    await settled(page, '/records?source=eval&arm=sft&kind=refuse');
    expect(await page.locator('.status').innerText()).toContain('of 20 records');
    await page.reload();
    await page.waitForSelector('.records tbody tr');
    expect(await page.locator('.status').innerText()).toContain('of 20 records');
    await page.locator('.records a.open').first().click();
    await page.waitForSelector('.trace');
    await page.goBack();
    await page.waitForSelector('.records tbody tr');
    expect(new URL(page.url()).search).toBe('?source=eval&arm=sft&kind=refuse');
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);

  it('gives nothing to another site: not by a name pointed here, not by a request from elsewhere', async () => {
    const page = await (await browser.newContext()).newPage();
    const rebound = await page.goto(`${base.replace('127.0.0.1', 'evil.example')}/api/records`);
    expect(rebound?.status()).toBe(403);
    const evil = http.createServer((_, response) => response.setHeader('content-type', 'text/html').end('<title>evil</title>'));
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
    try {
      await page.goto(`http://evil.example:${(evil.address() as AddressInfo).port}/`);
      const before = (await readJsonl(path.join(root, 'overrides.jsonl'), Override)).length;
      const reached = await page.evaluate(
        `Promise.all([fetch('${base}/api/records').then(r => r.text(), () => 'refused'),
          fetch('${base}/api/overrides', {method: 'POST', mode: 'no-cors', body: '{"record":"completion/c2","verdict":1}'}).then(r => r.type, () => 'refused')])`,
      );
      expect((await readJsonl(path.join(root, 'overrides.jsonl'), Override)).length).toBe(before);
      expect(reached).toEqual(['refused', 'refused']);
    } finally {
      evil.closeAllConnections();
      evil.close();
      await page.context().close();
    }
  }, 300_000);
});
