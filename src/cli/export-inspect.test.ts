/** Logs of Inspect out of a run with a set that was asked by itself, and out of a study. Inspect itself reads them in integration/export-inspect.py. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { specsOf } from '../align/compiled-specs.js';
import { loadSpec } from '../align/spec/parse.js';
import { parseConfig } from '../base/config.js';
import { readJsonl, writeJsonl } from '../base/jsonl.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import { RunPaths } from '../base/run-folder.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { EvalRow } from '../evals/records.js';
import { setNamed } from '../evals/sets/all-sets.js';
import { exportRun, type ExportOptions } from '../export/export-run.js';
import { loadPrompts } from '../prompts/load.js';
import { evaluateSuite } from './evaluate-suite.js';
import { runStages } from './run.js';

let home: string;
let root: string;
let study: string;

interface Log {
  version: number;
  status: string;
  eval: { task: string; task_id: string; model: string; tags: string[]; metadata: Record<string, unknown> };
  results: { scores: [{ scored_samples: number; unscored_samples: number; metrics: Record<string, { value: number }> }] };
  samples: {
    input: { role: string; content: string }[];
    messages: { content: unknown }[];
    scores: Record<string, { value: number }>;
    metadata: Record<string, unknown>;
  }[];
}

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-inspect-'));
  root = path.join(home, 'run');
  const spec = await loadSpec(path.join(packageRoot, 'spec'));
  const config = parseConfig(
    {
      name: 'scripted',
      prompts: { train: 12, ordinary: 4, validation: 4 },
      generate: { samples: 2, maxTokens: 400 },
      judge: { maxTokens: 400 },
      filter: { threshold: 0.5 },
      rl: { steps: 0 },
      eval: { plain: 2, jailbroken: 1, techniques: 3, maxTokens: 400, arms: ['base', 'sft'] },
    },
    'test',
  );
  const prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
  const bench = createScriptedWorkbench();
  await runStages({ root, config, spec, prompts, bench, progress: silent, codeVersion: 'test' });
  const context = { paths: new RunPaths(root), config, specs: specsOf(spec, config, bench), bench, progress: silent };
  await evaluateSuite(context, { set: setNamed('tool-injection'), file: undefined, arms: ['base', 'sft'], requests: 3 });
  study = path.join(home, 'study');
  await cp(root, path.join(study, 'seed-1'), { recursive: true });
  await cp(root, path.join(study, 'seed-0'), { recursive: true });
  // Enough to show that every run is read; each log is a file that must reach the disk.
  await rm(path.join(study, 'seed-0', 'arms', 'sft'), { recursive: true });
  await writeFile(path.join(study, 'study.json'), JSON.stringify({ seeds: [1, 0] }));
  const condition = path.join(study, 'ablation', 'evals', 'rl-only');
  await mkdir(condition, { recursive: true });
  const rows = await readJsonl(path.join(root, 'arms', 'sft', 'evals', 'benign-twins.jsonl'), EvalRow);
  await writeJsonl(
    path.join(condition, 'benign-twins.jsonl'),
    rows.map((row) => ({ ...row, arm: 'RL only' })),
  );
  await writeFile(path.join(condition, 'answers.jsonl'), '');
}, 240_000);
afterAll(() => rm(home, { recursive: true, force: true }));

const start = (over: Partial<ExportOptions> = {}) =>
  exportRun({ root, to: 'inspect', type: 'f32', judgeUrl: '', model: async () => '', baseAdapter: () => null, ...over });
/** Logs by their place in the export. */
async function logsIn(folder: string): Promise<Map<string, Log>> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.json') && name !== 'export.json').sort();
  const logs = await Promise.all(
    names.map(async (name) => [name, JSON.parse(await readFile(path.join(folder, name), 'utf8')) as Log] as const),
  );
  return new Map(logs);
}

describe('logs of Inspect', () => {
  it('are one an arm and suite, chains of thought as reasoning', async () => {
    const { folder } = await start();
    const logs = await logsIn(folder);
    expect(logs.size).toBeGreaterThan(10);
    for (const [name, { version, status, samples, results }] of logs) {
      expect(name).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\+00-00_[a-z-]+_[0-9a-f]{16}\.json$/);
      expect({ version, status }).toEqual({ version: 2, status: 'success' });
      const scored = samples.filter(({ scores }) => Object.keys(scores).length === 1);
      expect(scored).toHaveLength(results.scores[0].scored_samples);
      expect(samples).toHaveLength(results.scores[0].scored_samples + results.scores[0].unscored_samples);
      expect(samples.filter(({ metadata }) => metadata['conversation'] !== undefined)).toEqual([]);
    }
    const forbidden = [...logs.values()].find((log) => log.eval.task === 'forbidden-plain')!;
    expect(forbidden.samples[0]!.messages.at(-1)!.content).toEqual([
      { type: 'reasoning', reasoning: expect.any(String) },
      { type: 'text', text: expect.any(String) },
    ]);
  });

  it('hold the sets that were asked by themselves, whole conversations, and the numbers of the scorecard', async () => {
    const { folder } = await start();
    const logs = [...(await logsIn(folder)).values()];
    const own = logs.find((log) => log.eval.task === 'tool-injection' && log.eval.model === 'deliberate/scripted-sft')!;
    expect(own.samples).toHaveLength(3);
    expect(own.samples[0]!.input.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user']);
    expect(own.samples[0]!.input[2]).toMatchObject({ tool_call_id: 'call-2' });
    expect(own.samples[0]!.input[1]).toMatchObject({ tool_calls: [{ id: 'call-2' }] });
    const card = JSON.parse(await readFile(path.join(root, 'scorecard.json'), 'utf8')) as {
      results: { arm: string; suite: string; estimate: number | null; low: number; high: number }[];
    };
    for (const { arm, suite, estimate, low, high } of card.results) {
      const log = logs.find((one) => one.eval.task === suite && one.eval.model === `deliberate/scripted-${arm}`)!;
      const { metrics } = log.results.scores[0];
      if (estimate !== null)
        expect([metrics['estimate'], metrics['low_95'], metrics['high_95']].map((one) => one!.value)).toEqual([estimate, low, high]);
    }
    expect(logs).toHaveLength(card.results.length);
  });

  it('leave out a set that other weights were asked', async () => {
    const retrained = path.join(home, 'retrained');
    await cp(root, retrained, { recursive: true });
    const file = path.join(retrained, 'scorecard.json');
    const card = JSON.parse(await readFile(file, 'utf8')) as { suites: { name: string }[]; results: { suite: string }[] };
    const kept = <T>(list: T[], name: (one: T) => string) => list.filter((one) => !name(one).startsWith('tool-injection'));
    await writeFile(
      file,
      JSON.stringify({ ...card, suites: kept(card.suites, ({ name }) => name), results: kept(card.results, ({ suite }) => suite) }),
    );
    const tasks = [...(await logsIn((await start({ root: retrained })).folder)).values()].map((log) => log.eval.task);
    expect(tasks).toContain('forbidden-plain');
    expect(tasks).not.toContain('tool-injection');
  }, 300_000);

  it('cover a study: its runs, and the conditions of its studies', async () => {
    const { folder, written } = await start({ root: study });
    const logs = await logsIn(folder);
    const places = new Set([...logs.keys()].map((name) => path.dirname(name)));
    expect([...places].sort()).toEqual(['ablation', 'seed-0', 'seed-1']);
    expect(new Set([...logs.values()].map((log) => log.eval.task_id)).size).toBe(logs.size);
    expect(written[0]).toMatch(`${logs.size} logs`);
    const [condition] = [...logs].filter(([name]) => name.startsWith('ablation')).map(([, log]) => log);
    expect(condition!.eval).toMatchObject({ task: 'benign-twins', model: 'deliberate/ablation-RL-only', tags: ['deliberate', 'ablation'] });
    expect(condition!.eval.metadata['specification']).toBeUndefined();
  }, 240_000);

  it('are all that a study can be exported as', async () => {
    await expect(start({ root: study, to: 'trl' })).rejects.toThrow(/is the folder of a study, of which trl takes one run: give .*seed-0/);
    await expect(start({ root: home })).rejects.toThrow(/holds no run/);
  });
});
