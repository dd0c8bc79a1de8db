/** Asks one model some suites, in a folder of the study's own; and reads what a run has asked already. */
import path from 'node:path';
import { inputError } from '../base/errors.js';
import { readJsonl } from '../base/jsonl.js';
import type { Prompt } from '../base/records.js';
import type { RunPaths } from '../base/run-folder.js';
import { inStage } from '../base/stage-scope.js';
import { evaluateArm } from '../evals/evaluate.js';
import { openEvalJudge } from '../evals/judged/eval-judge.js';
import { EvalRow } from '../evals/records.js';
import { units } from '../evals/results.js';
import { suites as allSuites, type Suite, type SuiteName, type SuiteSizes } from '../evals/suites.js';
import { splitCot } from '../lm/split-cot.js';
import type { Unit } from './intervals.js';
import { shareAnswers } from './shared-data.js';
import type { FirstRun, Lab, OpenedArm } from './study.js';

/** Graded rows by suite. */
export type Rows = ReadonlyMap<SuiteName, readonly EvalRow[]>;

export interface ModelEvaluation {
  lab: Lab;
  first: FirstRun;
  study: string;
  /** Name of the condition; a folder has it. */
  label: string;
  arm: OpenedArm;
  suites: readonly Suite[];
  sizes?: Partial<SuiteSizes>;
  /** Default: the test prompts of the run. */
  prompts?: readonly Prompt[];
  /** Answers of the same model that may be there already. */
  known?: string;
}

/** A label as a folder's name. */
const slug = (label: string): string =>
  label
    .toLowerCase()
    .replace(/\+/g, 'and')
    .replace(/[^a-z0-9]+/g, '-');

export const suitesNamed = (...names: SuiteName[]): Suite[] => names.map((name) => allSuites.find((suite) => suite.name === name)!);

/** Resumable; an answer that is there, here or in `known`, is not asked again. */
export async function evaluateModel(evaluation: ModelEvaluation): Promise<Rows> {
  const { lab, first, study, label, arm, suites, known } = evaluation;
  const { config, context } = first;
  const out = path.join(lab.root, study, 'evals', slug(label), 'answers.jsonl');
  if (known !== undefined) await shareAnswers(known, out);
  const sizes = { ...lab.pipeline.suiteSizes({ ...config.eval, ...lab.settings.eval }), ...evaluation.sizes };
  const grader = lab.bench.servers?.grader;
  const judge = grader === undefined ? null : await openEvalJudge(grader, { seed: config.seed, signal: lab.signal });
  let task: ReturnType<Lab['progress']['task']> | undefined;
  let seen = { done: 0, tokens: 0 };
  await inStage(study, () =>
    evaluateArm({
      arm: label,
      model: arm.model,
      modelDigest: arm.digest,
      ...(arm.context.length > 0 && { contextFor: () => arm.context }),
      split: splitCot,
      suites,
      prompts: evaluation.prompts ?? first.prepared.test,
      spec: context.specs.spec,
      judge,
      seed: config.seed,
      sizes,
      maxTokens: config.eval.maxTokens,
      out,
      ...(lab.signal && { signal: lab.signal }),
      onProgress: ({ done, total, tokens }) => {
        task ??= lab.progress.task(`${study} ${label}`, total);
        task.advance(done - seen.done, tokens - seen.tokens);
        seen = { done, tokens };
      },
    }),
  );
  task?.done();
  return readRows(
    path.dirname(out),
    suites.filter(({ name }) => sizes[name] > 0).map(({ name }) => name),
  );
}

/** The rows that an evaluation left in its folder. */
async function readRows(folder: string, names: readonly SuiteName[]): Promise<Rows> {
  const rows = new Map<SuiteName, EvalRow[]>();
  for (const name of names) rows.set(name, await readJsonl(path.join(folder, `${name}.jsonl`), EvalRow));
  return rows;
}

/** The rows of an arm of a run. @throws input error when there are none */
export async function rowsOfRun(paths: RunPaths, arm: string): Promise<Rows> {
  const folder = path.dirname(paths.answers(arm));
  const rows = await readRows(
    folder,
    allSuites.map(({ name }) => name),
  );
  if ([...rows.values()].every((list) => list.length === 0))
    throw inputError(`${folder}: the arm ${arm} has not been evaluated. Name it in eval.arms of the study's settings.`);
  return rows;
}

/** Scored units of a suite. */
export const unitsOf = (rows: Rows, name: SuiteName): Unit[] => units(suitesNamed(name)[0]!, rows.get(name) ?? []);
