/** Asks chosen arms of a finished run one set, and adds it to the run's evaluations and scorecard. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ArmName } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { Prompt } from '../base/records.js';
import { readJsonl } from '../base/jsonl.js';
import type { RunPaths } from '../base/run-folder.js';
import type { StageContext } from '../align/stage.js';
import { askSet, chooseSet, openHelpers, type ChosenSet, type SetChoice } from '../evals/ask-set.js';
import { ReplyLog } from '../evals/logged-model.js';
import { Scorecard } from '../evals/scorecard.js';
import { writeScorecard } from '../evals/scorecard-files.js';
import { mergeScorecards, storedResults, storedScorecard, type StoredResult } from '../evals/stored-results.js';
import { openArm } from './arms.js';

export interface SuiteChoice extends Omit<SetChoice, 'said'> {
  arms: readonly ArmName[];
}

/** @throws as `chooseSet` */
export async function readChoice(choice: SuiteChoice, { config, paths }: Pick<StageContext, 'config' | 'paths'>): Promise<ChosenSet> {
  const prompts = (await readJsonl(paths.prompts(), Prompt)).filter(({ split, technique }) => split === 'test' && technique === 'none');
  return chooseSet({ ...choice, said: { set: `--suite ${choice.set.name}`, file: '--file' } }, config, prompts);
}

/** @returns the scorecard of this set's suites alone. @throws what the models throw; calling again goes on */
export async function evaluateSuite(context: StageContext, choice: SuiteChoice): Promise<Scorecard> {
  const { bench, config, paths, progress, signal } = context;
  const { set } = choice;
  const chosen = await readChoice(choice, context);
  for (const [reason, count] of Object.entries(chosen.leftOut)) progress.say(`${set.name}: ${count} left out (${reason}).`);
  for (const [what, count] of Object.entries(chosen.noted ?? {})) progress.say(`${set.name}: ${count} of the file’s rows ${what}.`);
  const replies = await ReplyLog.open(path.join(paths.file('cache'), 'evals.jsonl'));
  try {
    const attacked = chosen.techniques.written.length > 0;
    const helpers = await openHelpers(bench, { seed: config.seed, replies, attacked, signal });
    if (helpers.judge === null)
      progress.say(`${set.name}: no judge is configured on a server, so answers are graded by the published rules.`);
    const stored: StoredResult[][] = [];
    for (const name of choice.arms) {
      const arm = await openArm(context, name);
      const out = paths.answers(name);
      await askSet(chosen, { ...helpers, arm, seed: config.seed, maxTokens: config.eval.maxTokens, out, progress, signal });
      stored.push((await storedResults(path.dirname(out), arm.digest)).filter((one) => one.source.set === set.name));
    }
    const card = storedScorecard(stored, config.seed);
    await addToScorecard(paths, card);
    return card;
  } finally {
    await replies.close();
  }
}

async function addToScorecard(paths: RunPaths, card: Scorecard): Promise<void> {
  const before = existsSync(paths.scorecard()) ? await readScorecard(paths.scorecard()) : null;
  await writeScorecard(paths, before === null ? card : mergeScorecards(before, card));
}

async function readScorecard(file: string): Promise<Scorecard> {
  try {
    return Scorecard.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw inputError(`${file}: is not what this version writes. Run \`deliberate eval\` on the run once more, then this.`, error);
  }
}
