/** From the name of a set to graded answers of an arm: what `eval --suite` and the study of suites have in common. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import type { Progress } from '../base/progress.js';
import type { Message, Prompt } from '../base/records.js';
import type { ChatModel } from '../engines/types.js';
import type { Workbench } from '../engines/workbench.js';
import { splitCot } from '../lm/split-cot.js';
import { readSuffixes } from '../prompts/jailbreaks/suffix.js';
import { chooseTechniques, type ChosenTechniques } from './attacks/techniques.js';
import type { ArmResult } from './evaluate.js';
import { chooseRequests, evaluateSet, type SetEvaluation } from './evaluate-set.js';
import { openEvalJudge, type EvalJudge } from './judged/eval-judge.js';
import { LoggedModel, type ReplyLog } from './logged-model.js';
import type { EvaluationSet, ReadSet } from './sets/evaluation-set.js';
import { storeResult } from './stored-results.js';

export interface SetChoice {
  set: EvaluationSet;
  /** The user's file; undefined for our own sets. */
  file: string | undefined;
  /** Most requests of each part. */
  requests: number;
  /** Left out: what the set is usually put into. */
  techniques?: readonly string[] | undefined;
  /** File of the suffixes that `gcg_transfer_*` puts behind a request. */
  suffixes?: string | undefined;
  /** Whether prompts that hold nothing for the set are no mistake: its items are none then. */
  mayBeEmpty?: boolean;
  /** Where the choice was made, for messages: `--suite bbq` and `--file`. */
  said: { set: string; file: string };
}

/** What is asked, and where it came from. */
export interface ChosenSet extends ReadSet {
  set: EvaluationSet;
  techniques: ChosenTechniques;
  /** Of the techniques, as they were given. */
  names: readonly string[];
  file: string | undefined;
}

/**
 * What is known before a model is loaded.
 * @param prompts test prompts of the run, plain
 * @throws input error for what the set needs and is not there, and for a file not in its form
 */
export async function chooseSet(
  { set, file, requests, techniques, suffixes, said, mayBeEmpty = false }: SetChoice,
  { judge, attacker, seed, eval: { judge: grader } }: Pick<Config, 'judge' | 'attacker' | 'seed' | 'eval'>,
  prompts: readonly Prompt[],
): Promise<ChosenSet> {
  if (set.format !== null && file === undefined)
    throw inputError(`${said.set}: needs ${said.file} with the published file (${set.format}); it is not bundled.`);
  if (set.format === null && file !== undefined) throw inputError(`${said.set}: is one of our own; leave ${said.file} out.`);
  if (set.needsJudge && judge.engine === undefined && grader === undefined)
    throw inputError(
      `${said.set}: only a judge on a server can grade it: add --set judge.engine=openai --set judge.baseUrl=… --set judge.model=….`,
    );
  const asked = techniques ?? set.techniques ?? ['none'];
  const chosen = chooseTechniques(asked, suffixes === undefined ? undefined : await readSuffixes(suffixes));
  // The name of a suffix does not say which it was.
  const digest = suffixes === undefined ? '' : ` (suffixes ${(await sha256(suffixes)).slice(0, 12)})`;
  const names = asked.map((name) => (name.includes('gcg_transfer_') ? `${name}${digest}` : name));
  if (chosen.written.length > 0 && attacker === undefined)
    throw inputError(
      `--technique ${chosen.written[0]!.name}: is written by an attacker model: add --set attacker.engine=openai --set attacker.baseUrl=… --set attacker.model=….`,
    );
  const { items, leftOut, noted = {} } = await set.read({ file, prompts });
  if (items.length === 0 && !mayBeEmpty)
    throw inputError(`${said.set}: there is nothing to ask${file === undefined ? '' : ` in ${file}`}.`);
  return { set, file, items: chooseRequests(items, requests, seed), leftOut, noted, techniques: chosen, names };
}

/** Models beside the one that is asked. */
export interface Helpers {
  /** Null: graded by the published rules. */
  judge: EvalJudge | null;
  attacker: NonNullable<SetEvaluation['attacker']> | undefined;
}

/** Room for what an attacker writes. */
const attackTokens = 1024;

/** Opens the servers that the settings name for a judge and, where a technique needs one, an attacker. */
export async function openHelpers(
  { servers }: Pick<Workbench, 'servers'>,
  { seed, replies, attacked, signal }: { seed: number; replies: ReplyLog; attacked: boolean; signal?: AbortSignal | undefined },
): Promise<Helpers> {
  // The judge of the training grades where evaluations have none of their own.
  const judge = servers?.grader ?? servers?.judge;
  const attacker = attacked ? servers?.attacker : undefined;
  return {
    judge: judge === undefined ? null : await openEvalJudge(judge, { seed, replies, signal }),
    attacker: attacker && {
      model: new LoggedModel(await attacker.open(), attacker.digest, replies, signal),
      maxTokens: attackTokens,
      concurrency: attacker.concurrency,
    },
  };
}

export interface SetAsking extends Helpers {
  arm: { name: string; model: ChatModel; digest: string; context: Message[] };
  seed: number;
  maxTokens: number;
  /** File of the arm's answers; rows and results are put beside it. */
  out: string;
  progress: Progress;
  signal?: AbortSignal | undefined;
}

/** Asks an arm a set and keeps rows and results. @throws what the models throw; calling again goes on */
export async function askSet(chosen: ChosenSet, asking: SetAsking): Promise<ArmResult[]> {
  const { set, file, items, leftOut, noted = {}, techniques, names } = chosen;
  const { arm, judge, attacker, seed, maxTokens, out, progress, signal } = asking;
  let task: ReturnType<Progress['task']> | undefined;
  let seen = { done: 0, tokens: 0 };
  const { results, failed } = await evaluateSet({
    arm: arm.name,
    set,
    items,
    techniques,
    judge,
    model: arm.model,
    modelDigest: arm.digest,
    ...(arm.context.length > 0 && { contextFor: () => arm.context }),
    ...(attacker && { attacker }),
    split: splitCot,
    seed,
    maxTokens,
    out,
    ...(signal && { signal }),
    onProgress: ({ done, total, tokens }) => {
      task ??= progress.task(`${set.name} ${arm.name}`, total);
      task.advance(done - seen.done, tokens - seen.tokens);
      seen = { done, tokens };
    },
  });
  task?.done();
  for (const [reason, count] of Object.entries(failed))
    progress.say(`${set.name} ${arm.name}: ${count} attacks did not come about (${reason}).`);
  const source = file === undefined ? null : { name: path.basename(file), sha256: await sha256(file) };
  for (const { result, units } of results) {
    const { name, title, metric, group } = set.parts.find((part) => part.name === result.suite)!;
    await storeResult(path.dirname(out), {
      modelDigest: arm.digest,
      suite: { name, title, metric, group },
      result,
      units,
      source: {
        set: set.name,
        file: source,
        judge: judge?.model.name ?? null,
        techniques: [...names],
        leftOut,
        noted,
        failedAttacks: failed,
      },
    });
  }
  return results;
}

export const sha256 = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
