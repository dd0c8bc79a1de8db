/** A training that differs from the first run in one thing. What it has in common with that run is not made again. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { contentId, type Completion, type Judgement, type SftRecord } from '../base/records.js';
import { writeJsonl } from '../base/jsonl.js';
import type { RunPaths } from '../base/run-folder.js';
import { inStage } from '../base/stage-scope.js';
import { categorise } from '../align/categorise.js';
import type { CompiledSpecs } from '../align/compiled-specs.js';
import { filterCompletions } from '../align/filter.js';
import { generate } from '../align/generate.js';
import { judge } from '../align/judge.js';
import type { PreparedPrompts } from '../align/prepare.js';
import { trainRl } from '../align/rl.js';
import { trainSft, type SftArm } from '../align/sft.js';
import type { StageContext } from '../align/stage.js';
import type { Technique } from '../prompts/jailbreaks/technique.js';
import { askedPrompts } from './first-run.js';
import { shareData } from './shared-data.js';
import type { FirstRun, OpenedArm } from './study.js';

export interface SftVariant {
  paths: RunPaths;
  /** Other prompts than the first run's. */
  prepared?: PreparedPrompts;
  /** Another compilation of the specification. */
  specs?: CompiledSpecs;
  /** Whether the judge has a say in what is learnt from; it has by default. */
  judged?: boolean;
  /** Techniques of wrapped copies, where the run has copies; all training families by default. */
  wrappers?: readonly Technique[];
}

export interface TrainedVariant {
  arm: OpenedArm;
  records: SftRecord[];
}

/**
 * Stages 1a to 1c in a folder of their own (paper, section 2.3).
 * @throws input error when nothing is left to learn from
 */
export async function sftVariant(first: FirstRun, variant: SftVariant): Promise<TrainedVariant> {
  const { prepared = first.prepared, specs = first.context.specs, paths, judged = true, wrappers } = variant;
  const context: StageContext = { ...first.context, paths, specs };
  const train = await inStage('categorise', () => categorise(context, prepared.train));
  const asked = askedPrompts(train, prepared.ordinary);
  await shareData(first.paths, context, asked);
  const completions = await inStage('generate', () => generate(context, asked));
  const judgements = judged ? await inStage('judge', () => judge(context, asked, completions)) : completions.map(alike);
  const { records } = filterCompletions(asked, completions, judgements, context.config.filter, context.config.seed, wrappers);
  await writeJsonl(paths.sftRecords(), records);
  return { arm: await trained(context, 'sft', records), records };
}

/** The answer-only baseline on the records of a variant that has been trained. */
export const answerOnlyVariant = ({ context }: FirstRun, { paths }: SftVariant, { records }: TrainedVariant): Promise<OpenedArm> =>
  trained({ ...context, paths }, 'answer-only', records);

async function trained(context: StageContext, arm: SftArm, records: readonly SftRecord[]): Promise<OpenedArm> {
  const digest = await trainSft(context, arm, records);
  return { model: await context.bench.tuned(context.paths.adapter(arm, 'sft')), digest, context: [] };
}

/** Every completion as good as any other: what passes the mechanical checks is drawn from by lot. */
const alike = ({ id }: Completion): Judgement => ({ id: contentId('alike', id), completionId: id, runs: [], score: 1 });

/** Stage 2 from G_base itself, without the SFT before it (paper, section 4.1: RL only). */
export async function rlOnly(first: FirstRun, paths: RunPaths): Promise<OpenedArm> {
  const { bench } = first.context;
  const context: StageContext = { ...first.context, paths };
  const start = path.join(paths.root, 'start');
  if (!existsSync(start)) {
    await bench.resetPolicy();
    await bench.trainer.save(start);
  }
  const { train, ordinary, validation } = first.prepared;
  const digest = await inStage('rl', () =>
    trainRl(context, {
      start: { folder: start, key: contentId('base', bench.digests) },
      train,
      ordinary: askedPrompts([], ordinary),
      validation,
    }),
  );
  return { model: await bench.tuned(paths.adapter('sft+rl', 'rl')), digest, context: [] };
}
