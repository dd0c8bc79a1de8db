/** study.html in a real browser: a measured one as it is, and one in which every text is an attack. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../base/package-root.js';
import { chromiumAdvice, chromiumFile, hostileText, marker, openChromium, openTab, lookOver, unfold } from '../report/chromium.js';
import { StudyCard } from './results.js';
import { buildStudyPage } from './study-page.js';

/** The same with an attack behind every text that is named by another field. Names of studies are our own. */
function attacked<T>(value: T, field = 'card'): T {
  if (typeof value === 'string') return (value + hostileText(field)) as T;
  if (Array.isArray(value)) return value.map((one) => attacked<unknown>(one, field)) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, attacked<unknown>(own, name)])) as T;
}

/** The texts of a card by the names of their fields. */
function fieldsOf(value: unknown, field = 'card'): string[] {
  if (typeof value === 'string') return [field];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, own]) => fieldsOf(own, Array.isArray(value) ? field : name));
}

describe.skipIf(chromiumFile === undefined)(`the study page in a browser${chromiumAdvice}`, () => {
  let folder: string;
  let card: StudyCard;
  let browser: Browser;
  const written = async (name: string, page: string) => {
    const file = path.join(folder, name);
    await writeFile(file, page);
    return pathToFileURL(file).href;
  };
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'deliberate-study-'));
    card = StudyCard.parse(JSON.parse(await readFile(path.join(packageRoot, 'results', 'wider', 'study.json'), 'utf8')));
    browser = await openChromium();
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('fits both colour schemes and a narrow screen, and asks for nothing', async () => {
    const address = await written('measured.html', buildStudyPage(card));
    const looks = await lookOver(browser, address);
    for (const { colorScheme, width, overflow, problems } of looks) {
      expect(overflow, `${colorScheme} ${width}`).toBeLessThanOrEqual(0);
      expect(problems).toEqual([]);
    }
    const narrow = looks.filter(({ width }) => width === 360);
    expect(narrow[0]!.background).not.toBe(narrow[1]!.background);
  }, 300_000);

  it('is read with the keyboard alone: a link of the list leads to its study, wide tables scroll', async () => {
    const address = await written('measured.html', buildStudyPage(card));
    const { page, problems } = await openTab(browser, [address], { viewport: { width: 360, height: 800 } });
    await page.goto(address);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(new URL(page.url()).hash).toBe(`#${card.studies[0]!.name}`);
    const focused = () => page.evaluate<string>('document.activeElement.className || document.activeElement.localName');
    do await page.keyboard.press('Tab');
    while ((await focused()) !== 'scroll');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => page.evaluate('document.activeElement.scrollLeft')).toBeGreaterThan(0);
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);

  it('shows every text as text', async () => {
    const address = await written('hostile.html', buildStudyPage(attacked(card)));
    const { page, problems } = await openTab(browser, [address]);
    await page.goto(address);
    await unfold(page);
    expect(await page.evaluate(`window.${marker}`)).toBeUndefined();
    expect(await page.locator('body :is(img, script, iframe, style, form, a[href^="javascript:"], [onerror], [onload])').count()).toBe(0);
    expect(await page.locator('body svg:not(.chart)').count()).toBe(0);
    const text = await page.locator('main').textContent();
    const shown = new Set(fieldsOf(card).filter((field) => text?.includes(`<script>window.${marker}='${field}'</script>`)));
    // Keys of the cache are not for people, and pictures say their series once.
    for (const field of ['title', 'label', 'columns', 'notes', 'note', 'others', 'wanted', 'against', 'source', 'arm', 'how'])
      expect([...shown], field).toContain(field);
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);
});
