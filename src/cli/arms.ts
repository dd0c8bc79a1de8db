/** The arms of a run: which weights each stands for, and what each has in its context. */
import { armNames, type ArmName } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { Message } from '../base/records.js';
import { contentId } from '../base/records.js';
import type { RunPaths } from '../base/run-folder.js';
import type { ChatModel } from '../engines/types.js';
import { reasoningSystem } from '../align/instructions.js';
import type { StageContext } from '../align/stage.js';
import { finishedKey } from '../align/training-folder.js';

export interface Arm {
  name: ArmName;
  model: ChatModel;
  /** Hash of what its weights depend on. */
  digest: string;
  /** Messages before the conversation. */
  context: Message[];
}

/** Folder of the training that made the arm; null for those that were not trained. */
const trainingOf = { raw: null, base: null, 'base+spec': null, 'answer-only': 'sft', sft: 'sft', 'sft+rl': 'rl' } as const satisfies Record<
  ArmName,
  'sft' | 'rl' | null
>;

/** @throws input error when the arm's training has not been done */
export async function openArm({ bench, paths, specs }: Pick<StageContext, 'bench' | 'paths' | 'specs'>, name: ArmName): Promise<Arm> {
  const stage = trainingOf[name];
  if (stage !== null) {
    const key = await finishedKey(paths.training(name, stage));
    if (key === null)
      throw inputError(
        `${paths.training(name, stage)}: the arm ${name} has not been trained. Run \`deliberate ${stage} ${paths.root}\` first.`,
      );
    return { name, model: await bench.tuned(paths.adapter(name, stage)), digest: key, context: [] };
  }
  if (name === 'raw') {
    if (bench.raw === undefined) throw inputError('the arm raw needs an engine whose base has an adapter to leave away.');
    return { name, model: await bench.raw(), digest: contentId('raw', bench.digests.model), context: [] };
  }
  return {
    name,
    model: await bench.base(),
    digest: contentId('base', bench.digests),
    // The untrained base with the summarised specification at inference (paper, section 4.1).
    context: name === 'base+spec' ? [{ role: 'system', content: reasoningSystem(specs.summary()) }] : [],
  };
}

/** @throws input error that names the nearest arm */
export function armNamed(name: string): ArmName {
  const found = armNames.find((arm) => arm === name);
  if (found === undefined) throw inputError(`there is no arm ${name}${didYouMean(name, armNames)}; there are ${armNames.join(', ')}.`);
  return found;
}

/** The best there is: what was trained last, else the base. */
export async function lastTrained(paths: RunPaths): Promise<ArmName> {
  if ((await finishedKey(paths.training('sft+rl', 'rl'))) !== null) return 'sft+rl';
  return (await finishedKey(paths.training('sft', 'sft'))) === null ? 'base' : 'sft';
}
