/** Asks chosen arms of a finished run one set, and adds it to the run's evaluations and scorecard. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import type { ArmName } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { Prompt } from '../base/records.js';
import { readJsonl } from '../base/jsonl.js';
import type { StageContext } from '../align/stage.js';
import { chooseTechniques, type ChosenTechniques } from '../evals/attacks/techniques.js';
import { chooseRequests, evaluateSet } from '../evals/evaluate-set.js';
import { LoggedModel, ReplyLog } from '../evals/logged-model.js';
import type { EvalJudge } from '../evals/judged/eval-judge.js';
import { Scorecard } from '../evals/scorecard.js';
import type { EvaluationSet, ReadSet } from '../evals/sets/evaluation-set.js';
import { mergeScorecards, storedResults, storedScorecard, storeResult, type StoredResult } from '../evals/stored-results.js';
import { splitCot } from '../lm/split-cot.js';
import { openArm } from './arms.js';

export interface SuiteChoice {
  set: EvaluationSet;
  /** The user's file; undefined for our own sets. */
  file: string | undefined;
  arms: readonly ArmName[];
  /** Most requests of each part. */
  requests: number;
  /** Left out: what the set is usually put into. */
  techniques: readonly string[] | undefined;
}

/** Room for a judge's reason beside its verdict, and for what an attacker writes. */
const verdictTokens = 512;
const attackTokens = 1024;

/** What is known before a model is loaded. @throws input error for what the set needs and is not there, and for a file not in its form */
export async function readChoice(
  { set, file, requests, techniques }: SuiteChoice,
  { config, paths }: Pick<StageContext, 'config' | 'paths'>,
): Promise<ReadSet & { techniques: ChosenTechniques; names: readonly string[] }> {
  if (set.format !== null && file === undefined)
    throw inputError(`--suite ${set.name}: needs --file with the published file (${set.format}); it is not bundled.`);
  if (set.format === null && file !== undefined) throw inputError(`--suite ${set.name}: is one of our own; leave --file out.`);
  if (set.needsJudge && config.judge.engine === undefined)
    throw inputError(
      `--suite ${set.name}: only a judge on a server can grade it: add --set judge.engine=openai --set judge.baseUrl=… --set judge.model=….`,
    );
  const names = techniques ?? set.techniques ?? ['none'];
  const chosen = chooseTechniques(names);
  if (chosen.written.length > 0 && config.attacker === undefined)
    throw inputError(
      `--technique ${chosen.written[0]!.name}: is written by an attacker model: add --set attacker.engine=openai --set attacker.baseUrl=… --set attacker.model=….`,
    );
  const prompts = (await readJsonl(paths.prompts(), Prompt)).filter(({ split, technique }) => split === 'test' && technique === 'none');
  const { items, leftOut } = await set.read({ file, prompts });
  if (items.length === 0) throw inputError(`--suite ${set.name}: there is nothing to ask${file === undefined ? '' : ` in ${file}`}.`);
  return { items: chooseRequests(items, requests, config.seed), leftOut, techniques: chosen, names };
}

/** @returns the scorecard of this set's suites alone. @throws what the models throw; calling again goes on */
export async function evaluateSuite(context: StageContext, choice: SuiteChoice): Promise<Scorecard> {
  const { bench, config, paths, progress, signal } = context;
  const { set, file } = choice;
  const { items, leftOut, techniques, names } = await readChoice(choice, context);
  for (const [reason, count] of Object.entries(leftOut)) progress.say(`${set.name}: ${count} left out (${reason}).`);
  const source = file === undefined ? null : { name: path.basename(file), sha256: await sha256(file) };
  const judgeServer = bench.servers?.judge;
  const attackServer = techniques.written.length > 0 ? bench.servers?.attacker : undefined;
  const replies = await ReplyLog.open(path.join(paths.file('cache'), 'evals.jsonl'));
  try {
    const judge: EvalJudge | null =
      judgeServer === undefined
        ? null
        : {
            model: new LoggedModel(await judgeServer.open(), judgeServer.digest, replies, signal),
            seed: config.seed,
            maxTokens: verdictTokens,
            concurrency: judgeServer.concurrency,
          };
    if (judge === null) progress.say(`${set.name}: no judge is configured on a server, so answers are graded by the published rules.`);
    const attacker = attackServer && {
      model: new LoggedModel(await attackServer.open(), attackServer.digest, replies, signal),
      maxTokens: attackTokens,
      concurrency: attackServer.concurrency,
    };
    const stored: StoredResult[][] = [];
    for (const name of choice.arms) {
      const arm = await openArm(context, name);
      const out = paths.answers(name);
      let task: ReturnType<typeof progress.task> | undefined;
      let seen = { done: 0, tokens: 0 };
      const { results, failed } = await evaluateSet({
        arm: name,
        set,
        items,
        techniques,
        judge,
        model: arm.model,
        modelDigest: arm.digest,
        ...(arm.context.length > 0 && { contextFor: () => arm.context }),
        ...(attacker && { attacker }),
        split: splitCot,
        seed: config.seed,
        maxTokens: config.eval.maxTokens,
        out,
        ...(signal && { signal }),
        onProgress: ({ done, total, tokens }) => {
          task ??= progress.task(`${set.name} ${name}`, total);
          task.advance(done - seen.done, tokens - seen.tokens);
          seen = { done, tokens };
        },
      });
      task?.done();
      for (const [reason, count] of Object.entries(failed))
        progress.say(`${set.name} ${name}: ${count} attacks did not come about (${reason}).`);
      for (const { result, units } of results) {
        const { name: suite, title, metric, group } = set.parts.find((part) => part.name === result.suite)!;
        await storeResult(path.dirname(out), {
          modelDigest: arm.digest,
          suite: { name: suite, title, metric, group },
          result,
          units,
          source: { set: set.name, file: source, judge: judge?.model.name ?? null, techniques: [...names], leftOut, failedAttacks: failed },
        });
      }
      stored.push((await storedResults(path.dirname(out), arm.digest)).filter((one) => one.source.set === set.name));
    }
    const card = storedScorecard(stored, config.seed);
    await addToScorecard(paths.scorecard(), card);
    return card;
  } finally {
    await replies.close();
  }
}

async function addToScorecard(file: string, card: Scorecard): Promise<void> {
  const before = existsSync(file) ? await readScorecard(file) : null;
  await writeTextAtomically(file, `${JSON.stringify(before === null ? card : mergeScorecards(before, card), null, 1)}\n`);
}

async function readScorecard(file: string): Promise<Scorecard> {
  try {
    return Scorecard.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw inputError(`${file}: is not what this version writes. Run \`deliberate eval\` on the run once more, then this.`, error);
  }
}

const sha256 = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
