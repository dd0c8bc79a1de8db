/** The demo's real model through the whole engine, against transformers and PEFT (scripts/reference/real_model.py). */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../base/package-root.js';
import type { Message } from '../../base/records.js';
import { defaultModel, resolveModel } from '../../lm/models.js';
import type { Datum } from '../types.js';
import { createEmbeddedEngine, type EmbeddedEngine } from './index.js';

interface Greedy {
  messages: Message[];
  promptTokens: number[];
  tokens: number[];
  text: string;
}

interface Curve {
  seed: number;
  rank: number;
  alpha: number;
  learningRate: number;
  batches: Datum[][];
  losses: number[];
}

const frozen = async <T>(name: string) => JSON.parse(await readFile(path.join(packageRoot, 'fixtures', 'smollm2', name), 'utf8')) as T;

const missing = await resolveModel(defaultModel).then(
  () => null,
  (error: Error) => error.message,
);
if (missing !== null) console.warn(`The proofs on the real model are skipped: ${missing}`);

describe.skipIf(missing !== null)(`${defaultModel}, as transformers and PEFT compute it`, () => {
  let engine: EmbeddedEngine;
  let curve: Curve;
  let greedy: Greedy[];
  beforeAll(async () => {
    [curve, greedy] = await Promise.all([frozen<Curve>('sft.json'), frozen<Greedy[]>('greedy.json')]);
    const { seed, rank, alpha } = curve;
    engine = await createEmbeddedEngine({ model: defaultModel, seed, rank, alpha, memoryGb: 4 });
  }, 300_000);
  afterAll(() => engine.close());

  it('renders the same prompts and writes the same greedy text', async () => {
    expect(greedy.map(({ messages }) => engine.renderer.promptTokens(messages))).toEqual(greedy.map(({ promptTokens }) => promptTokens));
    const sampled = await Promise.all(
      greedy.map(({ promptTokens }) => engine.sample({ promptTokens, n: 1, params: { maxTokens: 32, temperature: 0 } })),
    );
    expect(sampled.map(([sequence]) => sequence?.tokens)).toEqual(greedy.map(({ tokens }) => tokens));
    const { choices } = await engine.policy.chat({ messages: greedy[0]?.messages ?? [], maxTokens: 32, temperature: 0 });
    expect(choices[0]?.text).toBe(greedy[0]?.text);
  }, 60_000);

  it('has the loss curve of 20 SFT steps within 1 %', async () => {
    const losses: number[] = [];
    for (const batch of curve.batches) {
      const { lossSum } = await engine.forwardBackward(batch, 'cross_entropy');
      losses.push(lossSum / batch.length);
      await engine.optimStep({ learningRate: curve.learningRate, beta1: 0.9, beta2: 0.95, eps: 1e-12 });
    }
    const gaps = losses.map((loss, step) => Math.abs(loss / (curve.losses[step] as number) - 1));
    console.log(
      `loss ${losses[0]?.toFixed(3)} → ${losses.at(-1)?.toFixed(3)}; largest gap to PyTorch's curve ${(100 * Math.max(...gaps)).toFixed(4)} %`,
    );
    expect(losses).toHaveLength(20);
    // The first loss comes before any step: there is nothing yet that rounding could have led elsewhere.
    expect(gaps[0]).toBeLessThan(1e-4);
    expect(Math.max(...gaps)).toBeLessThan(0.01);
  }, 180_000);

  it('samples from the distribution that it trains: log-probabilities differ by at most 1e-3', async () => {
    const prompts = greedy.slice(0, 4).map(({ promptTokens }) => promptTokens);
    const sampled = await Promise.all(
      prompts.map((promptTokens, seed) => engine.sample({ promptTokens, n: 1, params: { maxTokens: 64, seed } })),
    );
    const data = prompts.map((prompt, i): Datum => {
      const tokens = [...prompt, ...(sampled[i]?.[0]?.tokens ?? [])];
      return {
        tokens: tokens.slice(0, -1),
        targets: tokens.slice(1),
        weights: tokens.slice(1).map((_, t) => (t < prompt.length - 1 ? 0 : 1)),
      };
    });
    const { logprobs } = await engine.forward(data);
    const gaps = prompts.flatMap((prompt, i) =>
      (sampled[i]?.[0]?.logprobs ?? []).map((logprob, t) => Math.abs(logprob - (logprobs[i]?.[prompt.length - 1 + t] as number))),
    );
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    console.log(
      `sampler against trainer over ${gaps.length} tokens: largest gap ${Math.max(...gaps).toExponential(1)}, mean ${mean.toExponential(1)}`,
    );
    expect(gaps.length).toBeGreaterThan(40);
    expect(Math.max(...gaps)).toBeLessThan(1e-3);
  }, 60_000);
});

describe.skipIf(missing !== null)('closing', () => {
  it.each(['sample', 'train'])(
    'in the middle of a kernel call ends the thread and not the process: %s',
    async (work) => {
      const engine = pathToFileURL(path.join(packageRoot, 'dist', 'src', 'engines', 'embedded', 'index.js')).href;
      const program = `(async () => {
      const { createEmbeddedEngine } = await import(${JSON.stringify(engine)});
      const engine = await createEmbeddedEngine({ model: ${JSON.stringify(defaultModel)}, memoryGb: 4 });
      const tokens = Array.from({ length: 64 }, (_, i) => 100 + i);
      const datum = { tokens: tokens.slice(0, -1), targets: tokens.slice(1), weights: tokens.slice(1).map(() => 1) };
      const started = ${JSON.stringify(work)} === 'sample'
        ? engine.sample({ promptTokens: tokens, n: 32, params: { maxTokens: 500, temperature: 1 } })
        : engine.forwardBackward(Array.from({ length: 64 }, () => datum), 'cross_entropy');
      started.catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      await engine.close();
      console.log('closed');
    })()`;
      const { stdout } = await promisify(execFile)(process.execPath, ['-e', program]);
      expect(stdout).toBe('closed\n');
    },
    120_000,
  );
});
