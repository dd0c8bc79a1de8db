/** The engine against tensors frozen from Hugging Face transformers and PEFT (scripts/reference/make_fixtures.py). */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../base/package-root.js';
import { openCheckpoint } from './checkpoint.js';
import { Decoder } from './decoder.js';
import { freshLora, type LoraParameters } from './lora.js';
import { readModelParts } from './model-parts.js';
import { readAdapter } from './peft.js';
import { openSafetensors, type SafetensorsFile } from './safetensors.js';
import { Sampler } from './sampler.js';
import { LoraTrainer, type ModelParts } from './trainer.js';
import type { Datum } from './types.js';

const fixtures = ['llama-tied', 'llama-untied', 'qwen2', 'qwen3', 'llama3-rope'];
const folder = (name: string) => path.join(packageRoot, 'fixtures', name);

async function readFixture(name: string): Promise<{ parts: ModelParts; adapter: LoraParameters }> {
  const { r: rank, alpha, targets, tensors } = await readAdapter(path.join(folder(name), 'adapter'));
  const lora = { rank, alpha, targets };
  const flat = new Map([...tensors].flatMap(([site, { A, B }]) => [[`${site}.A`, A] as const, [`${site}.B`, B] as const]));
  const checkpoint = await openCheckpoint(folder(name));
  const parts = await readModelParts(checkpoint, lora);
  await checkpoint.close();
  return { parts, adapter: { shape: lora, tensors: flat } };
}

/** Largest difference as a share of the reference's largest element. */
function relativeError(actual: ArrayLike<number>, reference: Float32Array): number {
  expect(actual.length).toBe(reference.length);
  const scale = reference.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  expect(scale).toBeGreaterThan(0);
  return reference.reduce((worst, x, i) => Math.max(worst, Math.abs(x - (actual[i] as number))), 0) / scale;
}

describe.each(fixtures)('%s, as transformers and PEFT compute it', (name) => {
  let reference: SafetensorsFile;
  let parts: ModelParts;
  let adapter: LoraParameters;
  let trainer: LoraTrainer;
  let sampler: Sampler;
  let rows: { tokens: number[]; targets: number[]; weights: number[]; logprobs: Float32Array; greedy: number[] }[];

  beforeAll(async () => {
    ({ parts, adapter } = await readFixture(name));
    reference = await openSafetensors(path.join(folder(name), 'reference.safetensors'));
    const list = async (tensor: string) => Array.from(await reference.read(tensor));
    rows = [];
    for (let i = 0; reference.tensors.has(`row.${i}.tokens`); i++) {
      const [tokens, targets, weights, greedy] = [
        await list(`row.${i}.tokens`),
        await list(`row.${i}.targets`),
        await list(`row.${i}.weights`),
        await list(`row.${i}.greedy`),
      ];
      rows.push({ tokens, targets, weights, greedy, logprobs: await reference.read(`row.${i}.logprobs`) });
    }
    trainer = new LoraTrainer(parts, adapter, 1 << 27, { threads: 1 });
    sampler = new Sampler(new Decoder(parts, { threads: 1 }), 8);
  });
  afterAll(async () => {
    await trainer.close();
    await reference.close();
  });

  /** The trainer's log-probabilities of the whole vocabulary, [T, V]: one copy of the row a token of the vocabulary, with that token as its target everywhere. */
  async function trainerLogprobs(tokens: number[], lora: LoraParameters): Promise<Float32Array> {
    const V = parts.config.vocabSize;
    const copies = Array.from({ length: V }, (_, v): Datum => ({ tokens, targets: tokens.map(() => v), weights: tokens.map(() => 1) }));
    const { logprobs } = await trainer.forward(copies, lora);
    return Float32Array.from({ length: tokens.length * V }, (_, i) => logprobs[i % V]?.[Math.floor(i / V)] as number);
  }

  it('has every log-probability of the trainer, with the adapter and without', async () => {
    expect(rows).toHaveLength(3);
    for (const { tokens, logprobs } of rows) expect(relativeError(await trainerLogprobs(tokens, adapter), logprobs)).toBeLessThan(1e-5);
    const base = await reference.read('row.0.base_logprobs');
    expect(relativeError(await trainerLogprobs(rows[0]?.tokens ?? [], freshLora(parts.config, parts.lora, 0)), base)).toBeLessThan(1e-5);
    // The adapter matters: the two references differ by far more than the tolerance.
    expect(relativeError(base, rows[0]?.logprobs as Float32Array)).toBeGreaterThan(1e-2);
  });

  // The graph with a shared prefix and the one without it are two: each row's first token has no loss, so it can be a prefix.
  it.each([0, 1])('has the loss and every LoRA gradient, with a shared prefix of %i tokens', async (sharedPrefix) => {
    const { lossSum } = await trainer.forwardBackward(
      rows.map(({ tokens, targets, weights }) => ({ tokens, targets, weights, sharedPrefix })),
      'cross_entropy',
    );
    expect(relativeError([lossSum], await reference.read('loss'))).toBeLessThan(1e-5);
    const names = reference.names.filter((tensor) => tensor.startsWith('grad.'));
    expect(names.map((tensor) => tensor.slice('grad.'.length)).sort()).toEqual([...trainer.gradients.keys()].sort());
    expect(names).toHaveLength(parts.config.layers * 7 * 2);
    for (const tensor of names) {
      const gradient = trainer.gradients.get(tensor.slice('grad.'.length)) as Float32Array;
      expect(relativeError(gradient, await reference.read(tensor)), tensor).toBeLessThan(1e-3);
    }
    trainer.dropGradients();
  });

  it.each([0, 5])('has the greedy continuations of the sampler, with %i prompt tokens shared', async (sharedPrefix) => {
    const sampled = await Promise.all(
      rows.map(({ tokens }) =>
        sampler.sample({
          adapter,
          adapterVersion: 'reference',
          promptTokens: tokens,
          sharedPrefix,
          n: 1,
          params: { maxTokens: 16, temperature: 0 },
        }),
      ),
    );
    expect(sampled.map(([sequence]) => sequence?.tokens)).toEqual(rows.map(({ greedy }) => greedy));
  });

  it('has every log-probability of the sampler after a prompt', async () => {
    const choices = Array.from({ length: parts.config.vocabSize }, (_, v) => v);
    for (const { tokens, logprobs } of rows) {
      const given = await sampler.choices({ adapter, adapterVersion: 'reference', promptTokens: tokens, sharedPrefix: 3, choices });
      expect(relativeError(given, logprobs.slice(-choices.length))).toBeLessThan(1e-5);
    }
  });
});
