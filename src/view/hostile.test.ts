/** A run in which every field that a model or a user can fill is an attack, in a real browser: the viewer and report.html. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseConfig } from '../base/config.js';
import { schemaVersion } from '../base/records.js';
import { chromiumAdvice, chromiumFile, hostileName, hostileText, marker, openChromium, openTab, unfold } from '../report/chromium.js';
import { collectReport } from '../report/collect.js';
import { buildReport } from '../report/report.js';
import { sampleReportData } from '../report/sample-data.js';
import { specWith, writeMadeRun } from './made-run.js';
import { createViewer, type Viewer } from './server.js';

const evil = { text: hostileText, name: hostileName };
const arm = (first: string) => `${first}${hostileName('arm')}`;
const suite = `forbidden-plain${hostileName('suite')}`;

/** What the stages write beside the records: settings, scores, funnel, metrics. */
async function writeRest(root: string): Promise<void> {
  const put = async (name: string, text: string) => {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), text);
  };
  const engine = { model: `tiny${hostileText('model')}` };
  const digests = {
    model: hostileText('digest'),
    adapter: 'none',
    prompts: 'p',
    spec: { [hostileName('category')]: hostileText('digest') },
  };
  const { model } = engine;
  await put(
    'run.yaml',
    stringify({ schemaVersion, name: hostileText('run'), model, codeVersion: 'test', config: parseConfig({ engine }, 'test'), digests }),
  );
  await put('funnel.json', JSON.stringify([{ title: `Prompts${hostileText('step')}`, count: 3, note: hostileText('note of a step') }]));
  const card = sampleReportData().scorecard;
  const title = { title: hostileText('suite title'), metric: hostileText('metric'), group: hostileText('group') };
  const arms = ['base', 'sft'];
  const renamed = <T extends { arm: string; suite: string }>(list: readonly T[]): T[] =>
    list
      .filter((one) => arms.includes(one.arm))
      .map((one) => ({ ...one, arm: arm(one.arm), suite: one.suite === 'forbidden-plain' ? suite : one.suite }));
  await put(
    'scorecard.json',
    JSON.stringify({
      arms: arms.map(arm),
      suites: card.suites.map((one) => ({ ...one, ...title, name: one.name === 'forbidden-plain' ? suite : one.name })),
      results: renamed(card.results).map((one) => ({
        ...one,
        by: { ...one.by, category: { [hostileName('category')]: { mean: 1, rows: 2 } } },
      })),
      differences: renamed(card.differences).map((one) => ({ ...one, against: arm('base') })),
    }),
  );
  await put(
    path.join('arms', arm('sft'), 'sft', 'metrics.jsonl'),
    `${JSON.stringify({ step: 1, loss: 2, alarms: [hostileText('alarm')] })}\n${JSON.stringify({ step: 2, loss: 1 })}\n`,
  );
}

/** Records that hold nonsense where the program has a list of values: files may come from others. */
async function addForeignRecords(root: string): Promise<void> {
  const file = path.join(root, 'completions.jsonl');
  const text = await readFile(file, 'utf8');
  const foreign = { ...(JSON.parse(text.slice(0, text.indexOf('\n'))) as object), id: `foreign${hostileName('id')}` };
  await writeFile(
    file,
    `${text}${JSON.stringify({ ...foreign, decision: hostileText('decision'), stopReason: hostileText('stop'), citations: [{ code: hostileName('code') }] })}\n`,
  );
  const prompts = path.join(root, 'prompts.jsonl');
  const lines = (await readFile(prompts, 'utf8')).split('\n');
  lines[0] = JSON.stringify({ ...(JSON.parse(lines[0]!) as object), ideal: hostileText('label') });
  await writeFile(prompts, lines.join('\n'));
}

describe.skipIf(chromiumFile === undefined)(`a run full of attacks${chromiumAdvice}`, () => {
  let root: string;
  let viewer: Viewer;
  let base: string;
  let browser: Browser;
  beforeAll(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'deliberate-hostile-'));
    await writeMadeRun(root, { completions: 40, evals: 12, rollouts: 4, ...evil });
    await writeRest(root);
    await writeFile(path.join(root, 'report.html'), buildReport(await collectReport(root, specWith(evil))));
    await addForeignRecords(root);
    viewer = await createViewer(root, specWith(evil));
    await viewer.app.listen({ host: '127.0.0.1', port: 0 });
    base = `http://127.0.0.1:${(viewer.app.server.address() as AddressInfo).port}`;
    await viewer.store.refreshNow();
    browser = await openChromium();
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await viewer?.close();
    await rm(root, { recursive: true, force: true });
  });

  const open = async (page: Page, address: string) => {
    await page.goto(base + address);
    await page.waitForSelector('body[data-ready]');
  };
  /** Nothing of the payloads became an element, and none of them ran. */
  const expectText = async (page: Page, where: string) => {
    expect(await page.evaluate(`window.${marker}`), where).toBeUndefined();
    expect(await page.locator('main :is(img, script, iframe, style, a[href^="javascript:"], [onerror], [onload])').count(), where).toBe(0);
    expect(await page.locator('main svg:not(.chart, .meter, .bar, [aria-hidden])').count(), where).toBe(0);
  };
  const query = (params: Record<string, string>) => new URLSearchParams(params).toString();

  it('is shown as text by every page of the viewer', async () => {
    const { page, problems } = await openTab(browser, [base]);
    const trace = (key: string) => `/trace?${query({ key })}`;
    /** A page with texts of these fields; the others are tried on the way. */
    const pages: [string, string[]][] = [
      ['/', ['model', 'alarm', 'step', 'note of a step', 'suite title', 'metric']],
      ['/records?source=eval', ['prompt', 'answer']],
      [`/records?${query({ arm: arm('sft'), suite, category: `violence${hostileName('category')}`, q: hostileName('arm') })}`, []],
      [`/compare?${query({ a: arm('base'), b: arm('sft'), suite, show: 'all' })}`, ['prompt', 'cot', 'answer', 'fault']],
      [
        '/spec',
        [
          'principle',
          'style',
          'title',
          'summary',
          'term',
          'definition',
          'subject',
          'clause',
          'rationale of a clause',
          'example',
          'exclusion',
        ],
      ],
      [trace('completion/c0'), ['prompt', 'cot', 'answer', 'rationale', 'unscored', 'clause', 'label']],
      [trace(`completion/foreign${hostileName('id')}`), ['decision']],
      [trace('rollout/r0'), ['prompt', 'cot', 'answer', 'rationale of a reward']],
      [trace(`eval/${arm('sft')}/${suite}/e1${hostileName('id')}`), ['fault', 'cot']],
    ];
    for (const [address, fields] of pages) {
      await open(page, address);
      // Also what is folded up.
      await unfold(page);
      await expectText(page, address);
      const text = await page.locator('main').textContent();
      for (const field of fields) expect(text, `${address}: ${field}`).toContain(`<script>window.${marker}='${field}'</script>`);
    }
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);

  it('is shown as text in filters, in what is found by them, and on the way through a list', async () => {
    const { page, problems } = await openTab(browser, [base]);
    await open(page, '/records?source=eval');
    await page.waitForSelector('#filter-technique option + option', { state: 'attached' });
    for (const name of ['arm', 'suite', 'category', 'technique', 'fault']) {
      const values = await page
        .locator(`#filter-${name} option:not([value=""])`)
        .evaluateAll((list) => (list as unknown as { value: string }[]).map(({ value }) => value));
      const [first] = values;
      expect(first, name).toContain('onerror');
      // Where there is nothing to choose the field is hidden.
      await page.selectOption(`#filter-${name}`, first!, { force: true });
      await page.waitForURL((url) => url.searchParams.get(name) === first);
      await page.waitForSelector(`#chip-${name}`);
    }
    expect(await page.locator('.status').innerText()).toMatch(/of [1-9]\d* records/);
    await expectText(page, 'filters');
    await page.locator('.records a.open').first().click();
    await page.waitForSelector('.trace');
    await page.keyboard.press('j');
    await page.waitForURL(/at=1/);
    await page.locator('.related a').first().click();
    await page.waitForURL((url) => !url.searchParams.has('at'));
    await page.waitForSelector('.trace');
    await expectText(page, 'trace');
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);

  it('keeps a note as text, and a verdict with it', async () => {
    const { page, problems } = await openTab(browser, [base]);
    await page.goto(`${base}/#token=${viewer.token}`);
    await page.waitForSelector('body[data-ready]');
    await open(page, '/trace?key=completion/c4');
    await page.fill('#note', hostileText('override note'));
    await page.click('#bad');
    await page.waitForSelector('#bad[aria-pressed=true]');
    await page.reload();
    await page.waitForSelector('#bad[aria-pressed=true]');
    expect(await page.inputValue('#note')).toContain(`<script>window.${marker}='override note'</script>`);
    await expectText(page, 'verdict');
    await open(page, '/records?human=bad');
    expect(await page.locator('.status').innerText()).toContain('of 1 record');
    await expectText(page, 'list of verdicts');
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);

  it('is shown as text by report.html', async () => {
    const address = pathToFileURL(path.join(root, 'report.html')).href;
    const { page, problems } = await openTab(browser, [address]);
    await page.goto(address);
    await unfold(page);
    await expectText(page, 'report');
    expect(await page.locator('link, script, base, form').count()).toBe(0);
    const text = await page.locator('main').textContent();
    for (const field of ['run', 'model', 'suite title', 'metric', 'step', 'note of a step', 'prompt', 'cot', 'answer', 'fault', 'digest'])
      expect(text, field).toContain(`<script>window.${marker}='${field}'</script>`);
    expect(text).toContain(hostileName('arm'));
    // Even text that got out of its place could load and run nothing.
    const policy = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute('content');
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'$/);
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);
});
