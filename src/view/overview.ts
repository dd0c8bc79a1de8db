/** Where the run stands: stages with their progress, funnel, scores, curves, what people said of the verdicts. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import type { Config } from '../base/config.js';
import { readRunFile, RunPaths } from '../base/run-folder.js';
import { markRule, Scorecard, verdict } from '../evals/scorecard.js';
import { inWords } from '../report/words.js';
import { readCharts } from './curves.js';
import { calibration } from './overrides.js';
import type { RunStore } from './store.js';

export interface Stage {
  name: string;
  text: string;
  done: number;
  /** Null where nobody can say beforehand. */
  total: number | null;
  state: 'done' | 'under way' | 'to come' | 'left out';
}

const Funnel = z.array(z.object({ title: z.string(), count: z.int(), note: z.string().default('') }));
const Training = z.object({ step: z.int(), done: z.boolean() });

/** What is left out before judging, as far as a query can tell (src/align/filter.ts: passesChecks, againstHint). */
const unjudged = (config: Config | null): string =>
  [
    config?.filter.citation && `and (len(r.codes) > 0 or r.category = 'none')`,
    config?.judge.hint && config.judge.kindCheck && config.filter.hintAgreement && 'and coalesce(r.kind = r.ideal, true)',
  ]
    .filter(Boolean)
    .join(' ');

export async function overview(store: RunStore) {
  const paths = new RunPaths(store.root);
  const stored = await readRunFile(paths).catch(() => null);
  const config = stored?.config ?? null;
  const [counts, sources, learning, human, card, funnel] = await Promise.all([
    store.rows(`select
      (select count(*) from prompts)::INTEGER as prompts, (select count(*) from prompts where split = 'train')::INTEGER as train,
      (select count(*) from prompts where split = 'train' and not list_contains(tags, 'ordinary'))::INTEGER as policy,
      (select count(*) from raw_completions)::INTEGER as completions, (select count(*) from judged)::INTEGER as judged,
      (select count(*) from records where source = 'generate' and state = 'unscored')::INTEGER as unscored,
      (select count(*) from records r join prompts p on p.id = r.promptId where source = 'generate' and len(faults) = 0 and not list_contains(p.tags, 'ordinary') ${unjudged(config)})::INTEGER as due,
      (select count(*) from raw_sft)::INTEGER as sft, (select count(*) from raw_rollouts)::INTEGER as rollouts`),
    store.rows(`select source, arm, count(*)::INTEGER as count from records group by source, arm order by source, arm`),
    readCharts(store.root),
    calibration(store),
    readJson(paths.scorecard(), Scorecard),
    readJson(paths.funnel(), Funnel),
  ]);
  const stages = await stagesOf(store, paths, config, (counts[0] ?? {}) as Record<string, number>);
  return {
    name: store.name,
    model: config?.engine.model ?? null,
    seed: config?.seed ?? null,
    digests: stored?.digests ?? null,
    threshold: config?.filter.threshold ?? null,
    writer: await writerOf(store.root),
    unreadable: [...store.unreadable].map(([file, lines]) => ({ file: path.relative(store.root, file), lines })),
    stages,
    sources,
    funnel: (funnel ?? []).map((step) => ({ ...step, note: inWords(step.note) })),
    scorecard: card && {
      arms: card.arms,
      suites: card.suites,
      results: card.results.map(({ arm, suite, estimate, low, high, rows, unscored, requests }) => ({
        arm,
        suite,
        estimate,
        low,
        high,
        rows,
        unscored,
        requests,
      })),
      marks: card.differences.map((difference) => ({ arm: difference.arm, suite: difference.suite, verdict: verdict(card, difference) })),
      markRule: markRule(card),
    },
    ...learning,
    calibration: human,
  };
}

async function stagesOf(store: RunStore, paths: RunPaths, config: Config | null, count: Record<string, number>): Promise<Stage[]> {
  const n = (name: string) => count[name] ?? 0;
  const arms = await readdir(paths.file('arms')).catch(() => [] as string[]);
  const filtered = existsSync(paths.funnel());
  const completionsAhead = config === null ? null : n('train') * config.generate.samples;
  const steps = config === null || !filtered ? null : config.sft.epochs * Math.ceil(n('sft') / config.sft.batchSize);
  const trained = await Promise.all([
    training(paths.training('answer-only', 'sft')),
    training(paths.training('sft', 'sft')),
    training(paths.training('sft+rl', 'rl')),
  ]);
  const [answerOnly, sft, rl] = trained;
  const wanted = config?.eval.arms.filter((arm) => arm !== 'sft+rl' || config.rl.steps > 0) ?? arms;
  const evaluated = (await store.rows(`select count(distinct arm)::INTEGER as n from records where source = 'eval'`))[0]?.['n'] as number;
  const stage = (name: string, text: string, done: number, total: number | null, finished: boolean): Stage => ({
    name,
    text,
    done,
    total,
    state: finished ? 'done' : done > 0 ? 'under way' : 'to come',
  });
  return [
    stage('prepare', 'prompts chosen', n('prompts'), null, n('prompts') > 0),
    stage('generate', 'completions', n('completions'), completionsAhead, completionsAhead !== null && n('completions') >= completionsAhead),
    stage(
      'judge',
      n('unscored') > 0 ? `completions judged, ${n('unscored')} unscored` : 'completions judged',
      n('judged'),
      // Once the filter has been there, all that was due is judged.
      filtered ? n('judged') : Math.max(n('due'), n('judged')),
      filtered || (n('due') > 0 && n('judged') >= n('due')),
    ),
    stage('filter', 'records kept for SFT', n('sft'), null, filtered),
    stage('sft', 'steps, answer-only and sft', answerOnly.step + sft.step, steps === null ? null : 2 * steps, answerOnly.done && sft.done),
    config?.rl.steps === 0
      ? { name: 'rl', text: 'left out by the settings', done: 0, total: 0, state: 'left out' }
      : stage('rl', `steps, ${n('rollouts').toLocaleString('en')} rollouts`, rl.step, config?.rl.steps ?? null, rl.done),
    stage('eval', 'arms graded', evaluated, wanted.length, existsSync(paths.scorecard())),
    stage('report', 'report.html', existsSync(paths.report()) ? 1 : 0, 1, existsSync(paths.report())),
  ];
}

/** Steps by the metrics while it trains, by the state when it is done. */
async function training(folder: string): Promise<{ step: number; done: boolean }> {
  const state = await readJson(path.join(folder, 'training.json'), Training);
  if (state?.done === true) return state;
  const metrics = await readFile(path.join(folder, 'metrics.jsonl'), 'utf8').catch(() => '');
  const last = metrics.trimEnd().split('\n').at(-1) ?? '';
  return { step: Math.max(state?.step ?? 0, Number(/"step":(\d+)/.exec(last)?.[1] ?? 0)), done: false };
}

/** Whether a process is writing the run, as far as this machine can tell. */
export async function writerOf(root: string): Promise<boolean> {
  const writer = await readJson(path.join(root, '.writer.json'), z.object({ pid: z.int().min(1), host: z.string() }));
  if (writer === null || writer.host !== os.hostname()) return writer !== null;
  try {
    process.kill(writer.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // Missing, or being replaced at this moment: the next look sees it.
    return null;
  }
}
