import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../base/config.js';
import { readJsonl } from '../base/jsonl.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import { Random } from '../base/random.js';
import { Completion, SftRecord, type Prompt } from '../base/records.js';
import { loadSpec } from '../align/spec/parse.js';
import type { Spec } from '../align/spec/types.js';
import { openArm } from './arms.js';
import { suiteSizesOf } from './evaluate-arms.js';
import { runStages } from './run.js';
import { EvalRow } from '../evals/records.js';
import { createScriptedWorkbench, type ScriptedWorkbench } from '../engines/scripted.js';
import { techniques } from '../prompts/jailbreaks/wrap.js';
import { loadPrompts } from '../prompts/load.js';
import { parseStudySettings } from '../studies/config.js';
import { StudyCard } from '../studies/results.js';
import { runStudies, type StudyOptions } from '../studies/run-studies.js';
import { studyNames, type Findings, type StudyName } from '../studies/study.js';

let spec: Spec;
let prompts: Prompt[];
let home: string;
/** One whole study that several tests look at. */
let whole: { root: string; card: StudyCard; bench: ScriptedWorkbench; calls: number };

const config = parseConfig(
  {
    prompts: { train: 24, ordinary: 4, validation: 6 },
    generate: { samples: 2, maxTokens: 400 },
    judge: { maxTokens: 400, runs: 1 },
    filter: { threshold: 0.5, wrappedCopies: 2 },
    sft: { batchSize: 8, epochs: 1, checkpointEvery: 2 },
    rl: { steps: 2, promptsPerStep: 2, samplesPerPrompt: 4, maxTokens: 400, validateEvery: 2, checkpointEvery: 1 },
    eval: { plain: 3, jailbroken: 1, techniques: 3, maxTokens: 400 },
  },
  'test',
);
const settings = parseStudySettings(
  {
    seeds: [0, 1],
    eval: { plain: 2, jailbroken: 1 },
    ood: { encoded: 1 },
    compute: { shorter: [0, 8], longer: [1], bestOf: [2] },
    faithfulness: { prompts: 6 },
    judge: { runs: [1, 2], items: 6, clauses: 3, attacked: 2 },
  },
  'test',
);

const start = (root: string, bench = createScriptedWorkbench(), over: Partial<StudyOptions> = {}) =>
  runStudies({
    root,
    config,
    settings,
    quick: false,
    spec,
    prompts,
    bench,
    progress: silent,
    codeVersion: 'test',
    pipeline: { run: runStages, openArm, suiteSizes: suiteSizesOf },
    ...over,
  });
const found = (card: StudyCard, name: StudyName): Findings => card.studies.find((study) => study.name === name)!.findings;
const timeless = (card: StudyCard) => ({ ...card, studies: card.studies.map((study) => ({ ...study, seconds: 0 })) });

beforeAll(async () => {
  spec = await loadSpec(path.join(packageRoot, 'spec'));
  prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-study-'));
  let calls = 0;
  const bench = createScriptedWorkbench({ onCall: (call) => (calls = call) });
  const root = path.join(home, 'whole');
  const card = await start(root, bench);
  whole = { root, bench, card, calls };
}, 600_000);
afterAll(() => rm(home, { recursive: true, force: true }));

describe('a whole study', () => {
  it('finds something in every study, and leaves a page, JSON and CSV', async () => {
    expect(whole.card.studies.map(({ name }) => name)).toEqual(studyNames);
    const read = (name: string) => readFile(path.join(whole.root, name), 'utf8');
    expect(StudyCard.parse(JSON.parse(await read('study.json')))).toEqual(JSON.parse(JSON.stringify(whole.card)));
    const page = await read('study.html');
    for (const { title } of whole.card.studies) expect(page).toContain(`<h2>${title}</h2>`);
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    const csv = (await read('study.csv')).trim().split('\n');
    expect(csv[0]).toBe('study,table,row,column,estimate,low,high,n,unscored,p,text,wanted,verdict');
    expect(csv.length).toBeGreaterThan(200);
  });

  it('measures every arm over every seed', () => {
    const { tables, figures } = found(whole.card, 'headline');
    expect(tables[0]!.columns).toEqual(['base', 'base+spec', 'answer-only', 'sft', 'sft+rl']);
    const cell = figures['forbidden-plain sft+rl']!;
    expect(cell.estimate).toBeGreaterThanOrEqual(cell.low!);
    expect(cell.estimate).toBeLessThanOrEqual(cell.high!);
    expect(cell.unscored).toBe(0);
    expect(figures['over-refusal sft+rl − answer-only']!.p).toBeGreaterThan(0);
    // The scripted engine says the same of every text, so no arm has lost anything.
    expect(figures['nll ratio sft+rl']!.estimate).toBeCloseTo(1, 10);
  });

  it('says of every target whether it was met', () => {
    expect(whole.card.targets.filter(({ met }) => met === null).map(({ name, against }) => `${name} / ${against}`)).toEqual([]);
  });

  it('makes data once: a training on less of it generates nothing', async () => {
    const first = new Set((await readJsonl(path.join(whole.root, 'seed-0', 'completions.jsonl'), Completion)).map(({ id }) => id));
    for (const variant of ['ood/without-category', 'ablation/without-judge']) {
      const own = await readJsonl(path.join(whole.root, variant, 'completions.jsonl'), Completion);
      expect(own.length).toBeGreaterThan(10);
      expect(own.filter(({ id }) => !first.has(id))).toEqual([]);
    }
    const bare = await readJsonl(path.join(whole.root, 'ablation', 'without-summaries', 'completions.jsonl'), Completion);
    expect(bare.filter(({ id }) => first.has(id))).toEqual([]);
  });

  it('learns from the category no more once it is left out', async () => {
    const asked = new Map(prompts.map(({ id, category }) => [id, category]));
    const { tables } = found(whole.card, 'ood');
    const category = /The category left out is ([\w-]+)\./.exec(tables[0]!.note!)![1];
    const own = await readJsonl(path.join(whole.root, 'ood', 'without-category', 'completions.jsonl'), Completion);
    expect(own.some(({ promptId }) => asked.has(promptId))).toBe(true);
    expect(own.filter(({ promptId }) => asked.get(promptId) === category)).toEqual([]);
  });

  it('puts no copies behind wrappers of the families that a training leaves out', async () => {
    const familiesIn = async (name: string) => {
      const records = await readJsonl(path.join(whole.root, 'ood', name, 'sft.jsonl'), SftRecord);
      return new Set(records.map(({ technique }) => techniques.get(technique ?? 'none')?.family ?? 'none'));
    };
    // Otherwise the next two lines could not fail.
    expect([...(await familiesIn('without-category'))]).toEqual(expect.arrayContaining(['persona', 'prefix']));
    const left = await familiesIn('without-families');
    expect(left.size).toBeGreaterThan(1);
    expect([...left].filter((family) => settings.ood.families.includes(family))).toEqual([]);
    expect([...(await familiesIn('plain-only'))]).toEqual(['none']);
  });

  it('trains the answer-only baseline without the category as well', () => {
    const { tables, figures } = found(whole.card, 'ood');
    expect(tables[0]!.columns.filter((column) => column.includes('without'))).toHaveLength(3);
    expect(Object.keys(figures).filter((name) => name.startsWith('accuracy answer-only without '))).toHaveLength(1);
    expect(tables[1]!.rows[0]!.cells.map((cell) => cell!.p)).toEqual([expect.any(Number), expect.any(Number)]);
  });

  it('passes over a study that cannot be done, and says so at the end', async () => {
    const root = path.join(home, 'unable');
    const said: string[] = [];
    const asked = start(root, createScriptedWorkbench(), {
      settings: { ...settings, seeds: [0], policyChange: { clause: 'ZZ99' } },
      only: ['policy-change', 'faithfulness'],
      progress: { ...silent, say: (line) => said.push(line) },
    });
    await expect(asked).rejects.toThrow(/no clause ZZ99/);
    expect(said.some((line) => /A change of policy: not done\. .*ZZ99/.test(line))).toBe(true);
    const card = StudyCard.parse(JSON.parse(await readFile(path.join(root, 'study.json'), 'utf8')));
    expect(card.studies.map(({ name }) => name)).toEqual(['faithfulness']);
  });

  it('makes only the category of an edited clause again', () => {
    const { figures, notes } = found(whole.card, 'policy-change');
    expect(notes[0]).toMatch(/was comply and became refuse/);
    expect(figures['completions made again']!.estimate).toBeGreaterThan(0);
    expect(figures['completions made again']!.estimate).toBeLessThan(1);
    expect(figures['completions of other categories made again']!.estimate).toBe(0);
  });

  it('swaps decisions: the scripted model says what the chain of thought decides', () => {
    const { figures } = found(whole.card, 'faithfulness');
    expect(figures['decision line swapped sft+rl']!.estimate).toBe(1);
    expect(figures['nothing changed sft+rl']!.estimate).toBe(1);
    expect(figures['CoT cites a clause that does not exist sft+rl']!.estimate).toBe(0);
  });

  it('calibrates the judge at each k, and attacks it', () => {
    const { tables, figures } = found(whole.card, 'judge');
    expect(tables[0]!.rows.map(({ label }) => label)).toEqual(['k = 1, minimum', 'k = 1, mean', 'k = 2, minimum', 'k = 2, mean']);
    expect(figures['accuracy k=1 minimum']).toEqual(figures['accuracy k=1 mean']);
    expect(figures['verdicts moved, judge of the run']!.n).toBeGreaterThan(5);
    expect(Object.keys(figures)).toContain('verdict turns, refusal');
  });

  it('asks the sets that a run does not ask, on the arms that matter', async () => {
    const { tables, figures, notes } = found(whole.card, 'suites');
    expect(tables[0]!.columns).toEqual(['base', 'answer-only', 'sft', 'sft+rl']);
    expect(tables[0]!.rows.map(({ label }) => label)).toEqual([
      'Escalation over turns: not complied with',
      'Escalation over turns, benign: answered (not over-refused)',
      'Orders in tool results: answers, and does not obey the order',
      'Tool results without orders: answered (not over-refused)',
      'Other languages: not complied with',
      'Other languages, benign: answered (not over-refused)',
      'Harm inside CoTs: no harm in answer or CoT',
    ]);
    expect(figures['multilingual sft+rl']).toMatchObject({ n: 2, unscored: 0, low: expect.any(Number), high: expect.any(Number) });
    // Without a CoT the answer decides, and how often that was stands among the classes.
    expect(figures['harm-in-cot answer-only']).toMatchObject({ n: 2, unscored: 0 });
    expect(tables[1]!.columns).toEqual(['answer-only', 'sft', 'sft+rl']);
    expect(tables[2]!.rows.map(({ label }) => label)).toEqual(
      expect.arrayContaining(['Harm inside CoTs: both safe', 'Harm inside CoTs: safe answer without a CoT']),
    );
    expect(notes[0]).toMatch(/published rules/);
    const rows = await readJsonl(path.join(whole.root, 'suites', 'evals', 'sft', 'multilingual.jsonl'), EvalRow);
    expect(rows).toHaveLength(14);
  });

  it('does nothing a second time', async () => {
    const bench = createScriptedWorkbench();
    const before = await readFile(path.join(whole.root, 'study.json'), 'utf8');
    await start(whole.root, bench);
    expect(bench.chats).toEqual([]);
    expect(bench.trained).toEqual([]);
    expect(await readFile(path.join(whole.root, 'study.json'), 'utf8')).toBe(before);
  });

  it('runs again what a changed setting touches, and nothing else', async () => {
    const said: string[] = [];
    const changed = { ...settings, faithfulness: { prompts: 4 } };
    const card = await start(whole.root, createScriptedWorkbench(), {
      settings: changed,
      only: ['faithfulness', 'compute'],
      progress: { ...silent, say: (line) => said.push(line) },
    });
    expect(said.filter((line) => line.includes('kept'))).toEqual([expect.stringContaining('Inference-time compute')]);
    expect(card.studies.map(({ name }) => name)).toEqual(studyNames);
  });
});

describe('a study that is broken off', () => {
  it('ends with the same findings wherever it was stopped', async () => {
    const root = path.join(home, 'stopped');
    const random = new Random('stops');
    for (let stops = 0; stops < 5; stops++) {
      const controller = new AbortController();
      // What is left gets less with every stop.
      const at = 1 + random.integer(Math.ceil(whole.calls / 4));
      const bench = createScriptedWorkbench({ onCall: (call) => call === at && controller.abort() });
      await start(root, bench, { signal: controller.signal }).catch((error: Error) => expect(error.name).toBe('AbortError'));
    }
    const card = await start(root);
    expect(timeless(card)).toEqual(timeless(whole.card));
    const files = await readdir(root, { recursive: true });
    expect(files.filter((file) => /\.new$|\.lock$|\.writer/.test(file))).toEqual([]);
  }, 600_000);
});

describe('settings of a study', () => {
  it('are refused with the name of the setting', () => {
    expect(() => parseStudySettings({ seeds: [1, 1] }, 'mine.yaml')).toThrow(/mine\.yaml: study\.seeds: a seed stands twice/);
    expect(() => parseStudySettings({ compute: { longer: [-1] } }, 'mine.yaml')).toThrow(/study\.compute\.longer/);
  });

  it('that name no family or clause are refused before anything is trained for them', async () => {
    const ask = (over: object, only: StudyName) =>
      start(whole.root, createScriptedWorkbench(), { settings: parseStudySettings({ seeds: [0], ...over }, 'test'), only: [only] });
    await expect(ask({ ood: { families: ['nonsense'] } }, 'ood')).rejects.toThrow(/nonsense is no family of training jailbreaks/);
    await expect(ask({ policyChange: { clause: 'ZZ99' } }, 'policy-change')).rejects.toThrow(/no clause ZZ99/);
  });
});
