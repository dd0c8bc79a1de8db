/**
 * Measures one section in a process of its own, so that sections do not share memory: `node ours.js SECTION CHECKPOINT REPEATS MEMORY_GB`.
 * Trainer and sampler are used without the worker thread around them; end tokens do not stop, so that the work is always the same.
 */
import { internalError } from '../src/base/errors.js';
import { openCheckpoint } from '../src/lm/checkpoint.js';
import { Decoder } from '../src/lm/decoder.js';
import { allTargets } from '../src/base/lora-targets.js';
import { freshLora, type LoraParameters } from '../src/lm/lora.js';
import { fixedBytes, readModelParts } from '../src/lm/model-parts.js';
import { Sampler } from '../src/lm/sampler.js';
import { LoraTrainer, type ModelParts } from '../src/lm/trainer.js';
import type { Datum, SampledSequence } from '../src/lm/types.js';
import { lora, type Measurement, randomTokens, resultMark, type Section, sizes } from './workload.js';

const who = 'deliberate';
/** Default settings of the embedded engine. */
const maxRows = 64;

interface Bench {
  parts: ModelParts;
  adapter: LoraParameters;
  repeats: number;
  trainingBytes: number;
}

const now = () => performance.now() / 1000;

/** Seconds of each of `repeats` runs, after one that warms up. */
async function timed(repeats: number, work: (run: number) => Promise<unknown>): Promise<number[]> {
  const seconds: number[] = [];
  for (let run = 0; run <= repeats; run++) {
    const start = now();
    await work(run);
    if (run > 0) seconds.push(now() - start);
  }
  return seconds;
}

/** One optimizer step on 8 × 256 tokens, a loss on every one. */
async function sft({ parts, adapter, repeats, trainingBytes }: Bench): Promise<Measurement[]> {
  const trainer = new LoraTrainer(parts, adapter, trainingBytes);
  const { sequences, length } = sizes.sft;
  const data = Array.from({ length: sequences }, (_, i): Datum => {
    const tokens = randomTokens(length, `sft:${i}`);
    return { tokens: tokens.slice(0, -1), targets: tokens.slice(1), weights: tokens.slice(1).map(() => 1) };
  });
  const seconds = await timed(repeats, async () => {
    await trainer.forwardBackward(data, 'cross_entropy');
    trainer.optimStep({ learningRate: 1e-5 });
  });
  return [{ section: 'sft', who, unit: 'tokens/s', values: seconds.map((s) => (sequences * length) / s) }];
}

/** Decoding alone: the time for many tokens less the time for one, which prefills the same. */
async function decodeSpeed(
  { parts, adapter, repeats }: Bench,
  batch: number,
  prompt: number[],
  sharedPrefix: number,
  newTokens: number,
): Promise<number[]> {
  const sampler = new Sampler(new Decoder(parts), maxRows);
  const run = (maxTokens: number, seed: number) =>
    sampler.sample({ adapter, adapterVersion: 'bench', promptTokens: prompt, sharedPrefix, n: batch, params: { maxTokens, seed } });
  const speeds: number[] = [];
  await run(newTokens + 1, 0);
  for (let repeat = 1; repeat <= repeats; repeat++) {
    const start = now();
    await run(1, repeat);
    const prefilled = now();
    await run(newTokens + 1, repeat);
    speeds.push((batch * newTokens) / (now() - prefilled - (prefilled - start)));
  }
  return speeds;
}

async function decode(bench: Bench): Promise<Measurement[]> {
  const { batches, context, newTokens } = sizes.decode;
  const measurements: Measurement[] = [];
  for (const batch of batches) {
    const values = await decodeSpeed(bench, batch, randomTokens(context, 'decode'), 0, newTokens);
    measurements.push({ section: 'decode', batch, who, unit: 'tokens/s', values });
  }
  return measurements;
}

async function prefix(bench: Bench): Promise<Measurement[]> {
  const { batch, prefix: length, newTokens } = sizes.prefix;
  const values = await decodeSpeed(bench, batch, randomTokens(length + 1, 'prefix'), length, newTokens);
  return [{ section: 'prefix', batch, who, unit: 'tokens/s', values }];
}

/** Rewards need variance within a group and nothing else. */
const reward = ({ tokens }: SampledSequence) => tokens.filter((token) => token % 2 === 0).length / tokens.length;

/** Samples 8 groups of 8, weighs them against their group's mean, takes one importance-sampling step. */
async function grpo({ parts, adapter, repeats, trainingBytes }: Bench): Promise<Measurement[]> {
  const trainer = new LoraTrainer(parts, adapter, trainingBytes);
  const sampler = new Sampler(new Decoder(parts), maxRows);
  const { prompts, promptLength, samples, newTokens } = sizes.grpo;
  const values = await timed(repeats, async (step) => {
    const groups = await Promise.all(
      Array.from({ length: prompts }, async (_, i) => {
        const promptTokens = randomTokens(promptLength, `grpo:${i}`);
        const params = { maxTokens: newTokens, seed: step * prompts + i };
        const sequences = await sampler.sample({
          adapter,
          adapterVersion: `step ${step}`,
          promptTokens,
          sharedPrefix: 0,
          n: samples,
          params,
        });
        return rolloutData(promptTokens, sequences);
      }),
    );
    await trainer.forwardBackward(groups.flat(), 'importance_sampling');
    trainer.optimStep({ learningRate: 1e-6 });
  });
  return [{ section: 'grpo', who, unit: 's', values }];
}

function rolloutData(promptTokens: number[], sequences: readonly SampledSequence[]): Datum[] {
  const rewards = sequences.map(reward);
  const mean = rewards.reduce((sum, value) => sum + value, 0) / rewards.length;
  const before = promptTokens.length - 1;
  return sequences.map((sequence, i) => {
    const all = [...promptTokens, ...sequence.tokens];
    const onCompletion = (value: (t: number) => number) => all.slice(1).map((_, t) => (t < before ? 0 : value(t - before)));
    return {
      tokens: all.slice(0, -1),
      targets: all.slice(1),
      weights: onCompletion(() => 1),
      logprobs: onCompletion((t) => sequence.logprobs[t] as number),
      advantages: onCompletion(() => (rewards[i] as number) - mean),
      sharedPrefix: before,
    };
  });
}

const measures: Record<Section, (bench: Bench) => Promise<Measurement[]>> = { sft, decode, prefix, grpo };

const [section, path, repeats, memoryGb] = process.argv.slice(2);
const measure = measures[section as Section];
if (!measure || path === undefined) throw internalError('ours.js is started by main.js');
const checkpoint = await openCheckpoint(path);
const parts = await readModelParts(checkpoint, { ...lora, targets: allTargets });
await checkpoint.close();
parts.config = { ...parts.config, eosTokens: [] };
const adapter = freshLora(parts.config, parts.lora, 0);
const trainingBytes = Number(memoryGb) * 1e9 - fixedBytes(parts.config);
const measurements = await measure({ parts, adapter, repeats: Number(repeats), trainingBytes });
const peakGb = process.resourceUsage().maxRSS / 1e6;
console.log(resultMark + JSON.stringify(measurements.map((measurement) => ({ ...measurement, peakGb }))));
process.exit(0);
