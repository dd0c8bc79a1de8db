import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig, type Config } from '../base/config.js';
import { readJsonl } from '../base/jsonl.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import { Random } from '../base/random.js';
import { Completion, Prompt, SftRecord } from '../base/records.js';
import { CompiledSpecs } from '../align/compiled-specs.js';
import { Rollout } from '../align/rollouts.js';
import { loadSpec } from '../align/spec/parse.js';
import type { Spec } from '../align/spec/types.js';
import { createScriptedWorkbench, type ScriptedWorkbench } from '../engines/scripted.js';
import { loadPrompts } from '../prompts/load.js';
import { runStages, type RunOptions } from './run.js';

const specFolder = path.join(packageRoot, 'spec');
let spec: Spec;
let prompts: Prompt[];
let home: string;
/** One whole run that several tests look at. */
let whole: { root: string; bench: ScriptedWorkbench };

const settings = {
  prompts: { train: 24, ordinary: 6, validation: 8 },
  generate: { samples: 2, maxTokens: 400 },
  judge: { maxTokens: 400 },
  filter: { threshold: 0.5 },
  sft: { batchSize: 4, epochs: 3, checkpointEvery: 2 },
  rl: { steps: 4, promptsPerStep: 3, samplesPerPrompt: 4, maxTokens: 400, validateEvery: 2, checkpointEvery: 1 },
  eval: { plain: 2, jailbroken: 1, techniques: 3, maxTokens: 400 },
};
const config = (over: object = {}): Config => parseConfig({ ...settings, ...over }, 'test');

const start = (root: string, over: Partial<RunOptions> = {}) =>
  runStages({ root, config: config(), spec, prompts, bench: createScriptedWorkbench(), progress: silent, codeVersion: 'test', ...over });

beforeAll(async () => {
  spec = await loadSpec(specFolder);
  prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-run-'));
  whole = { root: path.join(home, 'whole'), bench: createScriptedWorkbench() };
  await start(whole.root, { bench: whole.bench });
}, 240_000);
afterAll(() => rm(home, { recursive: true, force: true }));

/** Contents of every file, times left out; lines of append-only files in sorted order. */
async function contents(root: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const names = (await readdir(root, { recursive: true })).sort();
  for (const name of names) {
    const file = path.join(root, name);
    if (!(await stat(file)).isFile()) continue;
    const text = (await readFile(file, 'utf8')).replace(/"seconds":[\d.e-]+/g, '"seconds":0');
    files[name] = name.endsWith('.jsonl') ? text.split('\n').sort().join('\n') : text;
  }
  return files;
}

describe('a whole run', () => {
  it('leaves every file of the run folder, and a report', async () => {
    const files = await readdir(whole.root, { recursive: true });
    for (const file of [
      'run.yaml',
      'prompts.jsonl',
      'completions.jsonl',
      'judgements.jsonl',
      'sft.jsonl',
      'funnel.json',
      'scorecard.json',
      'scorecard.csv',
      'report.html',
    ])
      expect(files).toContain(file);
    for (const arm of ['base', 'base+spec', 'answer-only', 'sft', 'sft+rl'])
      expect(files).toContain(path.join('arms', arm, 'evals', 'forbidden-plain.jsonl'));
    expect(files.filter((file) => /checkpoint-|candidate-|\.lock|\.writer|\.new$/.test(file))).toEqual([]);
  });

  it('keeps the specification out of what is learnt and of what the policy is asked', async () => {
    const records = await readJsonl(path.join(whole.root, 'sft.jsonl'), SftRecord);
    const asked = new Map((await readJsonl(path.join(whole.root, 'prompts.jsonl'), Prompt)).map((prompt) => [prompt.id, prompt]));
    expect(records.length).toBeGreaterThan(10);
    for (const record of records) expect(record.messages).toEqual(asked.get(record.promptId)?.messages);

    // Every line of every compiled specification, but for short headings.
    const specs = new CompiledSpecs(spec, { maxTokens: 1000, countTokens: (text) => Math.ceil(text.length / 4) });
    const lines = new Set(
      ['none', ...spec.categories.map(({ name }) => name)]
        .flatMap((category) => specs.text(category).split('\n'))
        .filter((line) => line.length > 30),
    );
    const holdsSpec = (text: string) => [...lines].some((line) => text.includes(line));
    expect(holdsSpec(specs.text('violence'))).toBe(true);
    expect(records.flatMap(({ messages }) => messages).filter(({ content }) => holdsSpec(content))).toEqual([]);
    expect(whole.bench.sampled.length).toBeGreaterThan(5);
    expect(whole.bench.sampled.flat().filter(({ content }) => holdsSpec(content))).toEqual([]);
    // The policy's own chats are validations; tuned arms are asked in evaluation.
    const policyChats = whole.bench.chats.filter(({ model }) => model !== 'base');
    expect(policyChats.length).toBeGreaterThan(5);
    expect(policyChats.flatMap(({ messages }) => messages).filter(({ content }) => holdsSpec(content))).toEqual([]);
  });

  it('keeps the chain of thought from the judge in RL', async () => {
    const rollouts = await readJsonl(path.join(whole.root, 'arms', 'sft+rl', 'rl', 'rollouts.jsonl'), Rollout);
    const judged = rollouts.filter(({ judgeRequest }) => judgeRequest !== null);
    expect(judged.length).toBeGreaterThan(5);
    for (const { cot, judgeRequest, judgeRuns } of judged) {
      expect(cot).toBeTruthy();
      expect(judgeRuns.length).toBeGreaterThan(0);
      expect(Object.keys(judgeRequest!).sort()).toEqual(['answer', 'category', 'messages']);
      expect(JSON.stringify(judgeRequest)).not.toContain(JSON.stringify(cot).slice(1, -1));
    }
  });

  it('keeps every RL chain of thought out of the requests that the judge model received', async () => {
    const root = path.join(home, 'rl-only');
    await cp(whole.root, root, { recursive: true });
    const bench = createScriptedWorkbench();
    // A marker in every CoT that the policy samples; the judge's own readings do not have it.
    const { sample } = bench.trainer;
    bench.trainer.sample = async (request) =>
      (await sample(request)).map((sequence) => {
        const text = bench.trainer.renderer.decode(sequence.tokens).replace('<think>\n', '<think>\nCOT-MARKER ');
        const tokens = bench.trainer.renderer.completionTokens(text);
        return { ...sequence, tokens, logprobs: tokens.map((token) => -((token % 7) + 1) / 50) };
      });
    await start(root, { bench, stages: ['rl'], redo: 'rl' });
    const rollouts = await readJsonl(path.join(root, 'arms', 'sft+rl', 'rl', 'rollouts.jsonl'), Rollout);
    expect(rollouts.filter(({ cot, outcome }) => outcome === 'judged' && cot?.includes('COT-MARKER')).length).toBeGreaterThan(5);
    const toJudge = bench.chats.filter(({ model }) => model === 'base');
    expect(toJudge.some(({ messages }) => messages.at(-1)?.content.endsWith('Grade: '))).toBe(true);
    expect(JSON.stringify(toJudge)).not.toContain('COT-MARKER');
  });

  it('trains the answer-only arm on answers alone', () => {
    const texts = whole.bench.trained;
    expect(texts.some((text) => text.includes('</think>'))).toBe(true);
    expect(texts.some((text) => !text.includes('think>'))).toBe(true);
  });

  it('does nothing a second time', async () => {
    const bench = createScriptedWorkbench();
    const before = await contents(whole.root);
    await start(whole.root, { bench });
    expect(bench.chats).toEqual([]);
    expect(bench.trained).toEqual([]);
    expect(await contents(whole.root)).toEqual(before);
  });
});

describe('a run that is broken off', () => {
  it('gives the same files wherever it was stopped', async () => {
    let total = 0;
    const counting = createScriptedWorkbench({ onCall: (call) => (total = call) });
    await start(path.join(home, 'counted'), { bench: counting });
    const expected = await contents(path.join(home, 'counted'));
    const random = new Random('stops');
    for (let round = 0; round < 4; round++) {
      const root = path.join(home, `stopped-${round}`);
      // Several stops in each: the later ones hit what the earlier ones left.
      for (let stops = 0; stops < 2; stops++) {
        const controller = new AbortController();
        const at = 1 + random.integer(Math.ceil(total / 2));
        const bench = createScriptedWorkbench({ onCall: (call) => call === at && controller.abort() });
        await start(root, { bench, signal: controller.signal }).catch((error: Error) => expect(error.name).toBe('AbortError'));
      }
      await start(root);
      expect(await contents(root)).toEqual(expected);
    }
  }, 300_000);

  it('goes on after a torn last line', async () => {
    const root = path.join(home, 'torn');
    await cp(whole.root, root, { recursive: true });
    const file = path.join(root, 'completions.jsonl');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.slice(0, -40));
    const bench = createScriptedWorkbench();
    await start(root, { bench });
    expect(bench.chats.length).toBeGreaterThan(0);
    expect((await readFile(file, 'utf8')).split('\n').sort()).toEqual(text.split('\n').sort());
  });
});

describe('a folder that is not to be touched', () => {
  it('refuses a second writer', async () => {
    const root = path.join(home, 'two');
    const seconds: Promise<unknown>[] = [];
    const bench = createScriptedWorkbench({
      onCall: (call) => {
        if (call === 1) seconds.push(start(root).catch((error: Error) => error.message));
      },
    });
    await start(root, { bench, stages: ['generate'] });
    expect(await Promise.all(seconds)).toEqual([expect.stringMatching(/another process .* is writing this run/)]);
  });

  it('refuses other settings, and says which', async () => {
    await expect(start(whole.root, { config: config({ sft: { ...settings.sft, epochs: 5 } }) })).rejects.toThrow(
      /sft\.epochs was 3 and is now 5.*--redo sft/s,
    );
    await expect(start(whole.root, { config: config({ seed: 7 }) })).rejects.toThrow(/seed was 0 and is now 7/);
  });

  it('makes a stage and all after it anew when told to', async () => {
    const root = path.join(home, 'redo');
    await cp(whole.root, root, { recursive: true });
    const bench = createScriptedWorkbench();
    await start(root, { bench, config: config({ sft: { ...settings.sft, epochs: 1 } }), redo: 'sft' });
    expect(bench.trained.length).toBeGreaterThan(0);
    const before = await readFile(path.join(whole.root, 'completions.jsonl'), 'utf8');
    expect(await readFile(path.join(root, 'completions.jsonl'), 'utf8')).toBe(before);
  });

  it('says what is missing when a stage is asked for too early', async () => {
    await expect(start(path.join(home, 'early'), { stages: ['judge'] })).rejects.toThrow(
      /judge needs what generate makes.*deliberate generate/s,
    );
    await expect(start(path.join(home, 'early'), { stages: ['rl'] })).rejects.toThrow(/deliberate sft/);
    await expect(
      start(path.join(home, 'early'), { stages: ['eval'], config: config({ eval: { ...settings.eval, arms: ['sft'] } }) }),
    ).rejects.toThrow(/sft has not been trained/);
  });
});

describe('an edited specification', () => {
  it('makes the completions of one category anew when one of its clauses changes', async () => {
    const root = path.join(home, 'edited');
    await cp(whole.root, root, { recursive: true });
    const edited = structuredClone(spec);
    const violence = edited.categories.find(({ name }) => name === 'violence')!;
    violence.clauses[0]!.text += ' In all cases.';
    const said: string[] = [];
    await start(root, { spec: edited, stages: ['generate'], progress: { ...silent, say: (line) => said.push(line) } });
    expect(said.join('\n')).toContain('changed for violence');
    const all = new Map((await readJsonl(path.join(root, 'prompts.jsonl'), Prompt)).map((prompt) => [prompt.id, prompt]));
    const before = new Set((await readJsonl(path.join(whole.root, 'completions.jsonl'), Completion)).map(({ id }) => id));
    const made = (await readJsonl(path.join(root, 'completions.jsonl'), Completion)).filter(({ id }) => !before.has(id));
    expect(made.length).toBeGreaterThan(0);
    expect(new Set(made.map(({ promptId }) => all.get(promptId)?.category))).toEqual(new Set(['violence']));
  });
});
