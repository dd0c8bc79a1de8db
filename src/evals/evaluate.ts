/** Asks one arm's model the prompts of all suites and grades the answers. Resumable at any instant. */
import path from 'node:path';
import pLimit from 'p-limit';
import { writeJsonl } from '../base/jsonl.js';
import { contentId, type Message, type Prompt } from '../base/records.js';
import type { ChatModel } from '../engines/types.js';
import type { Spec } from '../align/spec/types.js';
import { openLog } from './answer-log.js';
import { gradeRows } from './grade-rows.js';
import type { EvalJudge } from './judged/eval-judge.js';
import { plainRequests } from './judged/suite-grades.js';
import type { EvalAnswer, EvalResult } from './records.js';
import { summarise, units, type Unit } from './results.js';
import type { Suite, SuiteSizes } from './suites.js';

export interface ArmEvaluation {
  arm: string;
  model: ChatModel;
  /** Digest of the weights (adapter included): an arm that was trained anew is asked anew. */
  modelDigest: string;
  /** System messages before the conversation, for the arm that has the specification in its context. */
  contextFor?: (prompt: Prompt) => Message[];
  /** Parts CoT and answer: the same splitter as everywhere else. */
  split: (text: string) => { cot: string | null; answer: string };
  suites: readonly Suite[];
  prompts: readonly Prompt[];
  spec: Spec;
  /** Left out or null: answers are graded by the published rules. It sees the specification; nothing may learn from what it says. */
  judge?: EvalJudge | null;
  seed: number;
  sizes: SuiteSizes;
  /** Most tokens of CoT and answer together. */
  maxTokens: number;
  /** Default 0: greedy. */
  temperature?: number;
  /** Append-only JSONL file of the answers; the graded rows are written beside it as `<suite>.jsonl`. */
  out: string;
  signal?: AbortSignal;
  onProgress?: (progress: EvalProgress) => void;
  /** Before the judge grades so many answers, and after each of them. */
  onJudging?: (rows: number) => void;
  onJudged?: () => void;
}

export interface EvalProgress {
  done: number;
  total: number;
  /** Completion tokens of this call. */
  tokens: number;
}

export interface ArmResult {
  result: EvalResult;
  /** Scored units, for paired comparison with other arms. */
  units: Unit[];
}

/** More than any engine works on at once, few enough to stop soon. */
const mostOutstanding = 256;

/**
 * Evaluates one arm. A prompt that several suites ask is answered once. Answers that the file `out` holds already are not asked again.
 * @throws what the model throws (an unreachable server, an abort), after the answers that came in were written: call again to go on.
 */
export async function evaluateArm(evaluation: ArmEvaluation): Promise<ArmResult[]> {
  const { arm, suites, spec, seed, signal } = evaluation;
  const plainOf = plainRequests(evaluation.prompts);
  const asked = suites
    .filter((suite) => evaluation.sizes[suite.name] > 0)
    .map((suite) => ({ suite, prompts: suite.select({ prompts: evaluation.prompts, spec, seed, sizes: evaluation.sizes }) }));
  const answers = await answerPrompts(
    evaluation,
    asked.flatMap(({ prompts }) => prompts),
  );
  signal?.throwIfAborted();

  if (evaluation.judge)
    evaluation.onJudging?.(asked.reduce((sum, { suite, prompts }) => sum + (suite.judged === null ? 0 : prompts.length), 0));
  const results: ArmResult[] = [];
  for (const { suite, prompts } of asked) {
    const rows = await gradeRows(evaluation, suite, prompts, answers, plainOf);
    await writeJsonl(path.join(path.dirname(evaluation.out), `${suite.name}.jsonl`), rows);
    results.push({ result: summarise(arm, suite, rows, seed), units: units(suite, rows) });
  }
  return results;
}

/** What asking needs. */
export type Asking = Omit<ArmEvaluation, 'arm' | 'suites' | 'prompts' | 'spec' | 'sizes' | 'judge' | 'onJudging' | 'onJudged'>;

/** The answer to every prompt, by prompt id. @throws as `evaluateArm` */
export async function answerPrompts(evaluation: Asking, prompts: readonly Prompt[]): Promise<Map<string, EvalAnswer>> {
  const { model, seed, maxTokens, temperature = 0, signal, contextFor } = evaluation;
  const requests = new Map(
    prompts.map((prompt) => {
      const context = contextFor?.(prompt) ?? [];
      const messages = [...context, ...prompt.messages];
      const id = contentId('eval', evaluation.modelDigest, messages, { maxTokens, temperature, seed: temperature === 0 ? 0 : seed });
      return [prompt.id, { id, promptId: prompt.id, messages, shared: context.length }];
    }),
  );
  const log = await openLog(evaluation.out);
  const progress: EvalProgress = { done: 0, total: requests.size, tokens: 0 };
  const report = (tokens: number) => {
    progress.done++;
    progress.tokens += tokens;
    evaluation.onProgress?.({ ...progress });
  };
  const limit = pLimit(mostOutstanding);
  let failed: unknown;
  const answers = new Map<string, EvalAnswer>();
  try {
    const jobs = [...requests.values()].map((request) => {
      const have = log.answers.get(request.id);
      if (have !== undefined) {
        answers.set(request.promptId, { ...have, promptId: request.promptId });
        report(0);
        return Promise.resolve();
      }
      return limit(async () => {
        if (failed !== undefined || signal?.aborted === true) return;
        try {
          const response = await model.chat({
            messages: request.messages,
            maxTokens,
            temperature,
            seed,
            ...(request.shared > 0 && { sharedMessages: request.shared }),
            ...(signal && { signal }),
          });
          const choice = response.choices[0];
          const { cot, answer: text } = evaluation.split(choice?.text ?? '');
          const answer: EvalAnswer = {
            id: request.id,
            promptId: request.promptId,
            cot,
            answer: text,
            stopReason: choice?.stopReason ?? 'error',
            tokens: choice?.tokens ?? 0,
          };
          // An engine's failure is not kept, so that going on asks again; this time it counts as unscored.
          if (answer.stopReason !== 'error') await log.append(answer);
          answers.set(request.promptId, answer);
          report(answer.tokens);
        } catch (error) {
          failed ??= error;
        }
      });
    });
    // Others in flight are waited for, so that what they bring is kept.
    await Promise.all(jobs);
  } finally {
    await log.close();
  }
  if (failed !== undefined) throw failed;
  return answers;
}
