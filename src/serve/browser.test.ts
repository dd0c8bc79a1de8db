/** The servers against web pages, in a real browser: what a page of another site can make of a server on this machine. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chromiumAdvice, chromiumFile, openChromium } from '../report/chromium.js';
import { handModel, served, start, stopAll, user } from './hand-model.js';

afterEach(stopAll);

describe.skipIf(chromiumFile === undefined)(`a page of another site${chromiumAdvice}`, () => {
  let browser: Browser;
  let page: Page;
  let elsewhere: http.Server;
  let port: number;
  beforeAll(async () => {
    browser = await openChromium();
    elsewhere = http.createServer((_, response) => response.setHeader('content-type', 'text/html').end('<title>elsewhere</title>'));
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    ({ port } = elsewhere.address() as AddressInfo);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    elsewhere?.closeAllConnections();
    elsewhere?.close();
  });
  beforeEach(async () => {
    page = await (await browser.newContext()).newPage();
  });
  afterEach(() => page.context().close());

  const body = JSON.stringify({ model: 'sft+rl', messages: user('Say a.') });
  /** A request from the page: what it could read of the answer. */
  const fetched = (address: string, options: object) =>
    page.evaluate(
      `fetch(${JSON.stringify(address)}, ${JSON.stringify(options)}).then((r) => r.type === 'opaque' ? 'opaque' : r.text(), () => 'refused')`,
    );
  const json = { 'content-type': 'application/json' };

  it('cannot have the model asked, nor read anything', async () => {
    const model = handModel(() => ['y']);
    const { address } = await start([served(model)]);
    for (const host of ['evil.example', 'localhost', '127.0.0.1']) {
      await page.goto(`http://${host}:${port}/`);
      expect(await fetched(`${address}/v1/chat/completions`, { method: 'POST', headers: json, body }), host).toBe('refused');
      // Sent without asking for leave; what comes back cannot be read.
      expect(['opaque', 'refused'], host).toContain(
        await fetched(`${address}/v1/chat/completions`, { method: 'POST', mode: 'no-cors', body }),
      );
      expect(await fetched(`${address}/v1/models`, {}), host).toBe('refused');
      expect(await fetched(`${address}/metrics`, {}), host).toBe('refused');
      await page.evaluate(
        `document.body.innerHTML = '<form method=post enctype="text/plain" action="${address}/v1/chat/completions"><input name=\\'{"a":"\\' value=\\'"}\\'></form>', setTimeout(() => document.forms[0].submit())`,
      );
      await page.waitForURL(`${address}/v1/chat/completions`);
      expect(await page.locator('body').innerText()).toContain('origin_not_allowed');
    }
    expect(model.asked).toHaveLength(0);
  }, 120_000);

  it('learns nothing by pointing its own name here', async () => {
    const model = handModel(() => ['y']);
    const { address } = await start([served(model)]);
    const rebound = `http://evil.example:${new URL(address).port}`;
    for (const where of ['/v1/models', '/metrics', '/healthz']) {
      const answer = await page.goto(rebound + where);
      expect([answer?.status(), await page.locator('body').innerText()], where).toEqual([403, expect.stringContaining('host_not_allowed')]);
    }
    expect(await fetched(`${rebound}/v1/chat/completions`, { method: 'POST', headers: json, body })).toContain('host_not_allowed');
    expect(model.asked).toHaveLength(0);
  }, 120_000);

  it('may call where it was allowed by name, and no other page beside it', async () => {
    const model = handModel(() => ['y']);
    const { address } = await start([served(model)], { allowOrigins: [`http://chat.example:${port}`] });
    await page.goto(`http://chat.example:${port}/`);
    expect(await fetched(`${address}/v1/chat/completions`, { method: 'POST', headers: json, body })).toContain('"content":"y"');
    await page.goto(`http://evil.example:${port}/`);
    expect(await fetched(`${address}/v1/chat/completions`, { method: 'POST', headers: json, body })).toBe('refused');
    expect(model.asked).toHaveLength(1);
  }, 120_000);
});
