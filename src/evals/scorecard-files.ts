/** A scorecard on disk: scorecard.json for programs, scorecard.csv for a spreadsheet. */
import { writeTextAtomically } from '../base/atomic-text.js';
import { csvLine } from '../base/csv-line.js';
import type { RunPaths } from '../base/run-folder.js';
import { otherThings, paperFigures } from './published.js';
import { correctedP, type Scorecard } from './scorecard.js';

/** Writes both. */
export async function writeScorecard(paths: RunPaths, card: Scorecard): Promise<void> {
  await writeTextAtomically(paths.scorecard(), `${JSON.stringify(card, null, 1)}\n`);
  await writeTextAtomically(paths.scorecardCsv(), scorecardCsv(card));
}

const columns = [
  ['suite', 'title', 'group', 'metric', 'part', 'arm'],
  ['estimate', 'low', 'high', 'rows', 'requests', 'unscored'],
  ['against', 'difference', 'difference_low', 'difference_high', 'units', 'changed', 'unscored_in_one', 'p', 'p_corrected'],
].flat();

/**
 * A line for each suite and arm, with the difference from the arm that it is held against; then one for each part of a suite (ideal
 * kind, category, technique, class); then what the paper has published beside the suite, marked as another model's.
 */
export function scorecardCsv(card: Scorecard): string {
  const lines = card.suites.flatMap((suite) => {
    const about = [suite.name, suite.title, suite.group, suite.metric];
    const results = card.results.filter((result) => result.suite === suite.name);
    return [
      ...results.map(({ arm, estimate, low, high, rows, requests, unscored }) => {
        const own = card.differences.find((one) => one.arm === arm && one.suite === suite.name);
        const paired = own && [own.against, own.estimate, own.low, own.high, own.units, own.changed, own.unscored, own.p];
        const difference = paired && [...paired, correctedP(card, own)];
        return [...about, 'all', arm, estimate, low, high, rows, requests, unscored, ...(difference ?? [])];
      }),
      ...results.flatMap((result) => parts(result).map((part) => [...about, ...part])),
      ...paperFigures
        .filter((figure) => figure.suite === suite.name)
        .flatMap(({ title, ideal, before, after }) =>
          [before, after].map((value, i) => [
            ...about,
            ideal === undefined ? 'all' : `ideal: ${ideal}`,
            `published, ${i === 0 ? 'before' : 'after'}: ${title} (${otherThings}; arXiv 2412.16339v2)`,
            value,
          ]),
        ),
    ];
  });
  return `${[columns, ...lines].map((line) => csvLine(columns.map((_, i) => line[i]))).join('\n')}\n`;
}

/** Lines of the parts of a result, from the column `part` on. */
function parts({ arm, by, rates = {} }: Scorecard['results'][number]): (string | number | null | undefined)[][] {
  return [
    ...(['ideal', 'category', 'technique'] as const).flatMap((kind) =>
      Object.entries(by[kind]).map(([name, { mean, rows, unscored }]) => [
        `${kind}: ${name}`,
        arm,
        mean,
        null,
        null,
        // Rows asked, as in the lines of whole suites.
        rows + (unscored ?? 0),
        null,
        unscored,
      ]),
    ),
    ...Object.entries(rates).map(([name, { share, low, high, rows }]) => [`class: ${name}`, arm, share, low, high, rows]),
  ];
}
