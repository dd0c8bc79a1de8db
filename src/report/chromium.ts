/** A real browser, for tests of pages and for pictures of them: the Chromium of this machine. */
import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/** Undefined where there is none. */
export const chromiumFile = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (file) => file !== undefined && existsSync(file),
);
/** For the title of a test that is skipped. */
export const chromiumAdvice =
  chromiumFile === undefined ? ' (skipped: no Chromium here; `apt-get install chromium`, or name one in CHROMIUM)' : '';

/** `*.example` leads to this machine, so that other sites can be played here. */
export const openChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumFile!, args: ['--no-sandbox', '--host-resolver-rules=MAP *.example 127.0.0.1'] });

/** Where hostile texts of tests leave their mark when they run. */
export const marker = 'hackedBy';

/** Texts of `field` that would run a script, load from elsewhere or leave their element wherever text is taken for HTML. */
export const hostileText = (field: string): string =>
  [
    `<img src=x onerror="window.${marker}='${field}'"><script>window.${marker}='${field}'</script>`,
    `'"><svg onload=window.${marker}='${field}'></textarea></title></style><a href="javascript:window.${marker}='${field}'">`,
    `<img src="http://evil.example/${field}.png"><iframe srcdoc="<script>parent.${marker}=1</script>">`,
    `{{constructor.constructor('window.${marker}=1')()}}\${window.${marker}=1} javascript:window.${marker}=1 \u202etxt.exe\u0007 [X"><b>1]`,
  ].join('');

/** The same, short and without what no file name may hold. */
export const hostileName = (field: string): string => `${field}'"><img src=x onerror=window.${marker}=1>&amp;#x3c;{{7*7}}`;

export interface Tab {
  page: Page;
  /** What a browser would show or do that a good page does not: errors, warnings, dialogs, requests to other places. */
  problems: string[];
}

/** A tab of its own, with its own storage. @param origins what the page may ask */
export async function openTab(browser: Browser, origins: readonly string[], options: BrowserContextOptions = {}): Promise<Tab> {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })).newPage();
  page.setDefaultTimeout(60_000);
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.stack}`));
  page.on('dialog', (dialog) => {
    problems.push(`${page.url()}: dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!origins.some((origin) => request.url().startsWith(origin))) problems.push(`${page.url()}: asked ${request.url()}`);
  });
  return { page, problems };
}

/** Pixels by which a page is wider than its window. */
export const overflow = (page: Page): Promise<number> => page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');

/** Unfolds all that is folded. */
export const unfold = (page: Page): Promise<unknown> =>
  page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))");

/** A page with everything unfolded, as one colour scheme and width show it. */
export interface Look {
  colorScheme: 'light' | 'dark';
  width: number;
  background: string;
  overflow: number;
  problems: string[];
}

/** In both colour schemes, on a narrow and a wide screen. */
export async function lookOver(browser: Browser, address: string): Promise<Look[]> {
  const looks: Look[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [360, 1280]) {
      const { page, problems } = await openTab(browser, [address], { colorScheme, viewport: { width, height: 800 } });
      await page.goto(address);
      await unfold(page);
      const background = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      looks.push({ colorScheme, width, background, overflow: await overflow(page), problems });
      await page.context().close();
    }
  }
  return looks;
}
