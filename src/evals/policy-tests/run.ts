/** Asks a model every case and grades what it says. */
import { DeliberateError } from '../../base/errors.js';
import { inParallel } from '../../base/parallel.js';
import type { Progress } from '../../base/progress.js';
import type { Message } from '../../base/records.js';
import { seedFrom } from '../../align/stage.js';
import type { ChatModel } from '../../engines/types.js';
import { splitCot } from '../../lm/split-cot.js';
import type { PolicyCase } from './cases.js';
import { gradeAnswer, unscoredAnswer, type GradedAnswer, type Verdict } from './grade.js';

export interface Asking {
  model: ChatModel;
  concurrency: number;
  /** Puts what stands before the conversation there. */
  layOut: (one: PolicyCase) => { messages: readonly Message[]; sharedMessages: number };
  /** Answers to every prompt; the worst counts. */
  samples: number;
  maxTokens: number;
  temperature: number;
  seed: number;
  cite: boolean;
  progress: Progress;
  signal?: AbortSignal;
}

export interface CaseResult {
  case: PolicyCase;
  verdict: Verdict;
  answers: GradedAnswer[];
}

/** Failures of the engine, one after the other, after which it is asked no more: each may have been waited for long. */
const hopeless = 8;

/** @throws what the model throws but a failure of the engine, which leaves its case unscored */
export async function runCases(cases: readonly PolicyCase[], asking: Asking): Promise<CaseResult[]> {
  const { progress, signal, cite, concurrency } = asking;
  const results = new Map<PolicyCase, GradedAnswer[]>();
  let failures = 0;
  const task = progress.task('spec test', cases.length);
  await inParallel(
    cases,
    concurrency,
    async (one) => {
      if (failures >= hopeless) {
        results.set(one, [unscoredAnswer('not asked: the engine had failed before')]);
        return task.advance();
      }
      try {
        const { answers, tokens } = await answersTo(one, asking, cite);
        results.set(one, answers);
        failures = 0;
        task.advance(1, tokens);
      } catch (error) {
        signal?.throwIfAborted();
        // What is wrong with the settings is so for every case.
        if (!(error instanceof DeliberateError) || error.kind !== 'dependency') throw error;
        failures++;
        results.set(one, [unscoredAnswer(error.message)]);
        task.advance();
      }
    },
    signal,
  );
  task.done();
  return cases.map((one) => {
    const answers = results.get(one) ?? [];
    return { case: one, verdict: verdictOf(answers), answers };
  });
}

async function answersTo(one: PolicyCase, asking: Asking, cite: boolean): Promise<{ answers: GradedAnswer[]; tokens: number }> {
  const { model, layOut, samples, maxTokens, temperature, signal } = asking;
  const { messages, sharedMessages } = layOut(one);
  const { choices, usage } = await model.chat({
    messages,
    maxTokens,
    temperature,
    n: samples,
    seed: seedFrom('spec test', asking.seed, one.messages),
    ...(sharedMessages > 0 && { sharedMessages }),
    ...(signal && { signal }),
  });
  const answers = Array.from({ length: samples }, (_, sample) => {
    const choice = choices[sample];
    if (choice === undefined) return unscoredAnswer('the engine gave fewer answers than asked for');
    return gradeAnswer(one, { ...splitCot(choice.text), stopReason: choice.stopReason }, cite);
  });
  return { answers, tokens: usage.completionTokens };
}

/** One failure is a failure, whatever was not answered. */
const verdictOf = (answers: readonly GradedAnswer[]): Verdict =>
  (['fail', 'unscored'] as const).find((verdict) => answers.some((answer) => answer.verdict === verdict)) ?? 'pass';
