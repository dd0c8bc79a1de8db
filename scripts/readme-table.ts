/**
 * Writes the table of a measured run into the README, between `<!-- results:start -->` and `<!-- results:end -->`:
 * `node dist/scripts/readme-table.js path/to/scorecard.json [README.md]`
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeTextAtomically } from '../src/base/atomic-text.js';
import { DeliberateError, exitCodes, inputError } from '../src/base/errors.js';
import { packageRoot } from '../src/base/package-root.js';
import { mark, rate, Scorecard } from '../src/evals/scorecard.js';
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
    const unscored = result.unscored === 0 ? '' : `, ${result.unscored} unscored`;
    return `${better}${mark(card, arm, suite)} <sub>${rate(result.low)}–${rate(result.high)}${unscored}</sub>`;
  };
  const rows = card.suites.map(({ name, title, metric }) => {
    const results = card.results.filter(({ suite }) => suite === name);
    const requests = Math.max(0, ...results.map((result) => result.requests));
    const each = Math.round(Math.max(0, ...results.map((result) => result.rows)) / Math.max(1, requests));
    return [`${title} <sub>${metric}; n = ${requests}${each > 1 ? ` × ${each}` : ''}</sub>`, ...card.arms.map((arm) => cell(arm, name))];
  });
  const header = ['', ...card.arms.map((arm) => `\`${arm}\``)];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const against = card.differences[0]?.against;
  return [
    line(header),
    line(['---', ...card.arms.map(() => ':---:')]),
    ...rows.map(line),
    '',
    `Rates from 0 to 1, more is better; small: 95 % intervals over n requests.${against === undefined ? '' : ` ↑ ↓: differs from \`${against}\` on the same requests.`}`,
  ].join('\n');
}

/** @throws input error when the README has not exactly one pair of marks, in their order */
export function fillReadme(readme: string, table: string): string {
  const filled = fillBetween(readme, start, end, table);
  if (filled === null) throw inputError(`the README must hold ${start} and then ${end}, each once: the table goes between them.`);
  return filled;
}

/** @throws input error for a file that is no scorecard */
async function readScorecard(file: string): Promise<Scorecard> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw inputError(`${file}: cannot be read (${error.code}). Give the scorecard.json of a run folder.`, error);
  });
  try {
    return Scorecard.parse(JSON.parse(text));
  } catch (error) {
    throw inputError(`${file}: is no scorecard. Give the scorecard.json of a run folder.`, error);
  }
}

async function main([file, readme = path.join(packageRoot, 'README.md')]: readonly string[]): Promise<void> {
  if (file === undefined) throw inputError('give the path of a scorecard.json.');
  await writeTextAtomically(readme, fillReadme(await readFile(readme, 'utf8'), markdownTable(await readScorecard(file))));
}

if (process.argv[1]?.endsWith('readme-table.js')) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error instanceof DeliberateError ? error.message : error);
    process.exitCode = error instanceof DeliberateError ? exitCodes[error.kind] : exitCodes.internal;
  });
}
