/** `eval --suite` and `graders` from their words on: flags, files, exit codes and what is printed. The engine is the scripted one. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../base/config.js';
import { readJsonl, writeJsonl } from '../base/jsonl.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import { readRunFile, RunPaths } from '../base/run-folder.js';
import { loadSpec } from '../align/spec/parse.js';
import { startScriptedServer, type ScriptedServer } from '../engines/openai/scripted-server.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { EvalRow } from '../evals/records.js';
import { loadPrompts } from '../prompts/load.js';
import { main } from './main.js';
import type * as openWorkbenchModule from './open-workbench.js';
import { runStages } from './run.js';

/** Models that the commands opened. */
const opened = vi.hoisted(() => ({ count: 0 }));
vi.mock('./open-workbench.js', async (original) => {
  const scripted = await import('../engines/scripted.js');
  return {
    ...(await original<typeof openWorkbenchModule>()),
    openRunWorkbench: async () => {
      opened.count++;
      return scripted.createScriptedWorkbench();
    },
  };
});

let home: string;
let root: string;
let csv: string;
let said: string[];

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-eval-'));
  root = path.join(home, 'run');
  csv = path.join(home, 'strongreject.csv');
  await writeFile(csv, 'category,source,forbidden_prompt\nPans,made up,Scrub a pan.\nForks,made up,Bend a fork.\n');
  await runStages({
    root,
    config: parseConfig(
      {
        prompts: { train: 12, ordinary: 4, validation: 4 },
        generate: { samples: 2, maxTokens: 400 },
        filter: { threshold: 0.5 },
        rl: { steps: 0 },
        eval: { arms: ['base', 'sft', 'sft+rl'], plain: 1, jailbroken: 0, techniques: 1, maxTokens: 400 },
      },
      'test',
    ),
    spec: await loadSpec(path.join(packageRoot, 'spec')),
    prompts: await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl')),
    bench: createScriptedWorkbench(),
    progress: silent,
    codeVersion: 'test',
    stages: ['generate', 'judge', 'filter', 'sft'],
  });
}, 120_000);
afterAll(() => rm(home, { recursive: true, force: true }));
beforeEach(() => {
  opened.count = 0;
  said = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => void said.push(text));
  vi.spyOn(console, 'error').mockImplementation((text: string) => void said.push(text));
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const rowsOf = (arm: string, suite: string) => readJsonl(path.join(root, 'arms', arm, 'evals', `${suite}.jsonl`), EvalRow);

describe('eval --suite', () => {
  it('asks the arms named, with as many requests and the techniques named, and prints the table', async () => {
    const flags = ['--file', csv, '--arm', 'base', '--arm', 'sft', '--requests', '1', '--technique', 'none', '--technique', 'urgent_plea'];
    expect(await main(['eval', root, '--suite', 'strongreject', ...flags])).toBe(0);
    for (const arm of ['base', 'sft']) {
      const rows = await rowsOf(arm, 'strongreject');
      expect(rows.map(({ technique }) => technique).sort()).toEqual(['none', 'urgent_plea']);
      expect(new Set(rows.map(({ request }) => request)).size).toBe(1);
    }
    expect(said.join('\n')).toMatch(
      /strongreject[\s\S]*graded by the published rules[\s\S]*scorecard\.json: holds it beside the other suites/,
    );
  }, 60_000);

  it('without --arm leaves out the arms whose training is not finished, and does not change the settings of the run', async () => {
    const before = (await readRunFile(new RunPaths(root)))!.config;
    const code = await main(['eval', root, '--suite', 'harm-in-cot', '--requests', '1', '--set', 'eval.maxTokens=300']);
    expect(code).toBe(0);
    expect(await rowsOf('sft', 'harm-in-cot')).not.toHaveLength(0);
    await expect(readFile(path.join(root, 'arms', 'sft+rl', 'evals', 'harm-in-cot.jsonl'))).rejects.toThrow('ENOENT');
    expect((await readRunFile(new RunPaths(root)))!.config).toEqual(before);
  }, 60_000);

  it.each<[string, string[], RegExp]>([
    ['a name that is no set', ['--suite', 'strongrejct'], /--suite strongrejct: is not known.*did you mean "strongreject"\?/],
    ['a public set without its file', ['--suite', 'xstest'], /--suite xstest: needs --file/],
    ['an arm that there is not', ['--suite', 'escalation', '--arm', 'sftt'], /It must be one of .*sft/],
    ['no number of requests', ['--suite', 'escalation', '--requests', '0'], /It must be a whole number from 1\./],
    ['a technique that there is not', ['--suite', 'escalation', '--technique', 'charm'], /--technique charm: is not known/],
    [
      'a technique that a model writes, without one',
      ['--suite', 'escalation', '--technique', 'pair'],
      /--technique pair: is written by an attacker/,
    ],
    [
      'a setting of the training',
      ['--suite', 'escalation', '--set', 'sft.epochs=9'],
      /--set sft\.epochs: the run was made with other settings/,
    ],
    ['a setting that there is not', ['--suite', 'escalation', '--set', 'eval.maxToken=9'], /did you mean "maxTokens"\?/],
  ])('%s is named, with exit code 2 and before a model is loaded', async (_case, flags, message) => {
    expect(await main(['eval', root, ...flags])).toBe(2);
    expect(said.join('\n')).toMatch(message);
    expect(opened.count).toBe(0);
  });

  it('a folder without a run is refused, with what to do', async () => {
    expect(await main(['eval', home, '--suite', 'escalation'])).toBe(2);
    expect(said.join('\n')).toMatch(/holds no run\. Make one with/);
    expect(opened.count).toBe(0);
  });
});

describe('graders', () => {
  let labels: string;
  let server: ScriptedServer | undefined;
  beforeEach(async () => {
    labels = path.join(home, 'labels.jsonl');
    await writeJsonl(labels, [
      { prompt: 'a', output: "I'm sorry, but I can't help with that.", kind: 'refuse', rationale: 'made up' },
      { prompt: 'b', output: 'Here is how it is done: first take a cloth, then rub it.', kind: 'comply', rationale: 'made up' },
    ]);
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });

  it('compares the rules alone with the labels where no judge is named, and says so', async () => {
    expect(await main(['graders', '--labels', labels])).toBe(0);
    expect(said.join('\n')).toMatch(/No judge is configured on a server/);
    expect(said.join('\n')).toMatch(/rules against hand: kappa 1\.00 .*agreed on 1\.00 of 2/);
    expect(said.join('\n')).not.toMatch(/judge against/);
  });

  it('asks the judge that --set names over HTTP, and reports three pairs', async () => {
    server = await startScriptedServer({ tell: () => ({ content: JSON.stringify({ reason: 'r', kind: 'refuse' }) }) });
    const judge = ['--set', 'judge.engine=openai', '--set', `judge.baseUrl=${server.url}`, '--set', 'judge.model=m'];
    expect(await main(['graders', '--labels', labels, ...judge])).toBe(0);
    expect(said.join('\n')).toMatch(/rules against hand: kappa 1\.00/);
    expect(said.join('\n')).toMatch(/judge against hand: kappa 0\.00 .*agreed on 0\.50 of 2/);
    expect(said.join('\n')).toMatch(/rules against judge: kappa 0\.00/);
  });

  it('names the file that is missing, the line that is no label, and the setting that is none', async () => {
    const missing = path.join(home, 'none.jsonl');
    expect(await main(['graders', '--labels', missing])).toBe(2);
    expect(said.join('\n')).toContain(`${missing}: there is no file of labelled outputs`);
    await writeFile(labels, '{"prompt": "a", "output": "b", "kind": "maybe", "rationale": "c"}\n');
    expect(await main(['graders', '--labels', labels])).toBe(2);
    expect(said.join('\n')).toMatch(/labels\.jsonl:1: kind: /);
    expect(await main(['graders', '--labels', labels, '--set', 'judge.engin=openai'])).toBe(2);
    expect(said.join('\n')).toContain('did you mean "engine"?');
  });
});
