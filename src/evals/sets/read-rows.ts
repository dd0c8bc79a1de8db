/** Rows of a published file, by column, each with its line; columns are checked before anything else. */
import { inputError } from '../../base/errors.js';
import type { Prompt, ResponseKind } from '../../base/records.js';
import { promptId } from '../../prompts/conversation.js';
import { parseCsv } from '../../prompts/csv.js';
import { filledLines, parseJsonLine, readText } from '../../prompts/lines.js';
import type { ReadSet, SetItem } from './evaluation-set.js';

export interface Row {
  /** `file:line`, for messages. */
  at: string;
  /** From 1. */
  line: number;
  /** Trimmed text of a column; empty where the cell is. */
  text(column: string): string;
  /** The value as it stands: objects in JSON. */
  value(column: string): unknown;
}

interface Table {
  rows: Row[];
  has(column: string): boolean;
}

const asText = (value: unknown): string =>
  typeof value === 'string' ? value.trim() : typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';

/**
 * A CSV or TSV file with a header. Columns may stand in any order, and there may be more.
 * @throws input error naming file, line and the first missing column, or what is wrong with the form
 */
export async function readCsv(file: string, columns: readonly string[], delimiter: ',' | '\t' = ','): Promise<Table> {
  const { header, records } = parseCsv(file, await readText(file), columns, delimiter);
  const rows = records.map(({ record, line }) => rowOf(file, line, record));
  if (rows.length === 0) throw inputError(`${file}: holds no rows below its header.`);
  return { rows, has: (column) => header.includes(column) };
}

/** One JSON object a line. @throws as `readCsv`, with the line on which a field is missing */
export async function readJsonLines(file: string, columns: readonly string[]): Promise<Table> {
  const rows = filledLines(await readText(file)).map((line) =>
    rowOf(file, line.number, asRecord(`${file}:${line.number}`, parseJsonLine(file, line))),
  );
  return checked(file, rows, columns);
}

/** A JSON file that is a list of objects, or has one under `key`. Lines are those of the list's items, counted from 1. */
export async function readJsonList(
  file: string,
  columns: readonly string[],
  key: string,
): Promise<Table & { whole: Record<string, unknown> }> {
  let value: unknown;
  try {
    value = JSON.parse(await readText(file));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw inputError(`${file}: is not JSON (${error.message}).`, error);
  }
  const whole = Array.isArray(value) ? {} : asRecord(file, value);
  const list = Array.isArray(value) ? (value as unknown[]) : whole[key];
  if (!Array.isArray(list)) throw inputError(`${file}: must be a list of objects, or hold one under ${JSON.stringify(key)}.`);
  const rows = (list as unknown[]).map((item, i) => rowOf(file, i + 1, asRecord(`${file}: item ${i + 1}`, item), `${file}: item ${i + 1}`));
  return { ...checked(file, rows, columns), whole };
}

function checked(file: string, rows: Row[], columns: readonly string[]): Table {
  if (rows.length === 0) throw inputError(`${file}: holds no rows.`);
  for (const row of rows) {
    const missing = columns.find((column) => row.value(column) === undefined);
    if (missing !== undefined) throw inputError(`${row.at}: has no field ${JSON.stringify(missing)}.`);
  }
  return { rows, has: (column) => rows.every((row) => row.value(column) !== undefined) };
}

function asRecord(at: string, value: unknown): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw inputError(`${at}: must be a JSON object.`);
  return value as Record<string, unknown>;
}

const rowOf = (file: string, line: number, record: Readonly<Record<string, unknown>>, at = `${file}:${line}`): Row => {
  const value = (column: string) => (Object.hasOwn(record, column) ? record[column] : undefined);
  return { at, line, value, text: (column) => asText(value(column)) };
};

/** The text of a column that must not be empty. @throws input error naming file, line and column */
export function filled(row: Row, column: string): string {
  const text = row.text(column);
  if (text === '') throw inputError(`${row.at}: column ${column}: is empty.`);
  return text;
}

/** The text of a column that has few values. @throws input error naming file, line, column and the values */
export function oneOf<T extends string>(row: Row, column: string, values: readonly T[]): T {
  const text = row.text(column);
  const found = values.find((value) => value === text);
  if (found === undefined) throw inputError(`${row.at}: column ${column}: ${JSON.stringify(text)} is none of ${values.join(', ')}.`);
  return found;
}

export interface ItemOptions {
  set: string;
  part: string;
  text: string;
  category: string;
  ideal?: ResponseKind;
  /** Left out: the prompt's own. */
  request?: string;
  technique?: string;
  plain?: string;
  reference?: Readonly<Record<string, string>>;
}

/** An item whose prompt is one user turn. */
export function singleTurn({
  set,
  part,
  text,
  category,
  ideal,
  request,
  technique = 'none',
  plain = text,
  reference = {},
}: ItemOptions): SetItem {
  const messages: Prompt['messages'] = [{ role: 'user', content: text }];
  const id = promptId(messages);
  const prompt: Prompt = {
    id,
    messages,
    category: category || 'none',
    ...(ideal !== undefined && { ideal }),
    split: 'test',
    request: request ?? id,
    technique,
    tags: [],
    source: set,
  };
  return { prompt, part, plain, reference };
}

/** Each conversation once a part; what was left out is counted. */
export function readSet(items: readonly SetItem[], leftOut: Readonly<Record<string, number>> = {}): ReadSet {
  const seen = new Set<string>();
  const kept = items.filter(({ part, prompt }) => {
    const key = `${part}/${prompt.id}`;
    return !seen.has(key) && seen.add(key);
  });
  const repeated = items.length - kept.length;
  return {
    items: kept,
    leftOut: Object.fromEntries(Object.entries({ ...leftOut, repeated }).filter(([, count]) => count > 0)),
  };
}
