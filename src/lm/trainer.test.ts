import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { Decoder } from './decoder.js';
import { freshLora } from './lora.js';
import { needsRecompute } from './micro-batch.js';
import { Sampler } from './sampler.js';
import { tinyConfig, tinyModel } from './tiny-model.js';
import { LoraTrainer, type ModelParts } from './trainer.js';
import type { Datum } from './types.js';

const tinyBytes = 1 << 24;

function adapterOf(model: ModelParts) {
  const adapter = freshLora(model.config, model.lora, 1);
  const random = new Random('b');
  // A fresh adapter has B = 0 and would hide errors in dA.
  for (const [name, data] of adapter.tensors) if (name.endsWith('.B')) data.forEach((_, i) => (data[i] = 0.1 * random.normal()));
  return adapter;
}

function data(seed: number, lengths: number[], shared = 0): Datum[] {
  const random = new Random(`data:${seed}`);
  const prefix = Array.from({ length: shared }, () => random.integer(96));
  return lengths.map((length) => {
    const tokens = [...prefix, ...Array.from({ length }, () => random.integer(96))];
    return {
      tokens,
      targets: tokens.map(() => random.integer(96)),
      weights: tokens.map((_, t) => (t < shared || t % 3 === 0 ? 0 : random.uniform())),
      logprobs: tokens.map(() => -4 - random.uniform()),
      advantages: tokens.map(() => random.normal()),
      sharedPrefix: shared,
    };
  });
}

const variants = {
  'grouped queries, tied': tinyConfig(),
  'QKV bias, untied': tinyConfig({ qkvBias: true, tiedEmbeddings: false, kvHeads: 4 }),
  'q/k norm, head size of its own': tinyConfig({ qkNorm: true, headDim: 16, kvHeads: 1 }),
};

describe.each(Object.entries(variants))('LoraTrainer: %s', (_name, config) => {
  const model = tinyModel(config);

  it.each(['cross_entropy', 'importance_sampling', 'ppo'] as const)('gradients of %s equal finite differences', async (loss) => {
    const adapter = adapterOf(model);
    const trainer = new LoraTrainer(model, adapter, tinyBytes, { threads: 1 });
    const batch = data(3, [9, 5, 12], 6);
    await trainer.forwardBackward(batch, loss);
    const gradients = new Map([...trainer.gradients].map(([name, g]) => [name, g.slice()]));
    const random = new Random('places');
    for (const name of [
      'layers.0.self_attn.q_proj.A',
      'layers.0.self_attn.k_proj.B',
      'layers.1.self_attn.v_proj.A',
      'layers.0.self_attn.o_proj.B',
      'layers.0.mlp.gate_proj.A',
      'layers.1.mlp.down_proj.B',
    ]) {
      const tensor = adapter.tensors.get(name) as Float32Array;
      const direction = Float32Array.from(tensor, () => random.normal());
      const original = tensor.slice();
      const lossAt = async (step: number) => {
        tensor.forEach((_, i) => (tensor[i] = (original[i] as number) + step * (direction[i] as number)));
        const { lossSum } = await trainer.forwardBackward(batch, loss);
        return lossSum;
      };
      const step = 2e-3;
      const numeric = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
      tensor.set(original);
      const analytic = (gradients.get(name) as Float32Array).reduce((sum, g, i) => sum + g * (direction[i] as number), 0);
      expect(Math.abs(numeric - analytic), name).toBeLessThan(0.02 * Math.abs(analytic) + 2e-3);
    }
    await trainer.close();
  });

  it.each([0, 20])('gives the same gradients when blocks are computed again on the way back (prefix %i)', async (prefix) => {
    const batch = data(8, [9, 5, 12], prefix);
    const gradientsWith = async (maxBytes: number) => {
      const trainer = new LoraTrainer(model, adapterOf(model), maxBytes, { threads: 1 });
      const { lossSum } = await trainer.forwardBackward(batch, 'cross_entropy');
      const gradients = new Map([...trainer.gradients].map(([name, g]) => [name, g.slice()]));
      await trainer.close();
      return { lossSum, gradients };
    };
    const kept = await gradientsWith(tinyBytes);
    // Too little for one sequence: the trainer must turn to recomputation by itself.
    expect(needsRecompute(batch, model.config, 1000)).toBe(true);
    expect(needsRecompute(batch, model.config, tinyBytes)).toBe(false);
    const again = await gradientsWith(1000);
    expect(again.lossSum).toBeCloseTo(kept.lossSum, 4);
    expect([...again.gradients.keys()].sort()).toEqual([...kept.gradients.keys()].sort());
    for (const [name, gradient] of kept.gradients) {
      const other = again.gradients.get(name) as Float32Array;
      const largest = Math.max(...gradient.map(Math.abs));
      expect(Math.max(...gradient.map((g, i) => Math.abs(g - (other[i] as number)))), name).toBeLessThan(1e-4 * largest + 1e-7);
    }
  });

  it('gives the same log-probabilities whether a prefix is shared or repeated, and however rows are packed', async () => {
    const trainer = new LoraTrainer(model, adapterOf(model), tinyBytes, { threads: 1 });
    const shared = data(5, [7, 13, 30, 4], 20);
    const together = await trainer.forward(shared);
    for (const [i, datum] of shared.entries()) {
      const alone = await trainer.forward([{ ...datum, sharedPrefix: 0 }]);
      (alone.logprobs[0] as number[]).forEach((logprob, t) => expect(together.logprobs[i]?.[t]).toBeCloseTo(logprob, 4));
    }
    await trainer.close();
  });

  it('sampler and trainer agree on log-probabilities', async () => {
    const adapter = adapterOf(model);
    const sampler = new Sampler(new Decoder(model, { threads: 1 }), 6);
    const trainer = new LoraTrainer(model, adapter, tinyBytes, { threads: 1 });
    const random = new Random('prompts');
    const prefix = Array.from({ length: 11 }, () => random.integer(96));
    const jobs = Array.from({ length: 5 }, (_, i) => {
      const promptTokens = [...prefix, ...Array.from({ length: 3 + i * 4 }, () => random.integer(96))];
      return { promptTokens, sharedPrefix: i % 2 ? 11 : 0, n: 3 };
    });
    const sampled = await Promise.all(
      jobs.map((job, seed) => sampler.sample({ ...job, adapter, adapterVersion: 'v1', params: { maxTokens: 20 + seed, seed } })),
    );
    let worst = 0;
    for (const [i, job] of jobs.entries()) {
      for (const { tokens, logprobs } of sampled[i] ?? []) {
        const all = [...job.promptTokens, ...tokens];
        const start = job.promptTokens.length - 1;
        const datum = { tokens: all.slice(0, -1), targets: all.slice(1), weights: all.slice(1).map((_, t) => (t < start ? 0 : 1)) };
        const result = await trainer.forward([datum]);
        logprobs.forEach((logprob, t) => (worst = Math.max(worst, Math.abs(logprob - (result.logprobs[0]?.[start + t] ?? 0)))));
      }
    }
    expect(worst).toBeLessThan(1e-4);
    await trainer.close();
  });
});
