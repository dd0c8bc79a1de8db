/** The method's training stages on the embedded engine, with a tiny random model: what the scripted engine cannot show. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../base/config.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import type { Prompt, SftRecord } from '../base/records.js';
import { RunPaths } from '../base/run-folder.js';
import { CompiledSpecs } from '../align/compiled-specs.js';
import { trainRl } from '../align/rl.js';
import { trainSft } from '../align/sft.js';
import { loadSpec } from '../align/spec/parse.js';
import type { StageContext } from '../align/stage.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import type { Workbench } from '../engines/workbench.js';
import { readAdapter } from '../lm/peft.js';
import { writeSpellingModel } from '../lm/spelling-model.js';
import { openArm } from './arms.js';
import { openWorkbench } from './open-workbench.js';

let home: string;
let bench: Workbench;
let context: StageContext;

const records: SftRecord[] = ['a', 'b', 'c', 'd', 'e'].map((id) => ({
  id,
  promptId: id,
  messages: [{ role: 'user', content: `Say ${id}.` }],
  cot: 'So.',
  answer: `Is ${id}.`,
}));
const prompts: Prompt[] = records.map(({ id, messages }) => ({
  id,
  messages,
  category: 'violence',
  ideal: 'comply',
  request: id,
  technique: 'none',
  tags: [],
  source: 'test',
}));

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-tiny-'));
  const model = path.join(home, 'model');
  await writeSpellingModel(model, 'llama-tied', []);
  const config = parseConfig(
    {
      engine: { model, adapter: null, rank: 4, alpha: 8, threads: 1 },
      sft: { epochs: 40, batchSize: 5, learningRate: 0.03, checkpointEvery: 15 },
      rl: { steps: 2, promptsPerStep: 2, samplesPerPrompt: 6, maxTokens: 64, klCoefficient: 0.1, validateEvery: 1, checkpointEvery: 1 },
      generate: { specTokens: 100_000 },
    },
    'test',
  );
  bench = await openWorkbench({ engine: config.engine, seed: 0, progress: silent });
  const specs = new CompiledSpecs(await loadSpec(path.join(packageRoot, 'spec')), {
    maxTokens: 100_000,
    countTokens: (text) => bench.countTokens(text),
  });
  context = { paths: new RunPaths(path.join(home, 'run')), config, specs, bench, progress: silent };
}, 60_000);
afterAll(async () => {
  await bench?.close();
  await rm(home, { recursive: true, force: true });
});

const metrics = async (arm: string, stage: 'sft' | 'rl') =>
  (await readFile(path.join(context.paths.training(arm, stage), 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>);

describe('the embedded workbench', () => {
  it('learns in SFT, and goes on from a checkpoint as if it had not stopped', async () => {
    await trainSft(context, 'sft', records);
    const whole = await metrics('sft', 'sft');
    expect(whole.at(-1)!['loss']).toBeLessThan(whole[0]!['loss']! * 0.9);

    const controller = new AbortController();
    const stopped = { ...context, paths: new RunPaths(path.join(home, 'stopped')) };
    let steps = 0;
    const stopping = {
      ...silent,
      task: () => ({ advance: (items = 1) => void ((steps += items) >= 20 && controller.abort(new Error('stop'))), done: () => undefined }),
    };
    await expect(trainSft({ ...stopped, progress: stopping, signal: controller.signal }, 'sft', records)).rejects.toThrow('stop');
    await trainSft(stopped, 'sft', records);
    const again = (await readFile(path.join(stopped.paths.training('sft', 'sft'), 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, number>);
    expect(again.map(({ step }) => step)).toEqual(whole.map(({ step }) => step));
    again.forEach((line, i) => expect(line['loss']).toBeCloseTo(whole[i]!['loss']!, 4));
  }, 60_000);

  it('starts RL from the SFT adapter, and ends with an adapter that an arm can be opened on', async () => {
    const key = await trainSft(context, 'sft', records);
    // The random base cannot judge; a judge whose grades differ from answer to answer stands in.
    const judge = createScriptedWorkbench();
    let asked = 0;
    const base = async () => ({ ...(await judge.base()), choiceLogprobs: async () => [0, 0, 0, 0, (asked++ % 3) * 4] });
    await trainRl(
      { ...context, bench: { ...bench, base } },
      { start: { folder: context.paths.adapter('sft', 'sft'), key }, train: prompts, ordinary: [], validation: prompts.slice(0, 2) },
    );
    const [validated, ...lines] = await metrics('sft+rl', 'rl');
    // The curve of validation begins with the SFT policy.
    expect(validated).toMatchObject({ step: 0, validationScore: expect.any(Number) });
    expect(lines.map(({ step }) => step)).toEqual([1, 2]);
    expect(asked).toBeGreaterThan(3);
    for (const line of lines) {
      expect(line['gradNorm']).toBeGreaterThan(0);
      expect(line['samplerGap']).toBeGreaterThan(0);
      expect(line['samplerGap']).toBeLessThan(1e-3);
    }
    expect(lines[0]!['kl']).toBeCloseTo(0, 4);
    expect(lines[1]!['kl']).toBeGreaterThan(1e-4);
    const arm = await openArm(context, 'sft+rl');
    const { choices } = await arm.model.chat({ messages: records[0]!.messages, maxTokens: 8, temperature: 0 });
    expect(choices[0]!.tokens).toBeGreaterThan(0);
    await expect(openArm(context, 'answer-only')).rejects.toThrow('has not been trained');
  }, 60_000);

  it('trains the layers that the settings name, upon an adapter of all seven', async () => {
    const folder = (name: string) => path.join(home, name);
    await bench.resetPolicy();
    const datum = { tokens: [5, 6, 7], targets: [6, 7, 8], weights: [1, 1, 1] };
    const step = async (one: Workbench) => {
      await one.trainer.forwardBackward([datum], 'cross_entropy');
      await one.trainer.optimStep({ learningRate: 0.1 });
    };
    await step(bench);
    await bench.trainer.save(folder('reader'));
    const engine = { ...context.config.engine, adapter: folder('reader'), targets: ['q_proj' as const, 'down_proj' as const] };
    const some = await openWorkbench({ engine, seed: 0, progress: silent });
    try {
      await step(some);
      await some.trainer.save(folder('some'));
      expect((await some.trainer.forward([datum])).logprobs).toEqual(await some.logprobs!(folder('some'), [datum]));
    } finally {
      await some.close();
    }
    const [before, after] = await Promise.all([readAdapter(folder('reader')), readAdapter(folder('some'))]);
    expect(after.targets.toSorted()).toEqual(before.targets.toSorted());
    expect(after.targets).toHaveLength(7);
    const changed = [...after.tensors].filter(([site, { B }]) => !B.every((value, i) => value === before.tensors.get(site)?.B[i]));
    expect(new Set(changed.map(([site]) => site.split('.').at(-1)))).toEqual(new Set(['q_proj', 'down_proj']));
    // Without that adapter the graphs have no place for its other layers: that is said with the setting's name.
    const few = await openWorkbench({ engine: { ...engine, adapter: null }, seed: 0, progress: silent });
    try {
      await expect(few.tuned(folder('reader'))).rejects.toThrow(
        /adapts layers\.0\.self_attn\.k_proj\.A, .*Add k_proj to engine\.targets\./,
      );
    } finally {
      await few.close();
    }
  }, 60_000);

  it('tells a saved adapter from the base', async () => {
    const datum = { tokens: [5, 6, 7], targets: [6, 7, 8], weights: [1, 1, 1] };
    const [tuned] = await bench.logprobs!(context.paths.adapter('sft', 'sft'), [datum]);
    await bench.resetPolicy();
    const base = await bench.trainer.forward([datum]);
    expect(tuned).toHaveLength(3);
    expect(base.logprobs[0]).not.toEqual(tuned);
  }, 60_000);
});
