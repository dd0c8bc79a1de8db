/** `serve` over the embedded engine with a tiny random model: what the scripted engine cannot show. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseConfig, type Config } from '../base/config.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import type { SftRecord } from '../base/records.js';
import { RunFolder, RunPaths } from '../base/run-folder.js';
import { specsOf } from '../align/compiled-specs.js';
import { trainSft } from '../align/sft.js';
import { loadSpec } from '../align/spec/parse.js';
import { specDigests } from '../align/trained-specification.js';
import { writeSpellingModel } from '../lm/spelling-model.js';
import { startServe } from '../serve/serve-process.js';
import { servedSpecification } from '../serve/served-model.js';
import { main } from './main.js';
import { openWorkbench } from './open-workbench.js';
import { serveCommand, type ServeFlags } from './serve-command.js';

const defaults: ServeFlags = {
  host: '127.0.0.1',
  port: 0,
  allowHost: [],
  allowOrigin: [],
  reasoning: 'show',
  maxTokens: 4000,
  // The tiny model is sure of itself: at 1 it ends at once, or repeats a letter.
  temperature: 2,
  maxWaiting: 256,
  drain: 10,
};
const words = [{ role: 'user' as const, content: 'Say a.' }];

let home: string;
let model: string;
let run: string;
let specification: Record<string, string>;
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-serve-'));
  model = path.join(home, 'tiny');
  run = path.join(home, 'run');
  await writeSpellingModel(model, 'llama-tied');
  const config = parseConfig(
    {
      name: 'tiny-run',
      engine: { model, adapter: null, rank: 4, alpha: 8, threads: 1 },
      generate: { specTokens: 100_000 },
      judge: { maxTokens: 16 },
      sft: { epochs: 1 },
    },
    'test',
  );
  await makeRun(config);
}, 60_000);
afterAll(() => rm(home, { recursive: true, force: true }));

/** A run folder with a trained arm, whose run.yaml says by now that the specification is another one. */
async function makeRun(config: Config): Promise<void> {
  const spec = await loadSpec(path.join(packageRoot, 'spec'));
  specification = specDigests(spec);
  const bench = await openWorkbench({ engine: config.engine, seed: 0, progress: silent });
  const digests = { ...bench.digests, prompts: 'p', spec: { ...specification, violence: 'edited since' } };
  const folder = await RunFolder.open(run, { config, digests, codeVersion: 'test' });
  try {
    const records: SftRecord[] = ['a', 'b'].map((id) => ({ id, promptId: id, messages: words, cot: 'So.', answer: `Is ${id}.` }));
    await trainSft({ bench, config, paths: new RunPaths(run), progress: silent, specs: specsOf(spec, config, bench) }, 'sft', records);
  } finally {
    await folder.close();
    await bench.close();
  }
}

const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stopping.splice(0).map((stop) => stop()));
});

/** Runs the command until the end of the test. */
async function serve(target: string, flags: Partial<ServeFlags> = {}) {
  const controller = new AbortController();
  let ended: Promise<void> = Promise.resolve();
  const address = await new Promise<string>((resolve, reject) => {
    const log = vi.spyOn(console, 'log').mockImplementation((text: string) => {
      const found = /http:\S+/.exec(text);
      if (found) resolve(found[0]);
    });
    ended = serveCommand(target, { ...defaults, ...flags }, controller.signal).finally(() => log.mockRestore());
    ended.catch(reject);
  });
  stopping.push(async () => {
    controller.abort();
    await ended;
  });
  return { address, client: new OpenAI({ baseURL: `${address}/v1`, apiKey: 'none', maxRetries: 0 }) };
}

const metric = async (address: string, name: string): Promise<number> =>
  Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(await (await fetch(`${address}/metrics`)).text())?.[1] ?? 0);

describe('a model of the embedded engine', () => {
  it('streams what it answers as a whole, n samples at a time, and stops at stop strings', async () => {
    const { client } = await serve(model);
    const ask = { model: 'tiny', messages: words, n: 3, seed: 1, max_tokens: 60 };
    const whole = await client.chat.completions.create(ask);
    const texts = whole.choices.map(({ message }) => message.content ?? '');
    expect(new Set(texts).size).toBe(3);
    const pieces: string[][] = [[], [], []];
    for await (const chunk of await client.chat.completions.create({ ...ask, stream: true }))
      for (const { index, delta } of chunk.choices) if (delta.content) pieces[index]?.push(delta.content);
    expect(pieces.map((one) => one.join(''))).toEqual(texts);
    expect(pieces[0]!.length).toBeGreaterThan(10);
    expect(whole.usage).toMatchObject({ completion_tokens: expect.any(Number), prompt_tokens: 'Say a.'.length + 3 });

    const [first = ''] = texts;
    const stop = first[Math.floor(first.length / 2)] ?? '';
    const stopped = await client.chat.completions.create({ ...ask, stop });
    expect(stopped.choices[0]?.message.content).toBe(first.slice(0, first.indexOf(stop)));
    expect(stopped.choices[0]?.finish_reason).toBe('stop');
  });

  it('answers many requests at once', async () => {
    const { client, address } = await serve(model);
    const texts = await Promise.all(
      Array.from({ length: 20 }, (_, seed) => client.chat.completions.create({ model: 'tiny', messages: words, seed, max_tokens: 50 })),
    );
    expect(new Set(texts.map(({ choices }) => choices[0]?.message.content)).size).toBeGreaterThan(12);
    expect(await metric(address, 'deliberate_completion_tokens_total')).toBe(
      texts.reduce((sum, { usage }) => sum + (usage?.completion_tokens ?? 0), 0),
    );
  });

  it('takes a request into the batch that is at work', async () => {
    const { client, address } = await serve(model);
    // At this temperature and seed it repeats a letter for a long time.
    const long = await client.chat.completions.create({ model: 'tiny', messages: words, seed: 1, temperature: 1, stream: true });
    for await (const _ of long) {
      await client.chat.completions.create({ model: 'tiny', messages: words, seed: 2, max_tokens: 3 });
      break;
    }
    // Of the two, the one that came later is done.
    expect(await metric(address, 'deliberate_completions_total')).toBe(1);
  });

  it('is asked no more for a client that has left', async () => {
    const { client, address } = await serve(model);
    const stream = await client.chat.completions.create({ model: 'tiny', messages: words, n: 16, seed: 1, stream: true });
    for await (const _ of stream) break;
    for (let i = 0; i < 100 && (await metric(address, 'deliberate_requests_in_flight')) > 1; i++)
      await new Promise((r) => setTimeout(r, 20));
    // The metrics' own request.
    expect(await metric(address, 'deliberate_requests_in_flight')).toBe(1);
    expect(await metric(address, 'deliberate_completions_total')).toBe(0);
  });

  it('says what does not fit', async () => {
    const { client } = await serve(model);
    const long = [{ role: 'user' as const, content: 'a'.repeat(9000) }];
    await expect(client.chat.completions.create({ model: 'tiny', messages: long })).rejects.toMatchObject({ status: 400 });
  });
});

describe('a run', () => {
  it('serves its arms, the trained one first, each with the digest of the specification it was trained on', async () => {
    const { client } = await serve(run);
    const models = [];
    for await (const one of client.models.list()) models.push(one.id);
    expect(models).toEqual(['sft', 'base', 'base+spec']);
    const digestOf = async (name: string) => {
      const { response } = await client.chat.completions.create({ model: name, messages: words, max_tokens: 4 }).withResponse();
      return response.headers.get('x-deliberate-spec');
    };
    expect(await digestOf('sft')).toBe(servedSpecification(specification).digest);
    expect(await digestOf('base')).toBeNull();
  });

  it('serves one arm alone where it is named', async () => {
    const { client } = await serve(run, { arm: 'base' });
    await expect(client.chat.completions.create({ model: 'sft', messages: words })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });

  it('serves its judge', async () => {
    const { address } = await serve(run, { judge: true });
    const post = async (answer: string) => {
      const response = await fetch(`${address}/v1/judge`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages: words, answer, category: 'violence' }),
      });
      return [response.status, await response.json()];
    };
    const spec_digest = servedSpecification(specification).digest;
    expect(await post('<think>never closed')).toMatchObject([200, { score: 0, outcome: 'malformed', spec_digest }]);
    // A random model reads nothing that holds.
    expect(await post('An answer.')).toMatchObject([200, { score: null, outcome: 'unscored' }]);
  });
});

describe('the command', () => {
  it('refuses what it cannot serve, and an open address without a key', async () => {
    const said: string[] = [];
    const error = vi.spyOn(console, 'error').mockImplementation((text: string) => void said.push(text));
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
    vi.stubEnv('DELIBERATE_API_KEY', '');
    try {
      expect(await main(['serve', run, '--host', '0.0.0.0'])).toBe(2);
      expect(said.join()).toContain('DELIBERATE_API_KEY');
      expect(await main(['serve', model, '--judge'])).toBe(2);
      expect(await main(['serve', run, '--arm', 'sfd'])).toBe(2);
      expect(said.join()).toContain('did you mean "sft"?');
      expect(await main(['serve', run, '--arm', 'sft+rl'])).toBe(2);
      expect(await main(['serve', run, '--port', '70000'])).toBe(2);
      expect(await main(['serve', run, '--reasoning', 'maybe'])).toBe(2);
    } finally {
      error.mockRestore();
      write.mockRestore();
      vi.unstubAllEnvs();
    }
  });

  it('says that a port is taken', async () => {
    const { address } = await serve(model);
    await expect(serveCommand(model, { ...defaults, port: Number(new URL(address).port) }, new AbortController().signal)).rejects.toThrow(
      'is taken',
    );
  });

  it('on SIGTERM writes to its end what is being written, and exits with 0', async () => {
    const { child, address, exit } = await startServe([model, '--port', '0', '--max-tokens', '2000']);
    try {
      const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'none', maxRetries: 0 });
      const stream = await client.chat.completions.create({ model: 'tiny', messages: words, n: 16, seed: 1, temperature: 2, stream: true });
      let finished = 0;
      let chunks = 0;
      for await (const chunk of stream) {
        if (++chunks === 3) child.kill('SIGTERM');
        finished += chunk.choices.filter(({ finish_reason }) => finish_reason).length;
      }
      expect(finished).toBe(16);
      expect(chunks).toBeGreaterThan(20);
      expect(await exit).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  }, 60_000);
});
