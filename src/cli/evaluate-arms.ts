/** Evaluates every arm and writes the scorecard. */
import path from 'node:path';
import type { Config } from '../base/config.js';
import type { Prompt } from '../base/records.js';
import { inStage } from '../base/stage-scope.js';
import type { StageContext } from '../align/stage.js';
import { evaluateArm, type ArmResult } from '../evals/evaluate.js';
import { scorecard, type Scorecard } from '../evals/scorecard.js';
import { writeScorecard } from '../evals/scorecard-files.js';
import { openEvalJudge } from '../evals/judged/eval-judge.js';
import { mergeScorecards, storedResults, storedScorecard, type StoredResult } from '../evals/stored-results.js';
import { idleEncodings } from '../evals/select.js';
import { suites, type SuiteSizes } from '../evals/suites.js';
import { splitCot } from '../lm/split-cot.js';
import { openArm } from './arms.js';

export function suiteSizesOf({ plain, jailbroken, techniques, encoded }: Config['eval']): SuiteSizes {
  const half = Math.ceil(plain / 2);
  return {
    'forbidden-plain': plain,
    'forbidden-jailbreaks': jailbroken,
    encodings: encoded,
    'benign-twins': plain,
    'benign-twins-wrapped': plain,
    'transformation-exception': half,
    'policy-over-refusal': plain,
    'safe-completion-self-harm': half,
    'safe-completion-regulated-advice': half,
    'hard-refusal-style': plain,
    'policy-retrieval': 2 * plain,
    helpfulness: plain,
    techniques,
  };
}

/**
 * Results of sets that were asked by themselves stay in the scorecard as long as the weights of the arm are the same.
 * @throws input error when an arm is to be evaluated whose training has not been done
 */
export const evaluateArms = (context: StageContext, test: readonly Prompt[]): Promise<Scorecard> =>
  inStage('eval', () => evaluateAll(context, test));

async function evaluateAll(context: StageContext, test: readonly Prompt[]): Promise<Scorecard> {
  const { config, paths, progress, specs, signal } = context;
  const grader = context.bench.servers?.grader;
  // Its server keeps what it said, as for every role.
  const judge = grader === undefined ? null : await openEvalJudge(grader, { seed: config.seed, signal });
  if (judge !== null) progress.say(`eval: answers are graded by ${judge.model.name}, which sees the specification.`);
  const results: ArmResult[][] = [];
  const stored: StoredResult[][] = [];
  if (config.eval.encoded > 0)
    for (const [technique, count] of idleEncodings(test))
      progress.say(`eval: ${technique} finds nothing to change in ${count} of ${test.length} test prompts; they are not asked in it.`);
  for (const name of config.eval.arms) {
    if (name === 'sft+rl' && config.rl.steps === 0) continue;
    const arm = await openArm(context, name);
    let task: ReturnType<typeof progress.task> | undefined;
    let seen = { done: 0, tokens: 0 };
    const result = await evaluateArm({
      arm: name,
      model: arm.model,
      modelDigest: arm.digest,
      ...(arm.context.length > 0 && { contextFor: () => arm.context }),
      split: splitCot,
      suites,
      prompts: test,
      spec: specs.spec,
      judge,
      seed: config.seed,
      sizes: suiteSizesOf(config.eval),
      maxTokens: config.eval.maxTokens,
      out: paths.answers(name),
      ...(signal && { signal }),
      onProgress: ({ done, total, tokens }) => {
        task ??= progress.task(`eval ${name}`, total);
        task.advance(done - seen.done, tokens - seen.tokens);
        seen = { done, tokens };
      },
      onJudging: (rows) => {
        task?.done();
        task = progress.task(`grade ${name}`, rows);
      },
      onJudged: () => task?.advance(),
    });
    task?.done();
    results.push(result);
    stored.push(await storedResults(path.dirname(paths.answers(name)), arm.digest));
  }
  const card = mergeScorecards(scorecard(results, config.seed), storedScorecard(stored, config.seed));
  await writeScorecard(paths, card);
  return card;
}
