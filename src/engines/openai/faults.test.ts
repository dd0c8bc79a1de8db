/** Servers that fail in every way: nothing is lost or doubled, and what cannot be had ends in one sentence. */
import { getEventListeners, setMaxListeners } from 'node:events';
import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { inParallel } from '../../base/parallel.js';
import { ServerSettings } from '../../base/server-settings.js';
import { startScriptedServer, type Asked, type Fault, type ScriptedServer, type ScriptedServerOptions } from './scripted-server.js';
import { retryAfterOf } from './failure.js';
import { openServerModel, type ServerModel } from './server-model.js';

const open: (ServerModel | ScriptedServer)[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function start(options: ScriptedServerOptions, settings: Partial<ServerSettings> = {}) {
  const server = await startScriptedServer(options);
  open.push(server);
  const model = await openServerModel({
    role: 'generator',
    settings: ServerSettings.parse({ engine: 'openai', baseUrl: server.url, model: 'm', server: 'vllm', ...settings }),
    firstWait: 2,
  });
  open.push(model);
  return { server, model };
}

const numberIn = ({ messages }: Asked): number => Number(messages[0]?.content);
/** Every request that is not the first question. */
const only = (fault: (call: number) => Fault | null) => (call: number, asked: Asked) =>
  Number.isNaN(numberIn(asked)) ? null : fault(call);
/**
 * Every fourth call fails, whoever's it is, but no request fails more than three times: one that met six faults in a row, as
 * a busy machine's order of calls can have it, is rightly given up.
 */
function everyFourth(fault: Fault): (call: number, asked: Asked) => Fault | null {
  const struck = new Map<number, number>();
  return (call, asked) => {
    const times = struck.get(numberIn(asked)) ?? 0;
    if (Number.isNaN(numberIn(asked)) || call % 4 !== 0 || times === 3) return null;
    struck.set(numberIn(asked), times + 1);
    return fault;
  };
}
const echo = (asked: Asked) => ({ content: `reply ${numberIn(asked)}` });

/** Asks for the numbers below `count` and returns the replies in the order they came. */
async function askMany(model: ServerModel, count: number, signal?: AbortSignal): Promise<string[]> {
  const got: string[] = [];
  await inParallel(
    Array.from({ length: count }, (_, i) => i),
    128,
    async (i) => {
      const { choices } = await model.model.chat({
        messages: [{ role: 'user', content: String(i) }],
        maxTokens: 5,
        seed: i,
        ...(signal && { signal }),
      });
      got.push(choices[0]!.text);
    },
    signal,
  );
  return got;
}

const all = (count: number) => Array.from({ length: count }, (_, i) => `reply ${i}`).sort();

const faults: Record<string, Fault> = {
  'drops connections': { kind: 'drop' },
  'drops them half-way': { kind: 'drop-mid' },
  'tears JSON': { kind: 'torn' },
  'answers nothing': { kind: 'empty' },
  'answers without choices': { kind: 'no-choices' },
  'stands behind a failing proxy': { kind: 'page' },
  'fails with 500': { kind: 'status', status: 500 },
  'is loading its model (503)': { kind: 'status', status: 503 },
  'limits with 429': { kind: 'status', status: 429, headers: { 'retry-after-ms': '5' } },
  'puts an error into a 200': { kind: 'status', status: 200, body: { error: { code: 502, message: 'upstream' } } },
};

describe('nothing is lost or doubled', () => {
  for (const [name, fault] of Object.entries(faults)) {
    it(`when the server ${name}`, async () => {
      const { server, model } = await start({ tell: echo, fault: everyFourth(fault) });
      expect((await askMany(model, 60)).sort()).toEqual(all(60));
      const failed = server.calls() - 61;
      expect(failed).toBeGreaterThan(10);
      expect(model.usage()).toMatchObject([{ calls: 61, retries: failed }]);
    });
  }

  it('when the server hangs: the deadline ends the request, and it is sent again', async () => {
    const { model } = await start(
      { tell: echo, fault: only((call) => (call === 5 || call === 9 ? { kind: 'hang' } : null)) },
      { timeoutSeconds: 0.3 },
    );
    expect((await askMany(model, 30)).sort()).toEqual(all(30));
  });

  it('when the server is killed and started again', async () => {
    const first = await start({ tell: echo, latency: () => 10 });
    const asking = askMany(first.model, 200);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const begun = first.server.calls();
    await first.server.close();
    await new Promise((resolve) => setTimeout(resolve, 60));
    const second = await startScriptedServer({ tell: echo, port: first.server.port });
    open.push(second);
    expect((await asking).sort()).toEqual(all(200));
    expect(begun).toBeLessThan(200);
    expect(second.calls()).toBeGreaterThan(0);
  });
});

describe('concurrency', () => {
  it('grows while the pace holds', async () => {
    const { server, model } = await start({ tell: echo, latency: () => 20 }, { maxConcurrency: 32 });
    await askMany(model, 400);
    expect(server.mostInFlight()).toBe(32);
    expect(model.limit()).toBe(32);
  });

  it('falls below what the server refuses', async () => {
    let inFlight = 0;
    const { model } = await start({
      tell: echo,
      latency: (now) => (inFlight = now) && 15,
      fault: only(() => (inFlight > 12 ? { kind: 'status', status: 429 } : null)),
    });
    expect((await askMany(model, 300)).sort()).toEqual(all(300));
    expect(model.limit()).toBeLessThan(32);
  });

  it('sends nothing before the time that Retry-After names', async () => {
    const times: number[] = [];
    let told = 0;
    const { model } = await start(
      {
        tell: echo,
        fault: only((call) => {
          times.push(performance.now());
          if (call !== 3) return null;
          told = performance.now();
          return { kind: 'status', status: 429, headers: { 'retry-after': '0.4' } };
        }),
      },
      { maxConcurrency: 1 },
    );
    await askMany(model, 6);
    const after = times.filter((time) => time > told);
    expect(after).toHaveLength(5);
    expect(Math.min(...after) - told).toBeGreaterThan(390);
  });
});

describe('giving up', () => {
  it('a refused request is not sent again', async () => {
    for (const [status, advice] of [
      [400, /body: \{field: null\}/],
      [404, /name of the model/],
      [422, /leave it out/],
    ] as const) {
      const { server, model } = await start({
        fault: only(() => ({ kind: 'status', status, body: { error: { message: 'no such field' } } })),
      });
      await expect(askMany(model, 1)).rejects.toThrow(/no such field/);
      await expect(askMany(model, 1)).rejects.toThrow(advice);
      expect(server.calls()).toBe(3);
    }
  });

  it('a used-up quota is no reason to wait', async () => {
    const { server, model } = await start({
      fault: only(() => ({ kind: 'status', status: 429, body: { error: { code: 'insufficient_quota', message: 'no money' } } })),
    });
    await expect(askMany(model, 1)).rejects.toThrow(/quota is used up.*account/);
    expect(server.calls()).toBe(2);
  });

  it('a dead server ends the work within its patience, in one sentence', async () => {
    const { server, model } = await start({ tell: echo }, { patienceSeconds: 0.5 });
    await server.close();
    const begun = performance.now();
    await expect(askMany(model, 40)).rejects.toThrow(
      /generator: m at .*cannot be reached.*nothing has been answered.*run the same command again/,
    );
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it('a request that fails alone does not wait for ever', async () => {
    const { model } = await start({
      tell: echo,
      fault: (_call, asked) => (numberIn(asked) === 3 ? { kind: 'status', status: 500 } : null),
      latency: () => 5,
    });
    await expect(askMany(model, 200)).rejects.toThrow(/6 times for the same request/);
  });

  it('a wait longer than the patience is refused', async () => {
    const { model } = await start(
      { fault: only(() => ({ kind: 'status', status: 429, headers: { 'retry-after': '3600' } })) },
      { patienceSeconds: 60 },
    );
    await expect(askMany(model, 1)).rejects.toThrow(/asks to wait 3600 s/);
  });

  it('an abort ends requests in flight, in backoff and in the queue at once', async () => {
    const { model } = await start({
      fault: only((call) => (call % 2 === 0 ? { kind: 'hang' } : { kind: 'status', status: 503, headers: { 'retry-after': '30' } })),
    });
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const asking = askMany(model, 50, controller.signal);
    setTimeout(() => controller.abort(new Error('stop')), 50);
    const begun = performance.now();
    await expect(asking).rejects.toThrow('stop');
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});

describe('Retry-After', () => {
  it('is read in all its forms', () => {
    const now = Date.parse('2026-11-24T12:00:00Z');
    const of = (headers: Record<string, string>) => retryAfterOf(headers, now);
    expect(of({ 'retry-after': '7' })).toBe(7000);
    expect(of({ 'retry-after': '1.5' })).toBe(1500);
    expect(of({ 'retry-after': 'Tue, 24 Nov 2026 12:00:30 GMT' })).toBe(30_000);
    expect(of({ 'retry-after': 'Tue, 24 Nov 2026 11:00:00 GMT' })).toBe(0);
    expect(of({ 'retry-after-ms': '250', 'retry-after': '1' })).toBe(250);
    expect(of({ 'retry-after': 'soon' })).toBeUndefined();
    expect(of({})).toBeUndefined();
  });
});

describe('memory', () => {
  it('stays bounded over many requests with one long-lived signal', async () => {
    v8.setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { model } = await start({ tell: echo, keep: 0, fault: only((call) => (call % 50 === 0 ? { kind: 'torn' } : null)) });
    const { signal } = new AbortController();
    setMaxListeners(0, signal);
    const held = async (requests: number) => {
      expect(await askMany(model, requests, signal)).toHaveLength(requests);
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = await held(500);
    // A kilobyte a request would be a hundred megabytes in a hundred thousand.
    expect((await held(3000)) - before).toBeLessThan(2e6);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});
