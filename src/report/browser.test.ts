/** report.html in a real browser: no error, by keyboard, in both colour schemes, on a narrow screen. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumAdvice, chromiumFile, openChromium, openTab, lookOver } from './chromium.js';
import { buildReport } from './report.js';
import { sampleReportData } from './sample-data.js';

describe.skipIf(chromiumFile === undefined)(`the report in a browser${chromiumAdvice}`, () => {
  let folder: string;
  let address: string;
  let browser: Browser;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'deliberate-report-'));
    const file = path.join(folder, 'report.html');
    address = pathToFileURL(file).href;
    const longWord = ' unbroken'.padEnd(400, 'n');
    await writeFile(file, buildReport(sampleReportData(longWord)));
    browser = await openChromium();
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('fits both colour schemes and a narrow screen, with everything unfolded, and asks for nothing', async () => {
    const looks = await lookOver(browser, address);
    for (const { colorScheme, width, overflow, problems } of looks) {
      expect(overflow, `${colorScheme} ${width}`).toBeLessThanOrEqual(0);
      expect(problems).toEqual([]);
    }
    const narrow = looks.filter(({ width }) => width === 360);
    expect(narrow[0]!.background).not.toBe(narrow[1]!.background);
  }, 300_000);

  it('is read with the keyboard alone: the wide table scrolls, what is folded unfolds', async () => {
    const { page, problems } = await openTab(browser, [address], { viewport: { width: 360, height: 800 } });
    await page.goto(address);
    await page.keyboard.press('Tab');
    const focused = () => page.evaluate<string>('document.activeElement.className || document.activeElement.localName');
    expect(await focused()).toBe('scroll');
    await page.keyboard.press('ArrowRight');
    // Not page.waitForFunction, which evaluates in the page: its policy forbids that.
    await expect.poll(() => page.evaluate("document.querySelector('.scroll').scrollLeft")).toBeGreaterThan(0);
    const open = () => page.locator('details[open]').count();
    expect(await open()).toBe(0);
    for (let i = 0; i < 3; i++) {
      // What was unfolded may be a stop of its own: wide text is scrolled by keys as well.
      do await page.keyboard.press('Tab');
      while ((await focused()) !== 'summary');
      await page.keyboard.press('Enter');
    }
    expect(await open()).toBe(3);
    expect(problems).toEqual([]);
    await page.context().close();
  }, 300_000);

  it('names the arms beside their points where these coincide', async () => {
    const data = sampleReportData();
    for (const result of data.scorecard.results) Object.assign(result, { estimate: 0, low: 0, high: 0.3 });
    const { page } = await openTab(browser, [address]);
    await page.setContent(buildReport(data));
    const boxes = await page.locator('.pareto .name, .pareto .tick').evaluateAll((list) =>
      (list as unknown as { getBoundingClientRect(): Record<'x' | 'y' | 'right' | 'bottom', number> }[]).map((one) => {
        const { x, y, right, bottom } = one.getBoundingClientRect();
        return [x, y, right, bottom];
      }),
    );
    expect(boxes.length).toBeGreaterThan(10);
    // Names are set tightly; what counts is that no two lie on the same line.
    const apart = ([x, y, right, bottom]: number[], other: number[]) =>
      right! <= other[0]! || other[2]! <= x! || bottom! - 4 <= other[1]! || other[3]! - 4 <= y!;
    for (const [i, box] of boxes.entries())
      for (const other of boxes.slice(i + 1)) expect(apart(box, other), `${box.join()} and ${other.join()}`).toBe(true);
    await page.context().close();
  }, 300_000);
});
