/** Prompts around the edges of clauses: written once by a model, kept in a file beside the specification, asked again as they stand. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readJsonl, writeJsonl } from '../../base/jsonl.js';
import type { Progress } from '../../base/progress.js';
import { contentId, Message, ResponseKind, type Prompt } from '../../base/records.js';
import { clauseLine } from '../../align/spec/lines.js';
import type { Category, Clause, Spec } from '../../align/spec/types.js';
import { kindsOf } from '../../align/synth/questions.js';
import { synthesisePrompts, type SynthesisOptions } from '../../align/synth/synthesise.js';
import { promptId } from '../../prompts/conversation.js';
import { boundaryKinds, exampleCases, type BoundaryKind, type ChosenClause, type PolicyCase } from './cases.js';

/** A line of the file: what was written of one kind for one clause. */
const BoundaryCell = z.strictObject({
  clause: z.string(),
  kind: z.enum(boundaryKinds),
  /** Of the words that the prompts were written and sorted under. */
  digest: z.string(),
  /** Prompts that were asked for; where the second pass agreed with fewer, so many are there. */
  asked: z.int(),
  prompts: z.array(z.strictObject({ messages: z.array(Message).min(1), ideal: ResponseKind })),
});
type BoundaryCell = z.infer<typeof BoundaryCell>;

/** Models that write and check. */
export type Writers = Pick<SynthesisOptions, 'writer' | 'checker' | 'concurrency' | 'maxTokens'>;

export interface BoundaryOptions {
  spec: Spec;
  chosen: readonly ChosenClause[];
  file: string;
  /** Prompts of each kind a clause; undefined: what the file holds. */
  perKind: number | undefined;
  /** Called when there is something to write; null: what is there must do. */
  writers: (() => Promise<Writers>) | null;
  seed: number;
  progress: Progress;
  signal?: AbortSignal;
}

export interface Boundary {
  cases: PolicyCase[];
  /** Cells that are not in the file, or were written for other words of the clause, and that nobody wrote anew. */
  missing: number;
  stale: number;
}

interface Slot extends ChosenClause {
  kind: BoundaryKind;
  digest: string;
}

/** Reads the file, has what is missing or out of date written, and keeps it. @throws input error for a file that is not ours */
export async function boundaryCases(options: BoundaryOptions): Promise<Boundary> {
  const { chosen, file, perKind } = options;
  const cells = new Map((await readJsonl(file, BoundaryCell)).map((cell) => [keyOf(cell.clause, cell.kind), cell]));
  const slots = chosen.flatMap(({ category, clause }) =>
    boundaryKinds
      .filter((kind) => kindsOf(clause).includes(kind))
      .map((kind): Slot => ({ category, clause, kind, digest: digestOf(category, clause, kind) })),
  );
  const found = ({ clause, kind, digest }: Slot): BoundaryCell | undefined => {
    const cell = cells.get(keyOf(clause.code, kind));
    return cell !== undefined && cell.digest === digest && cell.asked >= (perKind ?? 0) ? cell : undefined;
  };
  const open = slots.filter((slot) => found(slot) === undefined);
  if (options.writers !== null && perKind !== undefined && open.length > 0) {
    for (const cell of await write(open, perKind, await options.writers(), options)) cells.set(keyOf(cell.clause, cell.kind), cell);
    await writeJsonl(file, [...cells.values()]);
    // What the replies came to is in the file now.
    await rm(repliesOf(file), { force: true });
  }
  const left = slots.filter((slot) => found(slot) === undefined);
  const stale = left.filter(({ clause, kind }) => cells.has(keyOf(clause.code, kind))).length;
  return { cases: slots.flatMap((slot) => casesOf(slot, found(slot), perKind)), missing: left.length - stale, stale };
}

const keyOf = (code: string, kind: BoundaryKind): string => `${code} ${kind}`;
const repliesOf = (file: string): string => path.join(path.dirname(file), `.${path.basename(file)}.replies.jsonl`);

/**
 * What a prompt just inside tests stays true when the ruling changes: it is asked again, under the new ruling. What lies outside was
 * sorted among all clauses of the category.
 */
const digestOf = (category: Category, clause: Clause, kind: BoundaryKind): string => {
  const exclusions = clause.exclusions.map(({ text }) => text);
  return kind === 'just-inside'
    ? contentId('boundary', clause.subject, clause.text, exclusions)
    : contentId('boundary', clause.code, category.clauses.map(clauseLine), exclusions);
};

async function write(
  open: readonly Slot[],
  perKind: number,
  writers: Writers,
  { spec, file, seed, progress, signal }: BoundaryOptions,
): Promise<BoundaryCell[]> {
  const wanted = new Set(open.map(({ clause, kind }) => keyOf(clause.code, kind)));
  const { prompts } = await synthesisePrompts({
    spec,
    ...writers,
    only: (clause, kind) => wanted.has(`${clause.code} ${kind}`),
    perKind,
    seed,
    log: repliesOf(file),
    existing: exampleCases(spec.categories.flatMap((category) => category.clauses.map((clause) => ({ category, clause })))).map(asPrompt),
    progress,
    ...(signal && { signal }),
  });
  return open.map(({ clause, kind, digest }) => {
    const tag = kind === 'benign-twin' ? kind : `synth:${kind}`;
    const own = prompts.filter(({ tags }) => tags.includes(`clause:${clause.code}`) && tags.includes(tag));
    return {
      clause: clause.code,
      kind,
      digest,
      asked: perKind,
      // Without an ideal nobody has said what covers the prompt, so it tests nothing.
      prompts: own.flatMap(({ messages, ideal }) => (ideal === undefined ? [] : [{ messages, ideal }])),
    };
  });
}

/** So that no example is written a second time. */
const asPrompt = ({ messages }: PolicyCase): Prompt => {
  const id = promptId(messages);
  return { id, messages, request: id, technique: 'none', tags: [], source: 'example' };
};

function casesOf({ category, clause, kind }: Slot, cell: BoundaryCell | undefined, perKind: number | undefined): PolicyCase[] {
  return (
    (cell?.prompts ?? [])
      .slice(0, perKind)
      .map(({ messages, ideal }): PolicyCase => {
        const wanted = kind === 'just-inside' ? clause.ruling : ideal;
        return { category: category.name, clause, kind, messages, wanted };
      })
      // Between two clauses of one ruling there is no edge to fall over.
      .filter(({ wanted }) => kind !== 'just-outside' || wanted !== clause.ruling)
  );
}
