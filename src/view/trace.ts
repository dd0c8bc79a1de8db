/** One record with all that belongs to it: what was asked, thought, cited, answered, judged and checked. */
import { z } from 'zod';
import { checkCompletion } from '../align/check.js';
import { inputError } from '../base/errors.js';
import { Checks, JudgeRun, Message, type StopReason } from '../base/records.js';
import { markCitations } from '../report/examples.js';
import { clauseBook } from './clauses.js';
import { answerDigest } from './overrides.js';
import type { Row, RunStore } from './store.js';

const Messages = z.array(Message);
const Runs = z.array(z.looseObject({ score: JudgeRun.shape.score, rationale: z.string(), unscored: z.string().nullish() }));

/** Records on the same prompt that are listed beside it. */
const mostRelated = 60;

/** @throws input error when there is no such record */
export async function trace(store: RunStore, key: string) {
  const [record] = await store.rows('select * exclude (text, n) from records where key = $1', [key]);
  if (record === undefined) throw inputError(`there is no record ${key}. The run may have been made again since; go back to the list.`);
  const id = key.slice(key.indexOf('/') + 1);
  const book = clauseBook(store.spec);
  const lines = Object.fromEntries([...book].map(([code, entry]) => [code, entry.line]));
  const cot = record['cot'] as string | null;
  const pieces = cot === null ? [] : withCodes(markCitations(cot, lines));
  const [judged, rollout, asked, related, override] = await Promise.all([
    first(store, 'select last.runs as runs from judged where completionId = $1', id),
    record['source'] === 'rl'
      ? first(store, 'select outcome, reward, advantage, tokens, judgeRequest, judgeRuns from raw_rollouts where id = $1', id)
      : null,
    first(store, 'select messages, tags from prompts where id = $1', String(record['promptId'])),
    store.rows(
      `select key, source, arm, suite, step, sample, decision, kind, score, state, human from records where promptId = $1
       order by source, suite, arm, step, sample limit ${mostRelated}`,
      [String(record['promptId'])],
    ),
    first(store, 'select verdict, note, "at", answerDigest from raw_overrides where record = $1 order by rowid desc limit 1', key),
  ]);
  return {
    ...record,
    messages: Messages.safeParse(asked?.['messages']).data ?? [{ role: 'user', content: text(record['prompt']) ?? '' }],
    tags: asked?.['tags'] ?? [],
    pieces,
    clauses: Object.fromEntries((record['codes'] as string[]).flatMap((code) => (book.has(code) ? [[code, book.get(code)]] : []))),
    checks: await checksOf(store, record, id),
    runs: Runs.safeParse(rollout?.['judgeRuns'] ?? judged?.['runs']).data ?? [],
    rollout,
    override: override ?? null,
    answerDigest: answerDigest(String(record['answer'])),
    related,
  };
}

/** As stored for completions; made now for the others, which the method never checks. Null where there is no CoT to check. */
async function checksOf(store: RunStore, record: Row, id: string): Promise<Checks | null> {
  if (record['source'] === 'generate') {
    const stored = await first(store, 'select checks from raw_completions where id = $1', id);
    return Checks.safeParse(stored?.['checks']).data ?? null;
  }
  const cot = record['cot'] as string | null;
  if (cot === null) return null;
  const faults = record['faults'] as string[];
  return checkCompletion({
    cot,
    answer: String(record['answer']),
    malformed: faults.includes('malformed'),
    stopReason: faults.includes('truncated') ? 'length' : ((record['stopReason'] as StopReason | null) ?? 'stop'),
    spec: store.spec,
    category: text(record['category']) ?? 'none',
  }).checks;
}

const first = async (store: RunStore, sql: string, parameter: string): Promise<Row | null> =>
  (await store.rows(sql, [parameter]))[0] ?? null;

/** The code that a marked piece cites. */
const withCodes = (pieces: ReturnType<typeof markCitations>) =>
  pieces.map(({ text, citation }) =>
    citation === undefined ? { text } : { text, citation, code: /\[([A-Z][A-Za-z0-9-]{0,11})\]\s*$/.exec(text)?.[1] ?? '' },
  );

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
