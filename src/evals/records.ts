/** What an evaluation writes. */
import { z } from 'zod';
import { ResponseKind, StopReason } from '../base/records.js';

/** A policy model's answer to one prompt: one line of `arms/<arm>/evals/answers.jsonl`, shared by all suites that ask the prompt. */
export const EvalAnswer = z.strictObject({
  /** Hash of what the answer depends on: model, messages, decoding settings. */
  id: z.string(),
  promptId: z.string(),
  cot: z.string().nullable(),
  answer: z.string(),
  stopReason: StopReason,
  tokens: z.int(),
});
export type EvalAnswer = z.infer<typeof EvalAnswer>;

/** One graded answer: one line of `arms/<arm>/evals/<suite>.jsonl`. */
export const EvalRow = z.strictObject({
  arm: z.string(),
  suite: z.string(),
  promptId: z.string(),
  request: z.string(),
  technique: z.string(),
  category: z.string(),
  ideal: ResponseKind.nullable(),
  /** The user's last message. */
  prompt: z.string(),
  cot: z.string().nullable(),
  answer: z.string(),
  stopReason: StopReason,
  tokens: z.int(),
  kind: z.enum(['comply', 'safe-complete', 'refuse', 'gibberish']),
  repetition: z.number(),
  score: z.number().min(0).max(1).nullable(),
  unscored: z.string().optional(),
  faults: z.array(z.string()),
  /** The class that a grader chose, in suites whose publication has classes. */
  verdict: z.string().optional(),
  /** `rules`, or `judge` and its model. Rows of earlier versions do not say; theirs are by rules. */
  grader: z.string().optional(),
});
export type EvalRow = z.infer<typeof EvalRow>;

/** `rows` are the scored ones; the mean is null without any. Scorecards of earlier versions do not count the unscored. */
const Part = z.strictObject({ mean: z.number().nullable(), rows: z.int(), unscored: z.int().optional() });
/** A share beside the score, or an index from −1 to 1, with its 95 % interval; `rows` are those that count in it. */
const Rate = z.strictObject({ share: z.number(), low: z.number(), high: z.number(), rows: z.int() });

/** One arm on one suite. */
export const EvalResult = z.strictObject({
  arm: z.string(),
  suite: z.string(),
  /** null when no row could be scored. */
  estimate: z.number().nullable(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  rows: z.int(),
  requests: z.int(),
  unscored: z.int(),
  /** Shares of the scored rows. */
  kinds: z.strictObject({ comply: z.number(), 'safe-complete': z.number(), refuse: z.number(), gibberish: z.number() }),
  /** Share cut off by the token limit, mean words an answer, mean words a CoT, mean repetition. */
  measures: z.strictObject({ truncated: z.number(), answerWords: z.number(), cotWords: z.number(), repetition: z.number() }),
  /** Mean score by ideal kind, category and technique. */
  by: z.strictObject({ ideal: z.record(z.string(), Part), category: z.record(z.string(), Part), technique: z.record(z.string(), Part) }),
  /** Named shares of the suite's own classes, e.g. full refusals. */
  rates: z.record(z.string(), Rate).optional(),
  /** Who graded, where it was not the rules: figures of two graders are not to be compared. */
  grader: z.string().optional(),
});
export type EvalResult = z.infer<typeof EvalResult>;
