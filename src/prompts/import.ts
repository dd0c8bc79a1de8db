/** Prompts from other people's files: CSV or JSONL, with a mapping of columns. */
import { z } from 'zod';
import { inputError } from '../base/errors.js';
import { canonicalJson, Message, ResponseKind, Split, type Prompt } from '../base/records.js';
import { conversationFault, promptId } from './conversation.js';
import { parseCsv } from './csv.js';
import { filledLines, firstIssue, parseJsonLine, readText } from './lines.js';

export interface ImportOptions {
  format: 'csv' | 'jsonl';
  /** Names of the file's columns; in JSONL, dots reach into objects (`meta.label`). */
  columns: {
    /** Text of one user turn; in JSONL it may also be a list of messages. */
    prompt: string;
    category?: string;
    ideal?: string;
    id?: string;
    /** Text with commas or semicolons between the tags; in JSONL it may also be a list. */
    tags?: string;
    /** train, validation or test. */
    split?: string;
  };
  /** Recorded in each prompt, so that a report can tell where it came from. */
  source: string;
  /** What the file's own labels mean, e.g. `{ unsafe: 'refuse', safe: 'comply' }`. */
  ideals?: Readonly<Record<string, ResponseKind>>;
}

export interface Imported {
  prompts: Prompt[];
  /** Lines left out because their conversation stands on an earlier line, with equal labels. */
  duplicates: { line: number; sameAs: number }[];
  /** Prompts that their labels alone show to be ordinary help, and that were tagged so. */
  ordinary: number;
}

interface Row {
  line: number;
  /** Undefined: there is no such column. */
  read: (column: string) => unknown;
}

/**
 * Reads prompts out of a file. Without an id column, ids are content hashes. Empty category or ideal cells mean unknown.
 * What is of category none and ought to be complied with is ordinary help: it gets that tag, which decides what is capability data.
 * @throws an input error naming file, line and column when the file is malformed, a mapped column is missing, a label has no
 * meaning, an id occurs twice, or one conversation occurs twice with different labels.
 */
export async function importPrompts(file: string, options: ImportOptions): Promise<Imported> {
  const text = await readText(file);
  const rows = options.format === 'csv' ? csvRows(file, text, options) : jsonlRows(file, text);
  const prompts: Prompt[] = [];
  let ordinary = 0;
  const duplicates: Imported['duplicates'] = [];
  const byConversation = new Map<string, { prompt: Prompt; line: number }>();
  const lineOfId = new Map<string, number>();
  for (const row of rows) {
    const read = toPrompt(`${file}:${row.line}`, row, options);
    const plainHelp = read.category === 'none' && read.ideal === 'comply' && !read.tags.includes('ordinary');
    const prompt = plainHelp ? { ...read, tags: [...read.tags, 'ordinary'] } : read;
    const key = promptId(prompt.messages);
    const earlier = byConversation.get(key);
    if (earlier !== undefined) {
      if (labelsOf(earlier.prompt) !== labelsOf(prompt)) {
        throw inputError(`${file}:${row.line}: repeats the prompt of line ${earlier.line} with other labels. Keep one of the two.`);
      }
      duplicates.push({ line: row.line, sameAs: earlier.line });
      continue;
    }
    byConversation.set(key, { prompt, line: row.line });
    const sameId = lineOfId.get(prompt.id);
    if (sameId !== undefined) {
      throw inputError(`${file}:${row.line}: column ${options.columns.id}: ${JSON.stringify(prompt.id)} stands on line ${sameId} already.`);
    }
    lineOfId.set(prompt.id, row.line);
    prompts.push(prompt);
    if (plainHelp) ordinary++;
  }
  if (prompts.length === 0) throw inputError(`${file}: holds no prompts.`);
  return { prompts, duplicates, ordinary };
}

const labelsOf = ({ category, ideal, split, tags }: Prompt): string =>
  canonicalJson([category, ideal, split, tags].map((label) => label ?? null));

function toPrompt(at: string, row: Row, { columns, source, ideals }: ImportOptions): Prompt {
  const value = row.read(columns.prompt);
  if (value === undefined) throw inputError(`${at}: has no column ${JSON.stringify(columns.prompt)}.`);
  const messages = toMessages(`${at}: column ${columns.prompt}`, value);
  const label = (column: string | undefined): string | undefined => {
    if (column === undefined) return undefined;
    const cell = row.read(column);
    if (cell === undefined || cell === null) return undefined;
    if (typeof cell !== 'string' && typeof cell !== 'number') throw inputError(`${at}: column ${column}: must be text.`);
    return String(cell).trim() || undefined;
  };
  const category = label(columns.category);
  const split = toSplit(at, columns.split, label(columns.split));
  const ideal = toIdeal(at, columns.ideal, label(columns.ideal), ideals);
  const id = label(columns.id);
  if (columns.id !== undefined && id === undefined) throw inputError(`${at}: column ${columns.id}: is empty, but ids are mapped to it.`);
  const turns = messages.filter((m) => m.role === 'user').length > 1 ? ['multi-turn'] : [];
  const ownId = id ?? promptId(messages);
  return {
    id: ownId,
    messages,
    ...(category === undefined ? {} : { category }),
    ...(ideal === undefined ? {} : { ideal }),
    ...(split === undefined ? {} : { split }),
    request: ownId,
    technique: 'none',
    tags: [...new Set([...turns, ...toTags(at, columns.tags, row)])],
    source,
  };
}

function toMessages(at: string, value: unknown): Message[] {
  const parsed = typeof value === 'string' ? null : z.array(Message).min(1).safeParse(value);
  if (parsed !== null && !parsed.success) throw inputError(`${at}: must be text or a list of messages (${firstIssue(parsed.error)}).`);
  const messages: Message[] = parsed === null ? [{ role: 'user', content: (value as string).trim() }] : parsed.data;
  const fault = conversationFault(messages);
  if (fault !== null) throw inputError(`${at}: ${fault}.`);
  return messages;
}

function toIdeal(
  at: string,
  column: string | undefined,
  label: string | undefined,
  ideals: ImportOptions['ideals'],
): ResponseKind | undefined {
  if (label === undefined) return undefined;
  const own = ideals !== undefined && Object.hasOwn(ideals, label) ? ideals[label] : undefined;
  const kind = ResponseKind.safeParse(own ?? label);
  if (kind.success) return kind.data;
  throw inputError(
    `${at}: column ${column}: ${JSON.stringify(label)} is none of ${ResponseKind.options.join(', ')}. Map it to one of them, or leave the column out.`,
  );
}

function toSplit(at: string, column: string | undefined, label: string | undefined): Split | undefined {
  if (label === undefined) return undefined;
  const split = Split.safeParse(label.toLowerCase());
  if (split.success) return split.data;
  throw inputError(
    `${at}: column ${column}: ${JSON.stringify(label)} is none of ${Split.options.join(', ')}. Write one of them, or leave it empty.`,
  );
}

function toTags(at: string, column: string | undefined, row: Row): string[] {
  const cell = column === undefined ? undefined : row.read(column);
  if (cell === undefined || cell === null) return [];
  const list = typeof cell === 'string' ? cell.split(/[,;]/) : cell;
  const tags = z.array(z.string()).safeParse(list);
  if (!tags.success) throw inputError(`${at}: column ${column}: must be text with commas between the tags, or a list of texts.`);
  return tags.data.map((tag) => tag.trim()).filter((tag) => tag !== '');
}

const csvRows = (file: string, text: string, { columns }: ImportOptions): Row[] =>
  parseCsv(file, text, Object.values(columns)).records.map(({ record, line }) => ({
    line,
    read: (column) => (Object.hasOwn(record, column) ? record[column] : undefined),
  }));

const jsonlRows = (file: string, text: string): Row[] =>
  filledLines(text).map((line) => {
    const record = parseJsonLine(file, line);
    return { line: line.number, read: (column) => dig(record, column) };
  });

/** The value under a key, or under a dotted path when there is no such key. */
function dig(record: unknown, column: string): unknown {
  const own = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  return own(record, column) ?? column.split('.').reduce(own, record);
}
