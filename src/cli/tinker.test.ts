/** The method's training stages on a Tinker service: the same as on the embedded engine, over a kill as well. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CompiledSpecs } from '../align/compiled-specs.js';
import { trainRl } from '../align/rl.js';
import { trainSft } from '../align/sft.js';
import { loadSpec } from '../align/spec/parse.js';
import type { StageContext } from '../align/stage.js';
import { type Config, parseConfig } from '../base/config.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import type { Prompt, SftRecord } from '../base/records.js';
import { RunPaths } from '../base/run-folder.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { tinyEngine, TinyService } from '../engines/tinker/tiny-service.js';
import type { Workbench } from '../engines/workbench.js';
import { writeSpellingModel } from '../lm/spelling-model.js';
import { openArm } from './arms.js';
import { openWorkbench } from './open-workbench.js';

const records: SftRecord[] = ['a', 'b', 'c'].map((id) => ({
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

let home: string;
let tiny: TinyService;
/** SFT on the embedded engine, to compare with. */
let here: StageContext;
const benches: Workbench[] = [];
/** What happens when the service begins to work on a call. */
let onWork: (call: string) => void = () => undefined;

async function context(name: string, engine: object): Promise<StageContext> {
  const config: Config = parseConfig(
    {
      engine: { model: path.join(home, 'model'), adapter: null, rank: 4, threads: 1, ...engine },
      sft: { epochs: 8, batchSize: 2, learningRate: 0.03, checkpointEvery: 4 },
      rl: { steps: 2, promptsPerStep: 2, samplesPerPrompt: 4, maxTokens: 48, klCoefficient: 0.1, validateEvery: 1, checkpointEvery: 1 },
      generate: { specTokens: 100_000 },
    },
    'test',
  );
  const bench = await openWorkbench({ engine: config.engine, seed: 0, progress: silent });
  benches.push(bench);
  const spec = await loadSpec(path.join(packageRoot, 'spec'));
  const specs = new CompiledSpecs(spec, { maxTokens: 100_000, countTokens: (text) => bench.countTokens(text) });
  return { paths: new RunPaths(path.join(home, name)), config, specs, bench, progress: silent };
}

const metrics = async ({ paths }: StageContext, arm: string, stage: 'sft' | 'rl') =>
  (await readFile(path.join(paths.training(arm, stage), 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number | null>);

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-tinker-run-'));
  const checkpoint = path.join(home, 'model');
  await writeSpellingModel(checkpoint, 'llama-tied');
  const { engine } = await tinyEngine(checkpoint);
  tiny = await new TinyService({ engine, folder: path.join(home, 'service'), onWork: (call) => onWork(call) }).start();
  here = await context('embedded', {});
  await trainSft(here, 'sft', records);
}, 120_000);
afterAll(async () => {
  for (const bench of benches) await bench.close();
  await tiny.kill();
  await rm(home, { recursive: true, force: true });
});

describe('a run on a Tinker service', () => {
  it('learns as on the embedded engine, though the service is killed on the way, then RL goes on from it', async () => {
    const there = await context('tinker', { kind: 'tinker', baseUrl: tiny.url, lossReduction: 'sum' });
    let passes = 0;
    let again: Promise<unknown> = Promise.resolve();
    onWork = (call) => {
      if (call === 'forward_backward' && ++passes === 7) again = tiny.kill().then(() => tiny.start());
    };
    const key = await trainSft(there, 'sft', records);
    await again;
    const [ours, theirs] = [await metrics(here, 'sft', 'sft'), await metrics(there, 'sft', 'sft')];
    expect(theirs.map(({ step }) => step)).toEqual(ours.map(({ step }) => step));
    theirs.forEach((line, i) => {
      expect(line['loss']).toBeCloseTo(ours[i]!['loss']!, 3);
      expect(line['gradNorm']).toBeCloseTo(ours[i]!['gradNorm']!, 2);
    });
    expect(theirs.at(-1)!['loss']).toBeLessThan(theirs[0]!['loss']!);
    expect(passes).toBeGreaterThan(theirs.length);

    tiny.tellsNorm = false;
    // The random base cannot judge; a judge whose grades differ from answer to answer stands in.
    const judge = createScriptedWorkbench();
    let asked = 0;
    const base = async () => ({ ...(await judge.base()), choiceLogprobs: async () => [0, 0, 0, 0, (asked++ % 3) * 4] });
    await trainRl(
      { ...there, bench: { ...there.bench, base } },
      { start: { folder: there.paths.adapter('sft', 'sft'), key }, train: prompts, ordinary: [], validation: prompts.slice(0, 2) },
    );
    const [, ...lines] = await metrics(there, 'sft+rl', 'rl');
    expect(lines.map(({ step }) => step)).toEqual([1, 2]);
    for (const line of lines) if (line['loss'] !== 0) expect(line['samplerGap']).toBeLessThan(1e-3);
    expect(lines.some(({ gradNorm }) => gradNorm === null)).toBe(true);
    const arm = await openArm(there, 'sft+rl');
    expect((await arm.model.chat({ messages: prompts[0]!.messages, maxTokens: 8, temperature: 0 })).choices[0]!.tokens).toBeGreaterThan(0);
    expect(tiny.stale).toBe(0);

    // The adapter is PEFT: the embedded engine speaks with it as the service does.
    const request = { messages: prompts[0]!.messages, maxTokens: 16, temperature: 0 };
    const tuned = await here.bench.tuned(there.paths.adapter('sft', 'sft'));
    const served = await there.bench.tuned(there.paths.adapter('sft', 'sft'));
    expect((await tuned.chat(request)).choices[0]!.text).toBe((await served.chat(request)).choices[0]!.text);
  }, 120_000);

  it('goes on from its checkpoint when the command was stopped', async () => {
    const whole = await metrics(here, 'sft', 'sft');
    const stopped = await context('stopped', { kind: 'tinker', baseUrl: tiny.url, lossReduction: 'sum' });
    const controller = new AbortController();
    let steps = 0;
    const stopping = {
      ...silent,
      task: () => ({ advance: (items = 1) => void ((steps += items) >= 6 && controller.abort(new Error('stop'))), done: () => undefined }),
    };
    await expect(trainSft({ ...stopped, progress: stopping, signal: controller.signal }, 'sft', records)).rejects.toThrow('stop');
    // Another process: it knows of the service what the folder says.
    const resumed = await context('stopped', { kind: 'tinker', baseUrl: tiny.url, lossReduction: 'sum' });
    await trainSft(resumed, 'sft', records);
    const lines = await metrics(resumed, 'sft', 'sft');
    expect(lines.map(({ step }) => step)).toEqual(whole.map(({ step }) => step));
    lines.forEach((line, i) => expect(line).toMatchObject({ loss: expect.closeTo(whole[i]!['loss']!, 3) as number, gradNorm: null }));
  }, 120_000);
});
