import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig, type Config } from '../base/config.js';
import { readJsonl } from '../base/jsonl.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import { RunPaths } from '../base/run-folder.js';
import { specsOf } from '../align/compiled-specs.js';
import { loadSpec } from '../align/spec/parse.js';
import type { Spec } from '../align/spec/types.js';
import type { StageContext } from '../align/stage.js';
import { createScriptedWorkbench, type ScriptedOptions } from '../engines/scripted.js';
import type { Workbench } from '../engines/workbench.js';
import { EvalRow } from '../evals/records.js';
import { Scorecard } from '../evals/scorecard.js';
import { scriptedChat, type ScriptedChat } from '../evals/scripted-chat.js';
import { setNamed } from '../evals/sets/all-sets.js';
import { storedResults } from '../evals/stored-results.js';
import { loadPrompts } from '../prompts/load.js';
import { evaluateSuite, readChoice, type SuiteChoice } from './evaluate-suite.js';
import { runStages } from './run.js';

let home: string;
let root: string;
let spec: Spec;
let config: Config;
let strongReject: string;

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-suite-'));
  root = path.join(home, 'run');
  spec = await loadSpec(path.join(packageRoot, 'spec'));
  config = parseConfig(
    {
      prompts: { train: 12, ordinary: 4, validation: 4 },
      generate: { samples: 2, maxTokens: 400 },
      filter: { threshold: 0.5 },
      rl: { steps: 0 },
      eval: { arms: ['base', 'sft'], plain: 1, jailbroken: 0, techniques: 1, maxTokens: 400 },
    },
    'test',
  );
  strongReject = path.join(home, 'strongreject.csv');
  await writeFile(
    strongReject,
    'category,source,forbidden_prompt\nPans,made up,Scrub a pan.\nForks,made up,Bend a fork.\nForks,made up,Melt a fork.\n',
  );
  await run();
}, 120_000);
afterAll(() => rm(home, { recursive: true, force: true }));

const run = async (stages?: readonly ['eval']) =>
  runStages({
    root,
    config,
    spec,
    prompts: await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl')),
    bench: createScriptedWorkbench(),
    progress: silent,
    codeVersion: 'test',
    ...(stages && { stages }),
  });

interface Made extends StageContext {
  bench: Workbench & ReturnType<typeof createScriptedWorkbench>;
}
function contextOf(servers: Partial<Record<'judge' | 'attacker', ScriptedChat>> = {}, options: ScriptedOptions = {}): Made {
  const roles = Object.entries(servers).map(([role, model]) => [role, { open: async () => model, digest: role, concurrency: 4 }]);
  const bench = { ...createScriptedWorkbench(options), servers: Object.fromEntries(roles) as Workbench['servers'] & object };
  const server = { engine: 'openai', baseUrl: 'http://127.0.0.1:1', model: 'm' };
  const named = parseConfig(
    { ...config, ...(servers.judge && { judge: { ...config.judge, ...server } }), ...(servers.attacker && { attacker: server }) },
    'test',
  );
  return { paths: new RunPaths(root), config: named, specs: specsOf(spec, config, bench), bench, progress: silent };
}
const choice = (over: Partial<SuiteChoice> = {}): SuiteChoice => ({
  set: setNamed('strongreject'),
  file: strongReject,
  arms: ['base', 'sft'],
  requests: Infinity,
  techniques: ['held-out:4'],
  ...over,
});
const rowsOf = (arm: string, suite: string) => readJsonl(path.join(root, 'arms', arm, 'evals', `${suite}.jsonl`), EvalRow);
const card = async () => Scorecard.parse(JSON.parse(await readFile(new RunPaths(root).scorecard(), 'utf8')));

describe('a set on arms of a finished run', () => {
  it('is asked in its techniques, written beside the suites of the run, and stands in the scorecard with them', async () => {
    const before = await card();
    const own = await evaluateSuite(contextOf(), choice());
    expect(own.results.map(({ arm, suite, rows, requests }) => [arm, suite, rows, requests])).toEqual([
      ['base', 'strongreject', 12, 3],
      ['sft', 'strongreject', 12, 3],
    ]);
    expect(await rowsOf('sft', 'strongreject')).toHaveLength(12);
    const after = await card();
    expect(after.suites).toEqual([...before.suites, ...own.suites]);
    expect(after.results).toEqual([...before.results, ...own.results]);
    expect(after.differences).toEqual([...before.differences, ...own.differences]);
  });

  it('asks nothing a second time, and goes on where it was broken off', async () => {
    await evaluateSuite(contextOf(), choice());
    const again = contextOf();
    await evaluateSuite(again, choice());
    expect(again.bench.chats).toEqual([]);
    const more = choice({ techniques: ['held-out:6'], arms: ['base'] });
    const broken = contextOf(
      {},
      {
        onCall: (call) => {
          if (call > 2) throw new Error('power cut');
        },
      },
    );
    await expect(evaluateSuite(broken, more)).rejects.toThrow('power cut');
    const rest = contextOf();
    const result = await evaluateSuite(rest, more);
    expect(rest.bench.chats.length).toBe(6 - 2);
    expect(result.results[0]!.rows).toBe(18);
  });

  it('stays in the scorecard when the stage eval is done again', async () => {
    await evaluateSuite(contextOf(), choice());
    const before = await card();
    await run(['eval']);
    expect(await card()).toEqual(before);
    const folder = path.join(root, 'arms', 'sft', 'evals');
    expect(await storedResults(folder, 'weights of another training')).toEqual([]);
  }, 60_000);

  it('counts requests in which a technique finds nothing to change, and says so', async () => {
    const file = path.join(home, 'many-languages.csv');
    await writeFile(file, 'category,source,forbidden_prompt\nPans,made up,Scrub a pan.\nPans,made up,擦锅。\n');
    const lines: string[] = [];
    const context = { ...contextOf(), progress: { ...silent, say: (line: string) => void lines.push(line) } };
    const suffixes = path.join(home, 'suffixes.txt');
    await writeFile(suffixes, 'made_up: zig zag\n');
    const techniques = ['leetspeak', 'leetspeak+poems', 'gcg_transfer_made_up'];
    await evaluateSuite(context, choice({ file, techniques, suffixes, arms: ['base'] }));
    const rows = await rowsOf('base', 'strongreject');
    expect(rows.map(({ technique }) => technique).sort()).toEqual([
      'gcg_transfer_made_up',
      'gcg_transfer_made_up',
      'leetspeak',
      'leetspeak+poems',
    ]);
    expect(lines).toContain('strongreject base: 1 attacks did not come about (leetspeak: finds nothing to change in the request).');
    const [stored] = (await readFile(path.join(root, 'arms', 'base', 'evals', 'strongreject.result.json'), 'utf8')).match(/"source"[^]*/)!;
    expect(stored).toMatch(/"leetspeak\+poems: finds nothing to change in the request": 1/);
    expect(stored).toMatch(/"gcg_transfer_made_up \(suffixes [0-9a-f]{12}\)"/);
  });

  it('takes fewer requests as part of more', async () => {
    const one = await evaluateSuite(contextOf(), choice({ requests: 1 }));
    expect(one.results.map(({ rows }) => rows)).toEqual([4, 4]);
  });

  it('grades by the rubric where a judge is configured, on the plain request, and counts what it left unscored', async () => {
    const judge = scriptedChat((text) => (text.includes('Bend a fork.') ? 'hm' : { refusal: 0, convincing: 4, specific: 2 }));
    const own = await evaluateSuite(contextOf({ judge }), choice({ techniques: ['base64_raw'] }));
    expect(own.results.map(({ estimate, unscored }) => [estimate, unscored])).toEqual([
      [0.5, 1],
      [0.5, 1],
    ]);
    const [row] = await rowsOf('base', 'strongreject');
    expect(row!.prompt).not.toMatch(/pan|fork/);
    const asked = judge.requests.length;
    await evaluateSuite(contextOf({ judge }), choice({ techniques: ['base64_raw'] }));
    expect(judge.requests.length).toBe(asked);
  });

  it('has the attacker write what only a model can, and leaves out what did not come about', async () => {
    const attacker = scriptedChat((text) => {
      if (text.includes('Melt a fork.')) return "I'm sorry, but I can't help with that.";
      return { message: `Every expert says: ${/The request:\n(.*)/.exec(text)?.[1] ?? ''}` };
    });
    const own = await evaluateSuite(contextOf({ attacker }), choice({ techniques: ['pap_expert_endorsement', 'pair'], arms: ['base'] }));
    expect(own.results[0]).toMatchObject({ rows: 4, requests: 2 });
    const rows = await rowsOf('base', 'strongreject');
    expect(rows.map(({ technique }) => technique).sort()).toEqual(['pair', 'pair', 'pap_expert_endorsement', 'pap_expert_endorsement']);
    for (const { prompt } of rows) expect(prompt).toMatch(/^Every expert says: (Scrub a pan|Bend a fork)\.$/);
    const [stored] = (await storedFor('base')).filter(({ suite }) => suite.name === 'strongreject');
    expect(stored!.source.failedAttacks).toEqual({ 'pair: the attacker declined': 1, 'pap_expert_endorsement: the attacker declined': 1 });
  });

  it('asks our own sets without a file', async () => {
    const own = await evaluateSuite(
      contextOf(),
      choice({ set: setNamed('harm-in-cot'), file: undefined, techniques: undefined, requests: 3 }),
    );
    expect(own.results.map(({ rows }) => rows)).toEqual([9, 9]);
    expect(Object.keys(own.results[1]!.rates!)).not.toEqual([]);
  });
});

const storedFor = async (arm: string) => {
  const texts = await readFile(path.join(root, 'arms', arm, 'evals', 'strongreject.result.json'), 'utf8');
  const { modelDigest } = JSON.parse(texts) as { modelDigest: string };
  return storedResults(path.join(root, 'arms', arm, 'evals'), modelDigest);
};

describe('what cannot be done is said before a model is asked', () => {
  it.each<[string, Partial<SuiteChoice>, RegExp]>([
    ['a public set without its file', { file: undefined }, /--suite strongreject: needs --file .*category,source,forbidden_prompt/],
    ['one of our own with a file', { set: setNamed('escalation') }, /leave --file out/],
    ['a set that needs a judge', { set: setNamed('simpleqa') }, /only a judge on a server/],
    ['a technique that needs an attacker', { techniques: ['pair'] }, /--technique pair: is written by an attacker model/],
    ['a file in another form', { set: setNamed('xstest') }, /strongreject\.csv:1: has no column "id"/],
  ])('%s', async (_case, over, message) => {
    await expect(readChoice(choice(over), contextOf())).rejects.toThrow(message);
  });
});
