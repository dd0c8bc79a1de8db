/** What an export takes out of a run folder. The specification is not among it: only its digests are. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ArmName, Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { readJsonl } from '../base/jsonl.js';
import { canonicalJson, Prompt, SftRecord } from '../base/records.js';
import { type Digests, readRunFile, RunPaths } from '../base/run-folder.js';
import { Categorised } from '../align/categorise.js';
import { withWrappedCopies } from '../align/rewrap.js';
import { notedSpecification } from '../align/trained-specification.js';
import { finishedKey } from '../align/training-folder.js';
import { Scorecard } from '../evals/scorecard.js';

const Funnel = z.array(z.object({ title: z.string(), count: z.int(), note: z.string().optional() }));
export type Funnel = z.infer<typeof Funnel>;

export interface RunContents {
  paths: RunPaths;
  config: Config;
  digests: Digests;
  /** As they were asked, of all splits; each with a category, `none` where nothing is known. */
  prompts: Prompt[];
  records: SftRecord[];
  /** Null where the stage has not run. */
  scorecard: Scorecard | null;
  funnel: Funnel | null;
}

/** @throws input error when there is no run, or its files contradict each other */
export async function readRun(root: string): Promise<RunContents> {
  const paths = new RunPaths(root);
  const stored = await readRunFile(paths);
  if (stored === null) throw inputError(`${root}: holds no run (run.yaml is missing). Give the folder of a run, for example runs/demo.`);
  const categories = new Map((await readJsonl(paths.categories(), Categorised)).map(({ promptId, category }) => [promptId, category]));
  const prompts = (await readJsonl(paths.prompts(), Prompt)).map((prompt) => ({
    ...prompt,
    category: prompt.category ?? categories.get(prompt.id) ?? 'none',
  }));
  const records = await readJsonl(paths.sftRecords(), SftRecord);
  refuseForeignMessages(paths, stored.config, prompts, records);
  return {
    paths,
    ...stored,
    prompts,
    records,
    scorecard: await optional(paths.scorecard(), Scorecard),
    funnel: await optional(paths.funnel(), Funnel),
  };
}

/**
 * A record's conversation is its prompt's, byte for byte, or a wrapped copy of it as the filter made it: what the filter promised is
 * checked again before anything leaves the run, for a file may have been edited.
 */
function refuseForeignMessages(paths: RunPaths, config: Config, prompts: readonly Prompt[], records: readonly SftRecord[]): void {
  const promptOf = new Map(prompts.map((prompt) => [prompt.id, prompt]));
  const plain = records.filter(({ technique }) => technique === undefined);
  const copies = new Set(withWrappedCopies(plain, promptOf, config.filter.wrappedCopies, config.seed).map(canonicalJson));
  const isOfPrompt = (record: SftRecord) =>
    record.technique === undefined
      ? canonicalJson(record.messages) === canonicalJson(promptOf.get(record.promptId)?.messages)
      : copies.has(canonicalJson(record));
  const foreign = records.find((record) => !isOfPrompt(record));
  if (foreign !== undefined)
    throw inputError(
      `${paths.sftRecords()}: the record ${foreign.id} has another conversation than its prompt ${foreign.promptId} in ${paths.prompts()}. Run \`deliberate filter ${paths.root}\` again; nothing was exported.`,
    );
}

async function optional<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw inputError(`${file}: cannot be read (${error.code}).`, error);
  });
  if (text === null) return null;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw inputError(`${file}: is not what this version writes. Run the stage that makes it again.`, error);
  }
}

/** Arms with weights of their own. */
const trainedArms = ['answer-only', 'sft', 'sft+rl'] as const satisfies readonly ArmName[];
type TrainedArm = (typeof trainedArms)[number];

/** The last arm that was trained, or `base`. */
export async function lastArm(paths: RunPaths): Promise<ArmName> {
  for (const arm of ['sft+rl', 'sft'] as const) if ((await finishedKey(paths.training(arm, stageOf(arm)))) !== null) return arm;
  return 'base';
}

/**
 * Folder of the adapter that makes the arm out of the model; null where the arm is the model itself.
 * @param base folder of the adapter that makes the model G_base; null where there is none
 * @throws input error for an arm that is not trained, or has no weights of its own
 */
export async function adapterFolder(paths: RunPaths, arm: ArmName, base: string | null): Promise<string | null> {
  if (arm === 'raw') return null;
  if (arm === 'base') return base;
  if (arm === 'base+spec')
    throw inputError('the arm base+spec is the base with the specification in its context: it has no weights of its own. Export base.');
  if ((await finishedKey(paths.training(arm, stageOf(arm)))) === null)
    throw inputError(
      `${paths.training(arm, stageOf(arm))}: the arm ${arm} has not been trained. Run \`deliberate ${stageOf(arm)} ${paths.root}\` first.`,
    );
  return paths.adapter(arm, stageOf(arm));
}

/** Digests, by category, of the specification that the arm was aligned to; the run's own where it was aligned to none. */
export async function specificationOf({ paths, digests }: RunContents, arm: ArmName): Promise<Record<string, string>> {
  const noted = isTrained(arm) ? await notedSpecification(paths.training(arm, stageOf(arm))) : null;
  return noted ?? digests.spec;
}

export const isTrained = (arm: ArmName): arm is TrainedArm => (trainedArms as readonly ArmName[]).includes(arm);

const stageOf = (arm: TrainedArm) => (arm === 'sft+rl' ? 'rl' : 'sft');
