/** The viewer in a real browser: by keyboard, in both colour schemes, on a narrow screen, live, and against other sites. */
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readJsonl } from '../base/jsonl.js';
import { chromiumAdvice, chromiumFile, openChromium, openTab, overflow } from '../report/chromium.js';
import { madeSpec, writeMadeRun } from './made-run.js';
import { Override } from './overrides.js';
import { createViewer, type Viewer } from './server.js';

/** Texts as models write them when they go wrong. */
const odd = () => ` <b>bold</b> & "so"\u202etxt.exe\u0007 ${'long'.repeat(60)}`;

describe.skipIf(chromiumFile === undefined)(`the page${chromiumAdvice}`, () => {
  let root: string;
  let viewer: Viewer;
  let base: string;
  let browser: Browser;
  let problems: string[] = [];

  beforeAll(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'deliberate-browser-'));
    await writeMadeRun(root, { completions: 240, evals: 40, rollouts: 8, text: odd });
    viewer = await createViewer(root, madeSpec);
    await viewer.app.listen({ host: '127.0.0.1', port: 0 });
    base = `http://127.0.0.1:${(viewer.app.server.address() as AddressInfo).port}`;
    browser = await openChromium();
    await viewer.store.whenReady();
  }, 300_000);
  beforeEach(() => {
    problems = [];
  });
  afterAll(async () => {
    await browser?.close();
    await viewer?.close();
    await rm(root, { recursive: true, force: true });
  });

  async function tab(options: BrowserContextOptions = {}): Promise<Page> {
    const opened = await openTab(browser, [base], options);
    problems = opened.problems;
    return opened.page;
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

  it('shows texts as they are, marks what would hide or reorder them, and says what the judge in RL saw', async () => {
    const page = await tab();
    await open(page, '/trace?key=rollout/r0');
    const text = await page.locator('.reading').innerText();
    expect(text).toContain('<b>bold</b> & "so"‹U+202E›txt.exe␇');
    expect(text).toContain('The judge in RL saw only this');
    expect(await page.locator('.part.unseen').innerText()).toContain('Decision: refuse');
    expect(await page.locator('.part.seen', { hasText: 'Decision:' }).count()).toBe(0);
    expect(await page.locator('.judge .run').innerText()).toContain('The clause says so. <b>bold</b>');
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
        expect(await overflow(page), `${address} ${colorScheme}`).toBeLessThanOrEqual(0);
      }
      seen.push(await background(page));
      expect(problems).toEqual([]);
      await page.context().close();
    }
    expect(seen[0]).not.toBe(seen[1]);
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
    // A cited clause is reached by Tab, and lights up beside the text.
    await page.evaluate('document.activeElement?.blur()');
    for (let i = 0; i < 30 && (await page.locator('mark:focus').count()) === 0; i++) await page.keyboard.press('Tab');
    expect(await page.locator('.clause.lit').count()).toBe(1);
    await page.keyboard.press('u');
    await page.waitForSelector('.records tbody tr');
    await page.keyboard.press('/');
    await page.keyboard.type('treaty');
    await page.waitForURL(/q=treaty/);
    await settled(page, '/records?q=treaty');
    expect(await page.locator('.status').innerText()).toContain('of 164 records');
    await page.keyboard.press('Escape');
    await page.keyboard.press('n');
    await page.waitForURL(/offset=50/);
    await drawn(page);
    await page.keyboard.press('?');
    await page.waitForSelector('#help[open]');
    await page.keyboard.press('Escape');
    await page.waitForSelector('#help:not([open])', { state: 'attached' });
    await page.keyboard.press('3');
    await settled(page, '/compare');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.trace');
    await page.keyboard.press('4');
    await settled(page, '/spec');
    await page.keyboard.press('j');
    expect(await page.locator('.entry:focus .code').innerText()).toBe('V1');
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

  it('shows what the run writes meanwhile', async () => {
    const page = await tab();
    await open(page, '/records?source=generate');
    expect(await page.locator('.status').innerText()).toContain('of 240 records');
    const file = path.join(root, 'completions.jsonl');
    const [line] = (await readFile(file, 'utf8')).split('\n');
    await appendFile(file, `${line!.replace('"id":"c0"', '"id":"later"')}\n`);
    await page.waitForSelector('.status:has-text("of 241 records")');
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);

  it('leaves the focus where it came to be while the page was asked for anew', async () => {
    const page = await tab();
    await open(page, '/spec');
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route('**/api/spec*', async (route) => {
      await held;
      await route.continue();
    });
    const asked = page.waitForRequest('**/api/spec*');
    const file = path.join(root, 'completions.jsonl');
    const [line] = (await readFile(file, 'utf8')).split('\n');
    await appendFile(file, `${line!.replace('"id":"c0"', '"id":"last"')}\n`);
    await asked;
    await page.keyboard.press('j');
    await page.locator('.entry:focus').evaluate((entry) => entry.setAttribute('data-old', ''));
    release();
    await page.waitForSelector('.entry[data-old]', { state: 'detached' });
    expect(await page.locator('.entry:focus .code').innerText()).toBe('V1');
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);

  it('gives nothing to another site but the way here: not by a name pointed here, not by a request from elsewhere', async () => {
    const page = await (await browser.newContext()).newPage();
    const rebound = await page.goto(`${base.replace('127.0.0.1', 'evil.example')}/api/records`);
    expect(rebound?.status()).toBe(403);
    expect((await page.goto(`${base.replace('127.0.0.1', 'evil.example')}/`))?.status()).toBe(403);
    const link = `${base}/trace?key=completion/c2`;
    const evil = http.createServer((_, response) =>
      response.setHeader('content-type', 'text/html').end(`<title>evil</title><a href="${link}">look</a><iframe src="${link}"></iframe>`),
    );
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
    const { port } = evil.address() as AddressInfo;
    const overrides = async () => (await readJsonl(path.join(root, 'overrides.jsonl'), Override)).length;
    try {
      const before = await overrides();
      // Another port of this machine is another site as well.
      for (const host of ['evil.example', 'localhost', '127.0.0.1']) {
        await page.goto(`http://${host}:${port}/`);
        const body = `{"record":"completion/c2","verdict":1,"answerDigest":"${'0'.repeat(64)}"}`;
        const reached = await page.evaluate(
          `Promise.all([
            fetch('${base}/api/records').then(r => r.text(), () => 'refused'),
            fetch('${base}/api/records', {mode: 'no-cors'}).then(r => r.type, () => 'refused'),
            fetch('${base}/api/overrides', {method: 'POST', mode: 'no-cors', body: '${body}'}).then(r => r.type, () => 'refused'),
            fetch('${base}/api/overrides', {method: 'POST', headers: {'content-type': 'application/json', 'x-deliberate-token': '${viewer.token}'}, body: '${body}'})
              .then(r => r.text(), () => 'refused'),
            new Promise(done => { const one = new Image(); one.onload = () => done('loaded'); one.onerror = () => done('refused'); one.src = '${base}/page/icon.svg'; }),
          ])`,
        );
        expect(reached, host).toEqual(['refused', 'refused', 'refused', 'refused', 'refused']);
        expect(await page.frameLocator('iframe').locator('.trace, header.top').count(), host).toBe(0);
        // A form needs no leave to be sent.
        await page.evaluate(
          `document.body.insertAdjacentHTML('beforeend', '<form method=post enctype="text/plain" action="${base}/api/overrides"><input name="a"></form>'), setTimeout(() => document.forms[0].submit())`,
        );
        await page.waitForURL(`${base}/api/overrides`);
        expect(await page.locator('body').innerText()).toContain('not answered');
      }
      expect(await overrides()).toBe(before);
      await page.goto(`http://evil.example:${port}/`);
      await page.click('a');
      await page.waitForSelector('.trace');
      expect(page.url()).toBe(link);
      expect(await page.evaluate('window.opener')).toBeNull();
    } finally {
      evil.closeAllConnections();
      evil.close();
      await page.context().close();
    }
  }, 300_000);
});
