/** CSV and TSV files with a header. */
import { CsvError, parse } from 'csv-parse/sync';
import { inputError } from '../base/errors.js';

export interface CsvTable {
  /** Names of the columns, trimmed. */
  header: string[];
  /** `lastLine`: where the record ends; it may hold line feeds of its own. */
  records: { record: Record<string, string>; lastLine: number }[];
}

/**
 * Columns may stand in any order, and there may be more than the required ones.
 * @throws input error naming file, line and the first missing column, or what is wrong with the form
 */
export function parseCsv(file: string, text: string, required: readonly string[], delimiter: ',' | '\t' = ','): CsvTable {
  let header: string[] = [];
  let parsed: { record: Record<string, string>; info: { lines: number } }[];
  try {
    parsed = parse(text, {
      columns: (names: string[]) => (header = names.map((name) => name.trim())),
      bom: true,
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
  const missing = required.find((column) => !header.includes(column));
  if (missing !== undefined) {
    throw inputError(`${file}:1: has no column ${JSON.stringify(missing)}; its columns are ${header.join(', ') || 'none'}.`);
  }
  return { header, records: parsed.map(({ record, info }) => ({ record, lastLine: info.lines })) };
}
