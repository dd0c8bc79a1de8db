/** CSV and TSV files with a header. */
import { CsvError, parse } from 'csv-parse/sync';
import { inputError } from '../base/errors.js';

export interface CsvTable {
  /** Names of the columns, trimmed. */
  header: string[];
  /** `line`: where the record begins; it may hold line feeds of its own. */
  records: { record: Record<string, string>; line: number }[];
}

/**
 * Columns may stand in any order, and there may be more than the required ones.
 * @throws input error naming file, line and the first missing column, or what is wrong with the form
 */
export function parseCsv(file: string, text: string, required: readonly string[], delimiter: ',' | '\t' = ','): CsvTable {
  const bytes = Buffer.from(text.replace(/^\uFEFF/, ''));
  let parsed: { record: string[]; info: { bytes: number } }[];
  try {
    parsed = parse(bytes, {
      info: true,
      skip_empty_lines: true,
      delimiter,
      // Tab-separated files are often written without quoting.
      relax_quotes: delimiter === '\t',
    }) as unknown as typeof parsed;
  } catch (error) {
    const line = error instanceof CsvError && typeof error['lines'] === 'number' ? `:${error['lines']}` : '';
    throw inputError(`${file}${line}: is not valid ${delimiter === ',' ? 'CSV' : 'TSV'} (${(error as Error).message}).`, error);
  }
  const lines = firstLines(
    bytes,
    parsed.map(({ info }) => info.bytes),
  );
  const header = (parsed[0]?.record ?? []).map((name) => name.trim());
  const missing = required.find((column) => !header.includes(column));
  if (missing !== undefined) {
    throw inputError(`${file}:1: has no column ${JSON.stringify(missing)}; its columns are ${header.join(', ') || 'none'}.`);
  }
  const records = parsed.map(({ record }, i) => ({
    record: Object.fromEntries(header.map((name, column) => [name, record[column] ?? ''])),
    line: lines[i]!,
  }));
  return { header, records: records.slice(1) };
}

/** The line on which each record begins. @param ends offsets just behind them */
function firstLines(bytes: Buffer, ends: readonly number[]): number[] {
  const [lineFeed, carriageReturn] = [0x0a, 0x0d];
  const endsLine = (at: number) => bytes[at] === lineFeed || (bytes[at] === carriageReturn && bytes[at + 1] !== lineFeed);
  let at = 0;
  let line = 1;
  return ends.map((end) => {
    // Empty lines between records are no records.
    for (; bytes[at] === lineFeed || bytes[at] === carriageReturn; at++) if (endsLine(at)) line++;
    const first = line;
    for (; at < end; at++) if (endsLine(at)) line++;
    return first;
  });
}
