/** What a study leaves: study.json, study.csv, and the text for a terminal. */
import { z } from 'zod';
import { csvLine } from '../base/csv-line.js';
import { otherThings } from '../evals/published.js';
import { rate } from '../evals/scorecard.js';
import { Made } from './made-with.js';
import { Findings, studyNames, Table, type Cell } from './study.js';
import { Target } from './targets.js';

export const StudyResult = z.strictObject({
  name: z.enum(studyNames),
  title: z.string(),
  source: z.string(),
  /** Of all that the findings depend on. */
  key: z.string(),
  /** Seconds of work; more than one sitting counts from the last. */
  seconds: z.number(),
  findings: Findings,
});
export type StudyResult = z.infer<typeof StudyResult>;

export const StudyCard = z.strictObject({
  schemaVersion: z.literal(1),
  name: z.string(),
  quick: z.boolean(),
  seeds: z.array(z.int()),
  /** The arm that the targets are about. */
  arm: z.string(),
  codeVersion: z.string(),
  node: z.string(),
  platform: z.string(),
  /** Cards of earlier versions do not have it. */
  made: Made.optional(),
  digests: z.record(z.string(), z.string()),
  config: z.unknown(),
  targets: z.array(Target),
  published: z.strictObject({ table: Table, others: z.array(z.string()) }),
  studies: z.array(StudyResult),
});
export type StudyCard = z.infer<typeof StudyCard>;

const cellColumns = ['study', 'table', 'row', 'column', 'estimate', 'low', 'high', 'n', 'unscored', 'p', 'text'];
/** The last two of the targets alone. */
const columns = [...cellColumns, 'wanted', 'verdict'];

/** One line a cell: of each study, then the targets, then what others have published. */
export function studyCsv(card: StudyCard): string {
  const { table, others } = card.published;
  const lines = [
    ...card.studies.flatMap(({ name, findings }) => findings.tables.flatMap((one) => tableLines(name, one))),
    ...card.targets.map((target) => {
      const { name, against, wanted, measured } = target;
      return ['targets', 'Targets', name, against, ...numbers(measured), wanted, verdictWord(target)];
    }),
    ...tableLines('published', table),
    ...others.map((line) => ['published', `Small models: ${otherThings}`, '', '', ...numbers(null).slice(1), line]),
  ];
  return `${[columns, ...lines].map((line) => csvLine(columns.map((_, i) => line[i]))).join('\n')}\n`;
}

type CsvValue = string | number | undefined | null;

const tableLines = (section: string, table: Table): CsvValue[][] =>
  table.rows.flatMap((row) =>
    row.cells.map((cell, i): CsvValue[] => [section, table.title, row.label, table.columns[i] ?? '', ...numbers(cell)]),
  );

const numbers = (cell: Cell | null): CsvValue[] =>
  cell === null
    ? [null, null, null, null, null, null, null]
    : [cell.estimate, cell.low, cell.high, cell.n, cell.unscored, cell.p, cell.text];

/** `.87 [.80, .93]`, counts as they are, `–` for what was not measured. */
export function cellText(cell: Cell | null): string {
  if (cell === null) return '';
  if (cell.text !== undefined) return cell.text;
  if (cell.estimate === null) return '–';
  const interval = cell.low === undefined || cell.high === undefined ? '' : ` [${rate(cell.low)}, ${rate(cell.high)}]`;
  const p = cell.p === undefined ? '' : cell.p < 0.001 ? ' p < .001' : ` p = ${rate(cell.p)}`;
  const unscored = cell.unscored === undefined || cell.unscored === 0 ? '' : ` (${cell.unscored} unscored)`;
  return `${rate(cell.estimate)}${interval}${p}${unscored}`;
}

export const verdictWord = ({ met }: Target): string => (met === null ? 'not measured' : met ? 'met' : 'missed');

/** Targets and where each study's tables are, for a terminal. */
export function studyText(card: StudyCard): string {
  const rows = card.targets.map((target) => [
    target.name,
    target.against,
    target.wanted,
    cellText(target.measured) || '–',
    verdictWord(target),
  ]);
  const all = [['Target', 'against', 'wanted', 'measured', ''], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => [...row[column]!].length)));
  const lines = all.map((row) =>
    row
      .map((text, i) => text.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
  const count = (met: boolean | null) => card.targets.filter((target) => target.met === met).length;
  return [
    ...lines,
    '',
    `${count(true)} met, ${count(false)} missed, ${count(null)} not measured; ${card.arm}, seeds ${card.seeds.join(', ')}.`,
  ].join('\n');
}
