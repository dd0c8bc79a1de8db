/**
 * What people say of a verdict: an append-only file beside the run's own, which nothing else writes. Each line is whole without
 * the run, so that a judge can be calibrated on it (`study.judge.labels`), also one of another run.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { JsonlLog } from '../base/jsonl.js';
import { contentId, Message } from '../base/records.js';
import { goodScore } from './filters.js';
import type { RunStore } from './store.js';

export const Override = z.strictObject({
  id: z.string(),
  /** Key of the record: `completion/<id>`, `rollout/<id>` or `eval/<arm>/<suite>/<promptId>`. */
  record: z.string(),
  promptId: z.string(),
  messages: z.array(Message).min(1),
  category: z.string(),
  answer: z.string(),
  /** SHA-256 of the answer that was looked at. The verdict holds for this answer only. */
  answerDigest: z.string(),
  /** 1: a good answer by the specification; 0: not; null: an earlier verdict is taken back. */
  verdict: z.union([z.literal(0), z.literal(1), z.null()]),
  /** The score that stood there: the judge's, or the grader's of an evaluation; null where it was unscored. */
  judged: z.number().nullable(),
  note: z.string(),
  at: z.iso.datetime(),
});
export type Override = z.infer<typeof Override>;

export const OverrideRequest = z.strictObject({
  record: z.string().max(1000),
  verdict: z.union([z.literal(0), z.literal(1), z.null()]),
  note: z.string().max(4000).default(''),
  /** Digest of the answer on the screen, so that a verdict never lands on an answer that has changed since. */
  answerDigest: z.string().length(64),
});
export type OverrideRequest = z.infer<typeof OverrideRequest>;

export const answerDigest = (answer: string): string => createHash('sha256').update(answer).digest('hex');

export const overridesFile = (root: string): string => path.join(root, 'overrides.jsonl');

/** Appends one verdict. @throws dependency error when the disk refuses */
export async function appendOverride(root: string, given: Omit<Override, 'id' | 'at'>, at = new Date()): Promise<Override> {
  const override = Override.parse({ id: contentId('override', given, at.toISOString()), ...given, at: at.toISOString() });
  const log = await JsonlLog.open(overridesFile(root), Override);
  try {
    await log.append(override);
  } finally {
    await log.close();
  }
  return override;
}

/** How scores and people agree, by where the score came from. Verdicts without a score count apart. */
export async function calibration(store: RunStore) {
  return store.rows(
    `select source, count(*)::INTEGER as verdicts, count(*) filter (where score is null)::INTEGER as unscored,
       count(*) filter (where score >= ${goodScore} and human = 1)::INTEGER as bothGood, count(*) filter (where score < ${goodScore} and human = 0)::INTEGER as bothBad,
       count(*) filter (where score >= ${goodScore} and human = 0)::INTEGER as tooKind, count(*) filter (where score < ${goodScore} and human = 1)::INTEGER as tooStrict
     from records where human is not null group by source order by source`,
  );
}
