/** A run whose generator and judge are on servers, while training stays where it was. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig, roleSections } from '../base/config.js';
import { readJsonl } from '../base/jsonl.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import { Random } from '../base/random.js';
import { Completion, Judgement, SftRecord, type Message, type Prompt } from '../base/records.js';
import type { StageName } from '../base/run-folder.js';
import { EvalRow } from '../evals/records.js';
import { Scorecard } from '../evals/scorecard.js';
import { loadSpec } from '../align/spec/parse.js';
import type { Spec } from '../align/spec/types.js';
import { startScriptedServer, type Asked, type ScriptedServer, type ScriptedServerOptions } from '../engines/openai/scripted-server.js';
import { namedServers, type Servers } from '../engines/openai/servers.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { scriptedReply } from '../engines/scripted-mind.js';
import { loadPrompts } from '../prompts/load.js';
import { runStages } from './run.js';
import { recordServerUsage, serverUsageTable } from './server-usage.js';

let spec: Spec;
let prompts: Prompt[];
let home: string;
const open: (ScriptedServer | Servers)[] = [];
beforeAll(async () => {
  spec = await loadSpec(path.join(packageRoot, 'spec'));
  prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-servers-'));
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});
afterAll(() => rm(home, { recursive: true, force: true }));

const settings = {
  prompts: { train: 24, ordinary: 6, validation: 4 },
  generate: { samples: 2, maxTokens: 400 },
  judge: { maxTokens: 400 },
  filter: { threshold: 0.5 },
  sft: { epochs: 1 },
  rl: { steps: 1, promptsPerStep: 2, samplesPerPrompt: 4, maxTokens: 400, validateEvery: 1 },
};

const writes = ({ messages, seed = 0 }: Asked, sample: number) => ({
  content: scriptedReply(messages as Message[], [], new Random(`${messages[0]?.content.length} ${seed + sample}`)),
});
const judges = ({ messages, seed = 0 }: Asked) => ({
  content: `Here is my verdict:\n{"rationale": "read on a server", "agrees_with_hint": true, "grade": ${messages[0]?.content.includes("I'm sorry") ? 4 : 3 + (seed % 3)}}`,
  reasoning: 'Let me see.',
});

const verdictOn = (asked: string): string =>
  asked.includes('"violates"')
    ? '{"reason": "r", "violates": false}'
    : asked.includes('"kind"')
      ? '{"reason": "r", "kind": "refuse"}'
      : 'So-so.';
const scorecardOf = async (root: string) => Scorecard.parse(JSON.parse(await readFile(path.join(root, 'scorecard.json'), 'utf8')));

async function serve(options: ScriptedServerOptions): Promise<ScriptedServer> {
  const server = await startScriptedServer(options);
  open.push(server);
  return server;
}

interface Run {
  generator: ScriptedServer;
  judge?: ScriptedServer;
  /** The judge of the evaluation. */
  grader?: ScriptedServer;
  stages?: readonly StageName[];
  signal?: AbortSignal;
  generatorModel?: string;
}

async function run(
  root: string,
  { generator, judge, grader, stages = ['generate', 'judge', 'filter'], signal, generatorModel = 'writer' }: Run,
) {
  const config = parseConfig(
    {
      ...settings,
      generator: { engine: 'openai', baseUrl: generator.url, model: generatorModel },
      judge: { ...settings.judge, ...(judge && { engine: 'openai', baseUrl: judge.url, model: 'grader', price: { input: 1, output: 4 } }) },
      eval: {
        plain: 1,
        jailbroken: 0,
        arms: ['base', 'sft'],
        maxTokens: 400,
        ...(grader && { judge: { engine: 'openai', baseUrl: grader.url, model: 'reader' } }),
      },
    },
    'test',
  );
  const servers = namedServers({
    sections: roleSections(config),
    cacheFolder: path.join(root, 'cache'),
    say: () => undefined,
    ...(signal && { signal }),
  });
  open.push(servers);
  const bench = { ...createScriptedWorkbench(), layout: 'paper' as const, servers: servers.byRole, usage: () => servers.usage() };
  await runStages({ root, config, spec, prompts, bench, progress: silent, codeVersion: 'test', stages, ...(signal && { signal }) });
  return { bench, usage: servers.usage(), completions: await readJsonl(path.join(root, 'completions.jsonl'), Completion) };
}

const bySample = (completions: readonly Completion[]) => [...completions].sort((a, b) => (a.id < b.id ? -1 : 1));

describe('a run with servers', () => {
  it('generates and judges there, trains here, and counts what each stage asked for', async () => {
    const root = path.join(home, 'whole');
    const [generator, judge] = [await serve({ tell: writes }), await serve({ kind: 'openai', tell: judges })];
    const { bench, usage, completions } = await run(root, { generator, judge, stages: ['generate', 'judge', 'filter', 'sft', 'rl'] });
    expect(completions).toHaveLength(60);
    expect(bench.chats.filter(({ model }) => model === 'base')).toEqual([]);
    expect(bench.trained.length).toBeGreaterThan(0);
    expect(bench.sampled.length).toBeGreaterThan(0);

    const judgements = await readJsonl(path.join(root, 'judgements.jsonl'), Judgement);
    expect(judgements.length).toBeGreaterThan(5);
    for (const { runs } of judgements) for (const { rationale } of runs) expect(rationale).toBe('read on a server');
    expect((await readJsonl(path.join(root, 'sft.jsonl'), SftRecord)).length).toBeGreaterThan(3);

    expect(usage.map(({ role, stage }) => `${role} ${stage}`).sort()).toEqual(['generator generate', 'judge judge', 'judge rl']);
    expect(usage.find(({ role }) => role === 'generator')!.calls).toBe(generator.calls());
    expect(usage.filter(({ role }) => role === 'judge').reduce((sum, { calls }) => sum + calls, 0)).toBe(judge.calls());
    await recordServerUsage(root, usage);
    expect(JSON.parse(await readFile(path.join(root, 'usage.jsonl'), 'utf8'))).toMatchObject({ rows: usage });
    expect(serverUsageTable(usage)).toMatch(/^in all +0\.\d+$/m);
  });

  it('grades its evaluation by a judge that no stage before it asks, on the answers that are there', async () => {
    const root = path.join(home, 'graded');
    const generator = await serve({ tell: writes });
    const grader = await serve({ kind: 'openai', tell: ({ messages }) => ({ content: verdictOn(messages[0]?.content ?? '') }) });
    const stages: StageName[] = ['generate', 'judge', 'filter', 'sft', 'rl', 'eval'];
    const { usage, bench } = await run(root, { generator, grader, stages });
    expect(bench.trained.length).toBeGreaterThan(0);
    expect(usage.filter(({ role }) => role === 'grader').map(({ stage }) => stage)).toEqual(['eval']);
    const graded = await scorecardOf(root);
    const graders = Object.fromEntries(graded.results.map(({ suite, grader: by = 'rules' }) => [suite, by]));
    expect(graders).toMatchObject({ 'forbidden-plain': 'judge reader', helpfulness: 'judge reader', 'policy-retrieval': 'rules' });
    // This judge says nothing that can be read about style.
    expect(graded.results.find(({ suite }) => suite === 'hard-refusal-style')).toMatchObject({ estimate: null, unscored: 1 });
    const rows = await readJsonl(path.join(root, 'arms', 'sft', 'evals', 'forbidden-plain.jsonl'), EvalRow);
    expect(rows).toMatchObject([{ grader: 'judge reader', kind: 'refuse', score: 1 }]);

    const byRules = await run(root, { generator, stages: ['eval'] });
    expect(byRules.bench.chats).toEqual([]);
    expect((await scorecardOf(root)).results.every((result) => result.grader === undefined)).toBe(true);

    // What it said is kept: of the server nothing is wanted but that it is there.
    const again = await run(root, { generator, grader, stages: ['eval'] });
    expect(again.usage.reduce((sum, { calls, cached }) => sum + calls - cached, 0)).toBeLessThanOrEqual(1);
    expect(await scorecardOf(root)).toEqual(graded);
  }, 240_000);

  it('makes the same records on a server that fails all the time', async () => {
    const clean = await run(path.join(home, 'clean'), { generator: await serve({ tell: writes }), stages: ['generate'] });
    const faults = ['torn', 'drop', 'empty', 'drop-mid'] as const;
    const failing = await serve({ tell: writes, fault: (call) => (call % 9 === 4 ? { kind: faults[call % 4]! } : null) });
    const failed = await run(path.join(home, 'failing'), { generator: failing, stages: ['generate'] });
    expect(failing.calls()).toBeGreaterThan(31);
    expect(bySample(failed.completions)).toEqual(bySample(clean.completions));
  });

  it('goes on after it was stopped, on another port, without asking again for what it has', async () => {
    const root = path.join(home, 'stopped');
    const controller = new AbortController();
    let answered = 0;
    const first = await serve({
      tell: writes,
      fault: () => (++answered > 12 ? (controller.abort(new Error('stop')), { kind: 'hang' }) : null),
    });
    await expect(run(root, { generator: first, stages: ['generate'], signal: controller.signal })).rejects.toThrow('stop');
    const kept = await readJsonl(path.join(root, 'completions.jsonl'), Completion);
    expect(kept.length).toBeGreaterThan(0);
    const second = await serve({ tell: writes });
    const { completions } = await run(root, { generator: second, stages: ['generate'] });
    expect(new Set(completions.map(({ id }) => id)).size).toBe(60);
    expect(completions).toHaveLength(60);
    // One request a prompt that was missing, and the question by which it connects.
    expect(second.calls()).toBe((60 - kept.length) / settings.generate.samples + 1);
  });

  it('refuses another model for what was begun', async () => {
    const root = path.join(home, 'other');
    const generator = await serve({ tell: writes });
    await run(root, { generator, stages: ['generate'] });
    await expect(run(root, { generator, stages: ['generate'], generatorModel: 'another' })).rejects.toThrow(
      /generator\.model was "writer" and is now "another".*--redo generate/,
    );
  });
});

describe('settings of a server', () => {
  it('must be whole', () => {
    expect(() => parseConfig({ judge: { engine: 'openai', model: 'm' } }, 'run.yaml')).toThrow(/run\.yaml: judge\.baseUrl: is missing/);
    expect(() => parseConfig({ generator: { engine: 'openai', baseUrl: 'http://h' } }, 'run.yaml')).toThrow(/generator\.model/);
    expect(() => parseConfig({ generator: { engine: 'openai', baseUrl: 'http://h', model: 'm', apiKey: 'k' } }, 'run.yaml')).toThrow(
      /unknown setting generator\.apiKey.*apiKeyEnv/,
    );
    expect(parseConfig({ judge: { runs: 3 } }, 'run.yaml').judge).not.toHaveProperty('engine');
  });
});
