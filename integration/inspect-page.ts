/**
 * The page of `inspect view` in a real browser: its list shows a log, the log its samples, a sample its chain of thought.
 * Started by integration/export-inspect.py. Arguments: address, what is shown, folder for pictures.
 */
import path from 'node:path';
import { chromiumFile, openChromium } from '../src/report/chromium.js';
import { check, say } from './proof.js';

const [address = '', what = '', pictures = ''] = process.argv.slice(2);

async function look(): Promise<void> {
  const browser = await openChromium();
  try {
    const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
    page.setDefaultTimeout(120_000);
    const picture = (name: string) =>
      pictures === '' ? Promise.resolve() : page.screenshot({ path: path.join(pictures, `${what}-${name}.png`) });
    await page.goto(address);
    // Tasks come first, and what else is in a log's head a little later. An arm that thinks is asked for.
    const row = page
      .getByRole('row')
      .filter({ hasText: /deliberate\/\S*sft/ })
      .first();
    await row.waitFor();
    await picture('list');
    const log = (await row.innerText()).split('\n').slice(0, 2).join(', ');
    await row.click();
    await page.waitForURL(/\.json/);
    // A log of one sample is opened at that sample.
    const samples = page.getByRole('row').filter({ hasText: 'Input' });
    const thought = page.getByText('Reasoning').first();
    await samples.or(thought).first().waitFor();
    if (await samples.first().isVisible()) await page.getByRole('row').nth(1).click();
    await thought.waitFor();
    await picture('sample');
    check(`${what}: the page of inspect view lists ${log}, opens it, and shows a sample with its reasoning`, true);
  } finally {
    await browser.close();
  }
}

if (chromiumFile === undefined) say('no Chromium here: the page of inspect view is not looked at');
else await look();
