/** Agreement of two graders beyond chance: Cohen's kappa with a bootstrap interval. */
import { Random } from '../base/random.js';
import { internalError } from '../base/errors.js';
import { quantile } from './statistics.js';

/** One item that both graders have sorted. */
export interface Rated {
  /** What the item is a variant of: whole clusters are resampled. */
  cluster: string;
  a: string;
  b: string;
}

export interface Agreement {
  items: number;
  /** Share on which both agree. */
  agreed: number;
  /** Cohen's κ (Cohen 1960); null where both use one and the same class throughout, for which it is not defined. */
  kappa: number | null;
  /** 95 % percentile interval; null where κ is, or where too few resamples define it. */
  low: number | null;
  high: number | null;
}

/** κ = (p_o − p_e) / (1 − p_e), p_e from the shares of each grader's classes. Null where p_e is 1, or for no items. */
export function cohenKappa(rated: readonly Pick<Rated, 'a' | 'b'>[]): number | null {
  const n = rated.length;
  if (n === 0) return null;
  const [ofA, ofB] = [counts(rated.map(({ a }) => a)), counts(rated.map(({ b }) => b))];
  const observed = rated.filter(({ a, b }) => a === b).length / n;
  // In whole numbers, so that a chance agreement of 1 is found as such.
  const chance = [...ofA].reduce((sum, [name, count]) => sum + count * (ofB.get(name) ?? 0), 0);
  if (chance === n * n) return null;
  const expected = chance / (n * n);
  return (observed - expected) / (1 - expected);
}

/** @throws internal error for no items */
export function agreement(rated: readonly Rated[], { seed, resamples = 1000 }: { seed: number | string; resamples?: number }): Agreement {
  if (rated.length === 0) throw internalError('agreement over no items');
  const clusters = [...groupByCluster(rated).values()];
  const random = new Random(`kappa ${seed}`);
  const drawn = Array.from({ length: resamples }, () => cohenKappa(clusters.flatMap(() => clusters[random.integer(clusters.length)]!)))
    .filter((kappa) => kappa !== null)
    .sort((a, b) => a - b);
  const kappa = cohenKappa(rated);
  const known = kappa !== null && drawn.length >= resamples / 2;
  return {
    items: rated.length,
    agreed: rated.filter(({ a, b }) => a === b).length / rated.length,
    kappa,
    low: known ? quantile(drawn, 0.025) : null,
    high: known ? quantile(drawn, 0.975) : null,
  };
}

/** How often grader a said `row` where b said `column`, in the order of `classes`. */
export const confusion = (rated: readonly Pick<Rated, 'a' | 'b'>[], classes: readonly string[]): number[][] =>
  classes.map((row) => classes.map((column) => rated.filter(({ a, b }) => a === row && b === column).length));

function counts(labels: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const label of labels) found.set(label, (found.get(label) ?? 0) + 1);
  return found;
}

function groupByCluster(rated: readonly Rated[]): Map<string, Rated[]> {
  const groups = new Map<string, Rated[]>();
  for (const one of rated) groups.set(one.cluster, [...(groups.get(one.cluster) ?? []), one]);
  return groups;
}
