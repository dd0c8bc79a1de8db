/** Everything that was evaluated in a run, or in a study: arms of its runs, and conditions of its studies. */
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { armNames, type ArmName } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { readJsonl } from '../base/jsonl.js';
import { RunPaths } from '../base/run-folder.js';
import { EvalRow } from '../evals/records.js';
import { suites } from '../evals/suites.js';
import { readRun, specificationOf, type RunContents } from './run-contents.js';

/** One arm or condition on one suite. */
export interface Evaluated {
  /** The run whose settings and prompts it was made with. */
  run: RunContents;
  /** Of a study, the folder in it that holds this: `seed-0`, `ablation`. Empty in a run. */
  place: string;
  /** The arm of a run, or what the study calls the condition. */
  arm: string;
  suite: string;
  rows: EvalRow[];
  when: Date;
  /** What the arm was aligned to; null where a condition has another or none. */
  specification: Readonly<Record<string, string>> | null;
}

export interface EvaluatedFolder {
  /** Of a study, its first run. */
  first: RunContents;
  evaluated: Evaluated[];
}

/** @throws input error when there is no run and no study, or nothing in it was evaluated */
export async function readEvaluated(root: string): Promise<EvaluatedFolder> {
  const runs = existsSync(new RunPaths(root).runFile()) ? [''] : await runsOfStudy(root);
  const [firstName] = runs;
  if (firstName === undefined) {
    // Says what is missing.
    await readRun(root);
    throw inputError(`${root}: holds no run.`);
  }
  const evaluated: Evaluated[] = [];
  let first: RunContents | undefined;
  for (const name of runs) {
    const run = await readRun(path.join(root, name));
    first ??= run;
    evaluated.push(...(await armsOf(run, name)));
  }
  if (firstName !== '') evaluated.push(...(await conditionsOf(root, first!)));
  if (evaluated.length === 0)
    throw inputError(`${root}: holds no evaluation. Run \`deliberate eval ${path.join(root, firstName)}\` first.`);
  return { first: first!, evaluated };
}

/** Whether the folder is a study's: it holds runs, and is none. */
export const isStudy = async (root: string): Promise<boolean> =>
  !existsSync(new RunPaths(root).runFile()) && (await runsOfStudy(root)).length > 0;

/** Runs in the folder of a study, relative to it; the one that the small studies build on comes first. */
async function runsOfStudy(root: string): Promise<string[]> {
  const found = (await foldersIn(root)).filter((name) => /^seed-\d+$/.test(name));
  const seeds = found.map((name) => Number(name.slice('seed-'.length))).sort((a, b) => a - b);
  const first = await firstSeed(root);
  const names = [...seeds.filter((seed) => seed === first), ...seeds.filter((seed) => seed !== first)].map((seed) => `seed-${seed}`);
  const all = names.length === 0 ? [] : [...names, path.join('policy-change', 'run')];
  return all.filter((name) => existsSync(new RunPaths(path.join(root, name)).runFile()));
}

async function firstSeed(root: string): Promise<number | undefined> {
  const text = await readFile(path.join(root, 'study.json'), 'utf8').catch(() => null);
  if (text === null) return undefined;
  try {
    return (JSON.parse(text) as { seeds?: number[] }).seeds?.[0];
  } catch {
    return undefined;
  }
}

/**
 * A set that was asked by itself is in the scorecard as long as the arm's weights are those that were asked; the rows of one that is not
 * there any more are of another training.
 */
async function armsOf(run: RunContents, place: string): Promise<Evaluated[]> {
  const own = new Set<string>(suites.map(({ name }) => name));
  const evaluated: Evaluated[] = [];
  for (const arm of await foldersIn(run.paths.file('arms'))) {
    const counts = (suite: string) =>
      run.scorecard === null ? own.has(suite) : run.scorecard.results.some((one) => one.arm === arm && one.suite === suite);
    const specification = isArm(arm) ? await specificationOf(run, arm) : null;
    for (const one of await rowsIn(path.dirname(run.paths.answers(arm))))
      if (counts(one.suite)) evaluated.push({ run, place, arm, specification, ...one });
  }
  return evaluated;
}

const isArm = (name: string): name is ArmName => (armNames as readonly string[]).includes(name);

/** `<study>/<name>/evals/<condition>/`. */
async function conditionsOf(root: string, run: RunContents): Promise<Evaluated[]> {
  const evaluated: Evaluated[] = [];
  for (const place of await foldersIn(root))
    for (const condition of await foldersIn(path.join(root, place, 'evals')))
      for (const one of await rowsIn(path.join(root, place, 'evals', condition)))
        evaluated.push({ run, place, arm: one.rows[0]!.arm, specification: null, ...one });
  return evaluated;
}

/** Graded rows of every suite in a folder of evaluations. */
async function rowsIn(folder: string): Promise<Pick<Evaluated, 'suite' | 'rows' | 'when'>[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const found: Pick<Evaluated, 'suite' | 'rows' | 'when'>[] = [];
  for (const name of names.filter((one) => one.endsWith('.jsonl') && one !== 'answers.jsonl' && !one.startsWith('.')).sort()) {
    const file = path.join(folder, name);
    const rows = await readJsonl(file, EvalRow);
    if (rows.length > 0) found.push({ suite: path.basename(name, '.jsonl'), rows, when: (await stat(file)).mtime });
  }
  return found;
}

const foldersIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
