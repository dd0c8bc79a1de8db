/** Schemas of every record a run writes. Ids are content hashes of what a record depends on. */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export const schemaVersion = 1;

export const Role = z.enum(['system', 'user', 'assistant', 'tool']);
export const Message = z.strictObject({ role: Role, content: z.string() });
export type Message = z.infer<typeof Message>;

/** What was asked last; empty where no user speaks. */
export const lastRequest = (messages: readonly Message[]): string => messages.findLast(({ role }) => role === 'user')?.content ?? '';

/** The three kinds of ideal response (paper, section 2.2): full answer, safe completion, hard refusal. */
export const ResponseKind = z.enum(['comply', 'safe-complete', 'refuse']);
export type ResponseKind = z.infer<typeof ResponseKind>;

export const Split = z.enum(['train', 'validation', 'test']);
export type Split = z.infer<typeof Split>;

/** A conversation that ends on a user turn. `category` is undefined until categorised; `none` is explicit. */
export const Prompt = z.strictObject({
  id: z.string(),
  messages: z.array(Message).min(1),
  category: z.string().optional(),
  /** The response kind that the prompt's author had in mind. Never used as a label of an answer: balance, evaluation and the judge's optional hint only. */
  ideal: ResponseKind.optional(),
  split: Split.optional(),
  /** Id of the plain request that this prompt wraps; all its variants share it and stay in one split. */
  request: z.string(),
  /** Name of the jailbreak technique that wraps the request, `none` for plain. */
  technique: z.string().default('none'),
  /** benign-twin, transformation, ordinary, multi-turn … */
  tags: z.array(z.string()).default([]),
  source: z.string().default('deliberate'),
});
export type Prompt = z.infer<typeof Prompt>;

export const StopReason = z.enum(['stop', 'length', 'refusal', 'filter', 'error']);
export type StopReason = z.infer<typeof StopReason>;

/** A clause cited in a CoT: `subject: text [code]`. `quote` is the text between the subject and the code. */
export const Citation = z.strictObject({ code: z.string(), subject: z.string(), quote: z.string() });
export type Citation = z.infer<typeof Citation>;

/** Mechanical checks of a completion against the specification; null where there was nothing to check. */
export const Checks = z.strictObject({
  wellFormed: z.boolean(),
  citedClauseExists: z.boolean().nullable(),
  quoteOccurs: z.boolean().nullable(),
  rulingMatchesDecision: z.boolean().nullable(),
  answerMatchesDecision: z.boolean().nullable(),
  /** The CoT speaks of a policy "above" or "provided", which will not be there after distillation. */
  leaksSpec: z.boolean(),
});
export type Checks = z.infer<typeof Checks>;

export const Completion = z.strictObject({
  id: z.string(),
  promptId: z.string(),
  sample: z.int(),
  cot: z.string().nullable(),
  answer: z.string(),
  stopReason: StopReason,
  /** Answers that were tried behind this CoT, where it was more than the one that came with it. */
  answersTried: z.int().min(2).optional(),
  /** Citations that were nearly right and were put right; the CoT is kept as repaired. */
  repaired: z.int().min(0).default(0),
  decision: ResponseKind.nullable(),
  citations: z.array(Citation),
  checks: Checks,
});
export type Completion = z.infer<typeof Completion>;

/** One run of the judge; score in [0, 1], null = unscored, with the reason. */
export const JudgeRun = z.strictObject({
  score: z.number().min(0).max(1).nullable(),
  rationale: z.string(),
  unscored: z.string().optional(),
  /** Where a metadata hint was given: whether the judge agreed with it. */
  agreesWithHint: z.boolean().optional(),
});
export type JudgeRun = z.infer<typeof JudgeRun>;

export const Judgement = z.strictObject({
  id: z.string(),
  completionId: z.string(),
  runs: z.array(JudgeRun),
  /** Minimum over the k runs (paper, section 2.3.2); null if any run stayed unscored. */
  score: z.number().min(0).max(1).nullable(),
});
export type Judgement = z.infer<typeof Judgement>;

/** What SFT sees. Strict: there is no room for a specification; `messages` are the prompt's own, byte for byte. */
export const SftRecord = z.strictObject({
  id: z.string(),
  promptId: z.string(),
  messages: z.array(Message).min(1),
  cot: z.string(),
  answer: z.string().min(1),
  /** Jailbreak technique that the prompt's conversation was wrapped in after judging. Left out: it is the prompt's own. */
  technique: z.string().optional(),
});
export type SftRecord = z.infer<typeof SftRecord>;

/** What a judge may see in RL: there is no field for a CoT (paper, section 2.4). */
export interface JudgeRequest {
  readonly messages: readonly Message[];
  readonly answer: string;
  readonly category: string;
}

/** Hex id of 16 digits from the canonical JSON of its parts. */
export function contentId(...parts: unknown[]): string {
  return createHash('sha256').update(canonicalJson(parts)).digest('hex').slice(0, 16);
}

/** JSON with sorted keys, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) =>
    v !== null && typeof v === 'object' && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : v,
  );
}
