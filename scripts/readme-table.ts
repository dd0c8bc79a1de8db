/**
 * Writes the table of a measured run, or of a study's headline arms over seeds, into the README, between `<!-- results:start -->` and
 * `<!-- results:end -->`: `node dist/scripts/readme-table.js path/to/scorecard.json|study.json [README.md]`
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeTextAtomically } from '../src/base/atomic-text.js';
import { DeliberateError, exitCodes, inputError } from '../src/base/errors.js';
import { packageRoot } from '../src/base/package-root.js';
import { mark, markRule, rate, Scorecard } from '../src/evals/scorecard.js';
import { measureLabel, measures } from '../src/studies/measures.js';
import { StudyCard } from '../src/studies/results.js';
import type { Cell } from '../src/studies/study.js';
import { fillBetween } from './page-section.js';

const start = '<!-- results:start -->';
const end = '<!-- results:end -->';

/** Markdown: a row for each suite, a column for each arm; 95 % intervals in small type. */
export function markdownTable(card: Scorecard): string {
  const cell = (arm: string, suite: string): string => {
    const result = card.results.find((one) => one.arm === arm && one.suite === suite);
    if (result === undefined) return '';
    if (result.estimate === null) return '–';
    const better = mark(card, arm, suite) === '↑' ? `**${rate(result.estimate)}**` : rate(result.estimate);
    return `${better}${mark(card, arm, suite)} ${small(result)}`;
  };
  const rows = card.suites.map(({ name, title, metric }) => {
    const results = card.results.filter(({ suite }) => suite === name);
    const requests = Math.max(0, ...results.map((result) => result.requests));
    const each = Math.round(Math.max(0, ...results.map((result) => result.rows)) / Math.max(1, requests));
    return [`${title} <sub>${metric}; n = ${requests}${each > 1 ? ` × ${each}` : ''}</sub>`, ...card.arms.map((arm) => cell(arm, name))];
  });
  const rule = markRule(card);
  return [
    ...table(['', ...card.arms.map((arm) => `\`${arm}\``)], rows),
    '',
    `Rates from 0 to 1, more is better; small: 95 % intervals over n requests.${rule === null ? '' : ` ↑ ↓: ${rule}.`}`,
  ].join('\n');
}

/**
 * Markdown: a row for each measure, a column for each arm, then the paired differences of the study's arm from the others.
 * @throws input error when the study has no headline
 */
export function markdownStudyTable(card: StudyCard): string {
  const headline = card.studies.find(({ name }) => name === 'headline')?.findings;
  const arms = headline?.tables.find(({ title }) => title.startsWith('Scores'))?.columns;
  if (headline === undefined || arms === undefined) throw inputError('this study has no headline arms: run it with --only headline.');
  const against = ['base', 'answer-only'].filter((arm) => arms.includes(arm));
  const cell = (figure: string, write: (estimate: number, cell: Cell) => string): string => {
    const found = headline.figures[figure];
    return found === undefined || found.estimate === null ? '–' : write(found.estimate, found);
  };
  const difference = (estimate: number, { p = 1, ...bounds }: Cell): string => {
    const text = `${estimate > 0 ? '+' : ''}${rate(estimate)}`;
    return `${p < 0.05 ? `**${text}**` : text} ${small(bounds, ' to ')}`.replaceAll('-', '−');
  };
  const rows = measures.map((measure) => [
    measureLabel(measure),
    ...arms.map((arm) => cell(`${measure.name} ${arm}`, (estimate, bounds) => `${rate(estimate)} ${small(bounds)}`)),
    ...against.map((other) => cell(`${measure.name} ${card.arm} − ${other}`, difference)),
  ]);
  return [
    ...table(['', ...arms.map((arm) => `\`${arm}\``), ...against.map((other) => `\`${card.arm}\` − \`${other}\``)], rows),
    '',
    `Rates from 0 to 1, means over ${card.seeds.length} seeds; small: 95 % intervals over seeds and requests. Differences are paired; bold: p < .05 (sign test over requests, corrected by Holm).`,
  ].join('\n');
}

/** An interval, and how many could not be scored, in small type. */
const small = ({ low = null, high = null, unscored = 0 }: Bounds, between = '–'): string =>
  `<sub>${rate(low)}${between}${rate(high)}${unscored === 0 ? '' : `, ${unscored} unscored`}</sub>`;

interface Bounds {
  low?: number | null | undefined;
  high?: number | null | undefined;
  unscored?: number | undefined;
}

/** Lines of a table in Markdown, its first column to the left. */
const table = (header: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [header, header.map((_, i) => (i === 0 ? '---' : ':---:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`);

/** @throws input error when the README has not exactly one pair of marks, in their order */
export function fillReadme(readme: string, table: string): string {
  const filled = fillBetween(readme, start, end, table);
  if (filled === null) throw inputError(`the README must hold ${start} and then ${end}, each once: the table goes between them.`);
  return filled;
}

/** @throws input error for a file that is neither a scorecard nor a study */
async function readTable(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw inputError(`${file}: cannot be read (${error.code}). Give the scorecard.json of a run folder, or a study.json.`, error);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw inputError(`${file}: is no JSON. Give the scorecard.json of a run folder, or a study.json.`, error);
  }
  const study = StudyCard.safeParse(value);
  if (study.success) return markdownStudyTable(study.data);
  const card = Scorecard.safeParse(value);
  if (card.success) return markdownTable(card.data);
  throw inputError(`${file}: is neither the scorecard of a run nor a study.`, card.error);
}

async function main([file, readme = path.join(packageRoot, 'README.md')]: readonly string[]): Promise<void> {
  if (file === undefined) throw inputError('give the path of a scorecard.json or a study.json.');
  await writeTextAtomically(readme, fillReadme(await readFile(readme, 'utf8'), await readTable(file)));
}

if (process.argv[1]?.endsWith('readme-table.js')) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error instanceof DeliberateError ? error.message : error);
    process.exitCode = error instanceof DeliberateError ? exitCodes[error.kind] : exitCodes.internal;
  });
}
