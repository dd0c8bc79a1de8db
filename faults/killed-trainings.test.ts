/**
 * Trainings that die at every single operation on the disk. In one process, so that all of them can be tried: from an operation on,
 * itself done by half, the disk does nothing more for the training that dies. `npm run faults` kills processes.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseConfig } from '../src/base/config.js';
import { readJsonl } from '../src/base/jsonl.js';
import { packageRoot } from '../src/base/package-root.js';
import { silent } from '../src/base/progress.js';
import { Random } from '../src/base/random.js';
import { SftRecord, type Prompt } from '../src/base/records.js';
import { RunPaths } from '../src/base/run-folder.js';
import { specsOf } from '../src/align/compiled-specs.js';
import { prepare, type PreparedPrompts } from '../src/align/prepare.js';
import { trainRl } from '../src/align/rl.js';
import { trainSft } from '../src/align/sft.js';
import { loadSpec } from '../src/align/spec/parse.js';
import type { Spec } from '../src/align/spec/types.js';
import { categoryOf, type StageContext } from '../src/align/stage.js';
import { finishedKey } from '../src/align/training-folder.js';
import { runStages } from '../src/cli/run.js';
import { createScriptedWorkbench } from '../src/engines/scripted.js';
import { loadPrompts } from '../src/prompts/load.js';
import { contentsOf, differences } from './scripted-run.js';
import { watchDisk } from './watched-disk.js';

interface Life {
  operations: number;
  /** The operation at which it dies. */
  until: number;
}
const lives = new AsyncLocalStorage<Life>();

const settings = {
  prompts: { train: 10, ordinary: 3, validation: 3 },
  generate: { samples: 2, maxTokens: 400 },
  filter: { threshold: 0.5 },
  sft: { batchSize: 4, epochs: 1, checkpointEvery: 1 },
  rl: { steps: 3, promptsPerStep: 1, samplesPerPrompt: 2, maxTokens: 400, validateEvery: 1, checkpointEvery: 1 },
};

let home: string;
let spec: Spec;
let prompts: Prompt[];
let prepared: PreparedPrompts;
let records: SftRecord[];
let unwatch: () => void;

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-trainings-'));
  spec = await loadSpec(path.join(packageRoot, 'spec'));
  prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
  const root = path.join(home, 'data');
  const stages = ['generate', 'judge', 'filter', 'sft'] as const;
  const config = parseConfig(settings, 'test');
  await runStages({ root, config, spec, prompts, bench: createScriptedWorkbench(), progress: silent, codeVersion: 'test', stages });
  records = await readJsonl(new RunPaths(root).sftRecords(), SftRecord);
  prepared = await prepare(contextOf(root), prompts);
  unwatch = await watchDisk((half) => {
    const life = lives.getStore();
    if (life === undefined || ++life.operations < life.until) return;
    if (life.operations === life.until) half();
    throw new Error('dead');
  });
});
afterAll(async () => {
  unwatch();
  await rm(home, { recursive: true, force: true });
});

function contextOf(root: string, over: object = {}): StageContext {
  const config = parseConfig({ ...settings, ...over }, 'test');
  const bench = createScriptedWorkbench();
  return { paths: new RunPaths(root), config, specs: specsOf(spec, config, bench), bench, progress: silent };
}

const right = { refuse: "I'm sorry, but I can't help with that.", comply: 'Here is how it is done: look at it, then do it.' };

/** Validations go well after a chosen step, and badly else. */
function bestAt(best: number, context: StageContext): StageContext {
  let step = 0;
  const ideals = new Map(prepared.validation.map(({ messages, ideal }) => [JSON.stringify(messages), ideal]));
  context.bench.trainer.policy.chat = ({ messages }) => {
    const ideal = ideals.get(JSON.stringify(messages));
    const answer = step === best && (ideal === 'refuse' || ideal === 'comply') ? right[ideal] : '';
    const text = `<think>\nThe user asks.\n</think>\n${answer}`;
    return Promise.resolve({ choices: [{ text, stopReason: 'stop', tokens: 1 }], usage: { promptTokens: 0, completionTokens: 1 } });
  };
  // The first validation comes before the task, the others before their step is counted.
  const task = () => {
    step = 1;
    return { advance: (steps = 1) => void (step += steps), done: () => undefined };
  };
  return { ...context, progress: { task, say: () => undefined } };
}

type Train = (root: string) => Promise<unknown>;

const sft: Train = (root) => trainSft(contextOf(root), 'sft', records);

/** RL whose best policy is that of a chosen step. */
const rl =
  (best: number, over: object = {}): Train =>
  (root) => {
    const context = bestAt(best, contextOf(root, { rl: { ...settings.rl, ...over } }));
    const start = { folder: new RunPaths(path.join(home, 'data')).adapter('sft', 'sft'), key: 'start' };
    const ordinary = prepared.ordinary.map((prompt) => ({ ...prompt, category: categoryOf(prompt) }));
    return trainRl(context, { start, train: prepared.train, ordinary, validation: prepared.validation });
  };

/** @returns whether it died */
async function dies(until: number, train: Train, root: string): Promise<boolean> {
  const life = { operations: 0, until };
  await lives
    .run(life, () => train(root))
    .catch((error: unknown) => {
      if (life.operations < until) throw error;
    });
  return life.operations >= until;
}

/** Dies at each operation in turn, every second time once more soon after, then goes on. @returns operations, and what was wrong */
async function dieAtEach(
  name: string,
  train: Train,
  before?: string,
): Promise<{ operations: number; wrong: string[]; expected: Map<string, string> }> {
  const folder = (n: number | string) => path.join(home, name, String(n));
  const begun = async (n: number | string) => {
    if (before !== undefined) await cp(before, folder(n), { recursive: true });
    return folder(n);
  };
  const whole = await begun('whole');
  await train(whole);
  const expected = await contentsOf(whole);
  const wrong: string[] = [];
  const random = new Random(name);
  for (let n = 1; ; n++) {
    const root = await begun(n);
    if (!(await dies(n, train, root))) return { operations: n - 1, wrong, expected };
    const again = n % 2 === 0 ? 1 + random.integer(8) : null;
    if (again !== null) await dies(again, train, root);
    await train(root);
    const { differ } = differences(expected, await contentsOf(root));
    if (differ.length > 0) wrong.push(`at operation ${n}${again === null ? '' : ` and ${again}`}: ${differ.join('; ')}`);
    await rm(root, { recursive: true });
  }
}

it('supervised fine-tuning goes on from every operation', { timeout: 300_000 }, async () => {
  const { operations, wrong, expected } = await dieAtEach('sft', sft);
  expect(wrong).toEqual([]);
  expect(operations).toBeGreaterThan(30);
  expect([...expected.keys()].sort()).toEqual(
    ['adapter/scripted.json', 'metrics.jsonl', 'specification.json', 'training.json'].map((name) => path.join('arms', 'sft', 'sft', name)),
  );
});

it.each([0, 2, 3])('RL whose best policy is that of step %i goes on from every operation', { timeout: 300_000 }, async (best) => {
  const { operations, wrong, expected } = await dieAtEach(`rl-${best}`, rl(best));
  expect(wrong).toEqual([]);
  expect(operations).toBeGreaterThan(40);
  const state = [...expected].find(([name]) => name.endsWith('training.json'))?.[1] ?? '';
  expect(JSON.parse(state)).toMatchObject({ step: 3, done: true, best: { step: best } });
  expect([...expected.keys()].filter((name) => /checkpoint|candidate|\.new|previous/.test(name))).toEqual([]);
  expect([...expected.keys()].filter((name) => name.includes('adapter'))).toHaveLength(1);
});

it(
  'a training that is made anew under other settings goes on from every operation, and so does the old one',
  { timeout: 300_000 },
  async () => {
    const old = path.join(home, 'old');
    await rl(2)(old);
    const expected = await contentsOf(old);
    const { operations, wrong } = await dieAtEach('anew', rl(2, { learningRate: 0.5 }), old);
    expect(wrong).toEqual([]);
    // While the old one is removed: then its settings come back.
    for (let n = 1; n <= Math.min(12, operations); n++) {
      const root = path.join(home, 'back', String(n));
      await cp(old, root, { recursive: true });
      await dies(n, rl(2, { learningRate: 0.5 }), root);
      await rl(2)(root);
      expect(differences(expected, await contentsOf(root)).differ).toEqual([]);
    }
  },
);

it('weights without their name are no finished training', async () => {
  const root = path.join(home, 'unnamed');
  await rl(2)(root);
  const training = new RunPaths(root).training('sft+rl', 'rl');
  const { key } = JSON.parse(await readFile(path.join(training, 'training.json'), 'utf8')) as { key: string };
  expect(await finishedKey(training)).toBe(key);
  await rm(path.join(training, 'adapter'), { recursive: true });
  expect(await finishedKey(training)).toBeNull();
});
