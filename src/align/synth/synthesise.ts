/**
 * Prompts for a specification that has none (paper, section 2.2 takes its prompts as given): a model writes some for every clause,
 * a second pass that does not know what they were written for sorts them, and those that both agree on are kept, no two alike.
 */
import { z } from 'zod';
import { JsonlLog } from '../../base/jsonl.js';
import { inParallel } from '../../base/parallel.js';
import type { Progress } from '../../base/progress.js';
import { contentId, type Message, type Prompt, type ResponseKind } from '../../base/records.js';
import type { ChatModel } from '../../engines/types.js';
import { promptId, userText } from '../../prompts/conversation.js';
import { findNearDuplicates } from '../../prompts/overlap.js';
import type { Category, Clause, Spec } from '../spec/types.js';
import { seedFrom } from '../stage.js';
import {
  checkQuestion,
  checkSchema,
  kindsOf,
  readCheck,
  readWritten,
  writingQuestion,
  writingSchema,
  type SynthKind,
} from './questions.js';

/** What a model replied to one question, so that a stopped synthesis goes on where it was. */
const Reply = z.strictObject({ id: z.string(), text: z.string() });
type Reply = z.infer<typeof Reply>;

export interface SynthesisOptions {
  spec: Spec;
  writer: { model: ChatModel; digest: string };
  checker: { model: ChatModel; digest: string };
  /** Prompts of each kind a clause. */
  perKind: number;
  /** Which clauses are written for, and of which kinds; left out: all. */
  only?: (clause: Clause, kind: SynthKind) => boolean;
  seed: number;
  /** JSONL file of the models' replies. */
  log: string;
  /** Nothing that is close to one of these is kept. */
  existing?: readonly Prompt[];
  maxTokens: number;
  concurrency: number;
  progress: Progress;
  signal?: AbortSignal;
}

export interface Synthesis {
  prompts: Prompt[];
  /** Cells that have fewer than were asked for. */
  short: { clause: string; kind: SynthKind; kept: number }[];
  written: number;
  /** The second pass sorted them elsewhere, or called them unsound. */
  disagreed: number;
  duplicates: number;
}

interface Cell {
  category: Category;
  clause: Clause;
  kind: SynthKind;
}

/** Times that a cell is written for until it has enough. */
const rounds = 3;
/** Written on top of what is missing, since some will not be agreed on. */
const spare = 2;
/** Earlier messages that the writer is told to stay away from. */
const remembered = 12;

/** @throws what the models and the disk throw */
export async function synthesisePrompts(options: SynthesisOptions): Promise<Synthesis> {
  const { spec, progress, concurrency, signal, perKind, only = () => true } = options;
  const cells = spec.categories
    .flatMap((category) => category.clauses.flatMap((clause) => kindsOf(clause).map((kind): Cell => ({ category, clause, kind }))))
    .filter(({ clause, kind }) => only(clause, kind));
  const log = await JsonlLog.open(options.log, Reply);
  const found = new Map<Cell, Prompt[]>();
  let written = 0;
  let disagreed = 0;
  const task = progress.task('synth', cells.length);
  try {
    const synthesis = new CellWriter(options, log);
    await inParallel(
      cells,
      concurrency,
      async (cell) => {
        const result = await synthesis.fill(cell);
        found.set(cell, result.prompts);
        written += result.written;
        disagreed += result.written - result.agreed;
        task.advance();
      },
      signal,
    );
  } finally {
    await log.close();
  }
  task.done();
  const agreed = cells.flatMap((cell) => found.get(cell) ?? []);
  const kept = withoutDuplicates(agreed, options.existing ?? []);
  // Only now is it known who is whose duplicate, so a cell that wrote enough may be short.
  const taken = new Set<Prompt>();
  const short: Synthesis['short'] = [];
  for (const cell of cells) {
    const own = (found.get(cell) ?? []).filter((prompt) => kept.has(prompt)).slice(0, perKind);
    for (const prompt of own) taken.add(prompt);
    if (own.length < perKind) short.push({ clause: cell.clause.code, kind: cell.kind, kept: own.length });
  }
  return { prompts: agreed.filter((prompt) => taken.has(prompt)), short, written, disagreed, duplicates: written - disagreed - kept.size };
}

class CellWriter {
  private readonly replies: Map<string, string>;

  constructor(
    private readonly options: SynthesisOptions,
    private readonly log: JsonlLog<Reply>,
  ) {
    this.replies = new Map(log.records.map(({ id, text }) => [id, text]));
  }

  async fill(cell: Cell): Promise<{ prompts: Prompt[]; written: number; agreed: number }> {
    const { category, clause, kind } = cell;
    const { perKind, writer, seed } = this.options;
    const prompts: Prompt[] = [];
    const seen = new Set<string>();
    let written = 0;
    let agreed = 0;
    for (let round = 0; round < rounds && prompts.length < perKind; round++) {
      const avoid = prompts.slice(-remembered).map(({ messages }) => userText(messages).replace(/\n/g, ' / '));
      const question = writingQuestion(category, clause, kind, perKind - prompts.length + spare, avoid);
      const reply = await this.ask(writer, question, writingSchema(kind), 1, seedFrom('synth', seed, clause.code, kind, round));
      const drafts = readWritten(reply, kind).filter((messages) => !seen.has(promptId(messages)));
      for (const messages of drafts) seen.add(promptId(messages));
      const checked = await Promise.all(drafts.map(async (messages) => this.check(cell, messages)));
      written += drafts.length;
      const good = checked.filter((prompt) => prompt !== null);
      agreed += good.length;
      // Those of one cell are most alike: one of a pair goes before the next round is asked for.
      const fresh = withoutDuplicates([...prompts, ...good], []);
      prompts.push(...good.filter((prompt) => fresh.has(prompt)));
    }
    return { prompts, written, agreed };
  }

  private async check(cell: Cell, messages: Message[]): Promise<Prompt | null> {
    const { category, clause, kind } = cell;
    const { checker, writer } = this.options;
    const reply = await this.ask(checker, checkQuestion(category, messages), checkSchema(category), 0, 0);
    const sorted = readCheck(reply, category);
    const ideal = sorted === undefined ? 'disagrees' : idealOf(kind, clause, sorted);
    if (ideal === 'disagrees') return null;
    const id = promptId(messages);
    const named = kind === 'benign-twin' || kind === 'multi-turn' ? [kind] : [`synth:${kind}`];
    return {
      id,
      messages,
      category: category.name,
      ...(ideal !== null && { ideal }),
      request: id,
      technique: 'none',
      tags: [`clause:${clause.code}`, ...named],
      source: `synth by ${writer.model.name}`,
    };
  }

  private async ask(
    { model, digest }: SynthesisOptions['writer'],
    messages: Message[],
    jsonSchema: NonNullable<Parameters<ChatModel['chat']>[0]['jsonSchema']>,
    temperature: number,
    seed: number,
  ): Promise<string> {
    const { maxTokens, signal } = this.options;
    const id = contentId('synth', digest, messages, temperature, seed, maxTokens);
    const before = this.replies.get(id);
    if (before !== undefined) return before;
    const { choices } = await model.chat({ messages, jsonSchema, maxTokens, temperature, seed, ...(signal && { signal }) });
    const choice = choices[0];
    // Cut off, filtered or refused: there is nothing in it to use.
    const text = choice?.stopReason === 'stop' ? choice.text : '';
    if (choice !== undefined && choice.stopReason !== 'error') await this.log.append({ id, text });
    this.replies.set(id, text);
    return text;
  }
}

/** The kind of response that a prompt asks for, when the second pass agrees with what it was written for; null where it stays open. */
function idealOf(kind: SynthKind, clause: Clause, sorted: Clause | null): ResponseKind | null | 'disagrees' {
  switch (kind) {
    case 'just-outside':
      if (sorted?.code === clause.code) return 'disagrees';
      // Of another category, perhaps: nobody has looked there.
      return sorted === null ? null : sorted.ruling;
    case 'benign-twin':
      return sorted === null || sorted.ruling === 'comply' ? 'comply' : 'disagrees';
    case 'plain':
    case 'just-inside':
    case 'multi-turn':
      return sorted?.code === clause.code ? clause.ruling : 'disagrees';
  }
}

/** The prompts that are no near-duplicate of an existing one or of one before them. */
function withoutDuplicates(prompts: readonly Prompt[], existing: readonly Prompt[]): Set<Prompt> {
  const all = [...existing, ...prompts];
  const items = all.map((prompt, i) => ({ id: String(i), text: userText(prompt.messages) }));
  const gone = new Set<number>();
  for (const { a, b } of findNearDuplicates(items)) {
    const [first, second] = [Number(a), Number(b)].sort((x, y) => x - y) as [number, number];
    if (!gone.has(first) && second >= existing.length) gone.add(second);
  }
  return new Set(prompts.filter((_prompt, i) => !gone.has(existing.length + i)));
}
