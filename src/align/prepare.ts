/** Chooses the prompts of a run: training, ordinary, validation; a share of them wrapped in jailbreaks of the training families. */
import { writeJsonl } from '../base/jsonl.js';
import { inputError } from '../base/errors.js';
import { Random } from '../base/random.js';
import type { Prompt } from '../base/records.js';
import { trainingFamilies, wrapPrompt } from '../prompts/jailbreaks/wrap.js';
import { sampleEvenly } from '../prompts/sample-evenly.js';
import { splitPrompts } from '../prompts/split.js';
import { isOrdinary, type StageContext } from './stage.js';

export interface PreparedPrompts {
  /** Prompts on which a policy has something to say. Labels serve balance alone. */
  train: Prompt[];
  ordinary: Prompt[];
  /** Evaluation during RL: the only place outside the suites where `ideal` is looked at. */
  validation: Prompt[];
  /** Test split, plain; the suites choose and wrap. */
  test: Prompt[];
}

/**
 * Pure in its arguments: the same prompts, settings and seed choose the same.
 * @throws input error when a split has nothing to train on
 */
export function choosePrompts(given: readonly Prompt[], settings: StageContext['config']['prompts'], seed: number): PreparedPrompts {
  const all = given.every(({ split }) => split === undefined) ? splitPrompts(given, { seed }) : given;
  const of = (split: Prompt['split'], fits: (prompt: Prompt) => boolean) =>
    all.filter((prompt) => prompt.split === split && prompt.technique === 'none' && fits(prompt));
  const wrap = (prompt: Prompt): Prompt => wrapSome(prompt, settings.wrappedShare, seed);
  const train = sampleEvenly(
    of('train', (prompt) => !isOrdinary(prompt)),
    settings.train,
    seed,
  ).map(wrap);
  if (train.length === 0)
    throw inputError('no prompt of the training split speaks of any policy; give prompts with split "train", or without any split.');
  return {
    train,
    ordinary: sampleEvenly(of('train', isOrdinary), settings.ordinary, seed).map(wrap),
    validation: sampleEvenly(
      of('validation', ({ ideal }) => ideal !== undefined),
      settings.validation,
      seed,
    ).map(wrap),
    test: of('test', () => true),
  };
}

/** Requests of all kinds are wrapped alike, so that a wrapper says nothing about the request in it. */
function wrapSome(prompt: Prompt, share: number, seed: number): Prompt {
  const random = new Random(`wrap ${seed} ${prompt.request}`);
  return random.uniform() < share ? wrapPrompt(prompt, random.pick(trainingFamilies), random) : prompt;
}

/** Writes prompts.jsonl: all prompts of the run as they are asked. */
export async function prepare(
  { paths, config }: Pick<StageContext, 'paths' | 'config'>,
  given: readonly Prompt[],
): Promise<PreparedPrompts> {
  const prepared = choosePrompts(given, config.prompts, config.seed);
  await writeJsonl(paths.prompts(), [...prepared.train, ...prepared.ordinary, ...prepared.validation, ...prepared.test]);
  return prepared;
}
