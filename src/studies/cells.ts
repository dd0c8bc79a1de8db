/** From rows to cells of tables. */
import { rateInterval, type Scored } from '../evals/statistics.js';
import type { Rows } from './evaluate-model.js';
import { unscoredOf, type Measure } from './measures.js';
import { seedInterval, type SeedInterval, type Strata } from './intervals.js';
import type { Cell } from './study.js';

/** A rate over rows of one seed; requests are resampled. */
export function rateCell(rows: readonly Scored[], seed: number | string, unscored = 0): Cell {
  if (rows.length === 0) return { estimate: null, n: 0, unscored };
  const { estimate, low, high } = rateInterval(rows, { seed });
  return { estimate, low, high, n: rows.length, unscored };
}

/** A rate over several seeds. */
export const seedsCell = (seeds: readonly Strata[], seed: number | string): Cell => intervalCell(seedInterval(seeds, { seed, of: 'rate' }));

/** A measure of one arm, a list of rows a seed, with what could not be scored. */
export const measureCell = (measure: Measure, seeds: readonly Rows[]): Cell => ({
  ...seedsCell(
    seeds.map((rows) => measure.strata(rows)),
    measure.name,
  ),
  unscored: seeds.reduce((sum, rows) => sum + unscoredOf(measure, rows), 0),
});

/** A difference of two arms over several seeds, from paired rows. */
export const differenceCell = (seeds: readonly Strata[], seed: number | string): Cell =>
  intervalCell(seedInterval(seeds, { seed, of: 'difference' }));

const intervalCell = (found: SeedInterval | null): Cell =>
  found === null ? { estimate: null, n: 0 } : { estimate: found.estimate, low: found.low, high: found.high, n: found.clusters };

/** A number that has no interval. */
export const plainCell = (estimate: number | null, text?: string): Cell => ({ estimate, ...(text !== undefined && { text }) });

/** A count, with what it is out of. */
export const countCell = (count: number, of?: number): Cell => ({
  estimate: of === undefined || of === 0 ? count : count / of,
  text: of === undefined ? String(count) : `${count} of ${of}`,
});
