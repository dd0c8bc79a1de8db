/** Differences of two arms on the same requests, a cell a measure, with p-values corrected over the measures. */
import { differenceCell } from './cells.js';
import type { Rows } from './evaluate-model.js';
import { holm, pairedStrata, signTest, type Strata } from './intervals.js';
import { measureLabel, unscoredPairs, type Measure } from './measures.js';
import type { Cell, Table } from './study.js';

export interface Difference {
  measure: Measure;
  cell: Cell;
  /** What it was made of, a list a seed. */
  paired: readonly Strata[];
}

/**
 * `arm` − `against` for each measure; seeds in the same order in both. The p-value is an exact sign test over requests, corrected by
 * Holm over the measures of this comparison.
 */
export function differencesOf(
  measures: readonly Measure[],
  { arm, against }: { arm: readonly Rows[]; against: readonly Rows[] },
  seedOf: (measure: Measure) => string = ({ name }) => name,
): Difference[] {
  const found = measures.map((measure) => {
    const paired = arm.map((rows, seed) => pairedStrata(measure.strata(against[seed]!), measure.strata(rows)));
    const unscored = arm.reduce((sum, rows, seed) => sum + unscoredPairs(measure, against[seed]!, rows), 0);
    const cell: Cell = { ...differenceCell(paired, seedOf(measure)), unscored };
    return { measure, paired, cell };
  });
  // What has no pair is no test, and no reason to correct the others.
  const tested = found.filter(({ cell }) => cell.estimate !== null);
  const corrected = holm(tested.map(({ paired }) => signTest(paired)));
  tested.forEach(({ cell }, i) => (cell.p = corrected[i]!));
  return found;
}

/** Several arms of one seed against one of them: a row a measure, a column an arm. */
export function differenceTable(title: string, measures: readonly Measure[], arms: ReadonlyMap<string, Rows>, against: string): Table {
  const columns = [...arms.keys()].filter((label) => label !== against);
  const cells = columns.map((label) => differencesOf(measures, { arm: [arms.get(label)!], against: [arms.get(against)!] }));
  return {
    title,
    note: 'Mean difference on the requests that both were asked, with its 95 % interval; p by sign test, corrected by Holm over the measures of a column, not over the columns.',
    columns,
    rows: measures.map((measure, i) => ({ label: measureLabel(measure), cells: cells.map((column) => column[i]!.cell) })),
  };
}
