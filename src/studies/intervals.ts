/**
 * Uncertainty over seeds and requests at once. A seed is a whole run: other samples, other order of training, other choice of
 * requests. Both levels are resampled, or three lucky seeds would look like certainty.
 */
import { internalError } from '../base/errors.js';
import { Random } from '../base/random.js';
import { fewDiffer, movesOf, oneSided, soberBounds, tango, type Moves } from '../evals/paired-score.js';
import { signTest as signTestOfRows } from '../evals/significance.js';
import { clusterSums, mean, quantile, redrawnMean, wilson, type Scored } from '../evals/statistics.js';

/** One seed's rows in strata; the estimate is the mean of the strata's means (balanced accuracy has two strata, a rate has one). */
export type Strata = readonly (readonly Scored[])[];

export interface SeedInterval {
  /** Mean over the seeds. */
  estimate: number;
  /** 95 % interval. */
  low: number;
  high: number;
  /** Lower end of a one-sided 95 % interval: for tests of non-inferiority. */
  oneSidedLow: number;
  perSeed: number[];
  /** Different requests, over all seeds. */
  clusters: number;
}

export interface SeedOptions {
  seed: number | string;
  /** Default 1000 (paper). */
  resamples?: number;
  /**
   * What the values are. A rate's lie in [0, 1]: the interval is kept there, and is never narrower than Wilson's where the rate is near
   * 0 or 1. A difference's lie in [−1, 1]: likewise, and never narrower than Tango's where hardly any request differs, or all do alike.
   */
  of?: 'rate' | 'difference';
}

const filled = (strata: Strata): Strata => strata.filter((rows) => rows.length > 0);
const balancedMean = (strata: Strata): number => mean(strata.map((rows) => mean(rows.map(({ value }) => value))));

/**
 * Mean over seeds with its interval from a two-level bootstrap: seeds with replacement, in each of them requests with replacement.
 * The seeds' deviations from their mean are widened by √(S/(S−1)), for a bootstrap of S values has (S−1)/S of their variance.
 * With one seed it is the bootstrap over requests alone. Null when no seed has a row.
 */
export function seedInterval(seeds: readonly Strata[], { seed, resamples = 1000, of }: SeedOptions): SeedInterval | null {
  const given = seeds.map(filled).filter((strata) => strata.length > 0);
  if (given.length === 0) return null;
  const perSeed = given.map(balancedMean);
  const estimate = mean(perSeed);
  const widen = given.length > 1 ? Math.sqrt(given.length / (given.length - 1)) : 1;
  const clustered = given.map((strata) => strata.map(clusterSums));
  const random = new Random(`seeds ${seed}`);
  const means = Array.from({ length: resamples }, () => {
    let total = 0;
    for (let i = 0; i < given.length; i++) {
      const s = given.length === 1 ? 0 : random.integer(given.length);
      total +=
        estimate + widen * (perSeed[s]! - estimate) + (mean(clustered[s]!.map((clusters) => redrawnMean(clusters, random))) - perSeed[s]!);
    }
    return total / given.length;
  }).sort((a, b) => a - b);
  let [low, high, oneSidedLow] = [quantile(means, 0.025), quantile(means, 0.975), quantile(means, 0.05)];
  const clusters = new Set(given.flatMap((strata) => strata.flatMap((rows) => rows.map(({ cluster }) => cluster)))).size;
  if (of === 'rate') {
    if (Math.min(estimate, 1 - estimate) * clusters < 5) {
      const score = wilson(Math.min(1, Math.max(0, estimate)), clusters);
      [low, high] = [Math.min(low, score.low), Math.max(high, score.high)];
    }
    [low, high, oneSidedLow] = [Math.max(0, low), Math.min(1, high), Math.max(0, oneSidedLow)];
  }
  if (of === 'difference') {
    const moves = movesOfSeeds(given, clusters);
    if (fewDiffer(moves) || low === high) oneSidedLow = Math.min(oneSidedLow, tango(moves, oneSided).low);
    ({ low, high } = soberBounds({ low, high }, moves));
    oneSidedLow = Math.max(-1, oneSidedLow);
  }
  return { estimate, low, high, oneSidedLow, perSeed, clusters };
}

/** Rise and fall in the same weights as the estimate: seeds alike, and strata within a seed alike. */
function movesOfSeeds(seeds: readonly Strata[], n: number): Moves {
  const moves = seeds.map((strata) =>
    strata.map((rows) =>
      movesOf(
        rows.map(({ value }) => value),
        n,
      ),
    ),
  );
  const balanced = (part: 'up' | 'down') => mean(moves.map((strata) => mean(strata.map((one) => one[part]))));
  return { up: balanced('up'), down: balanced('down'), n };
}

/** One unit scored in an arm; `id` is the same in every arm. */
export interface Unit extends Scored {
  id: string;
}

/** b − a for the units that both have, stratum by stratum: what makes a request hard for both cancels out. */
export function pairedStrata(a: readonly (readonly Unit[])[], b: readonly (readonly Unit[])[]): Scored[][] {
  if (a.length !== b.length) throw internalError(`paired strata: ${a.length} against ${b.length}`);
  return b.map((units, stratum) => {
    const before = new Map(a[stratum]!.map(({ id, value }) => [id, value]));
    return units.flatMap(({ id, cluster, value }) => {
      const other = before.get(id);
      return other === undefined ? [] : [{ cluster, value: value - other }];
    });
  });
}

export { holm } from '../evals/significance.js';

/** The sign test over the requests of all seeds and strata. */
export const signTest = (seeds: readonly Strata[]): number => signTestOfRows(seeds.flat(2));

/** Probability that a good item scores higher than a bad one, ties counting half (area under the ROC curve); null without both. */
export function areaUnderCurve(items: readonly { good: boolean; score: number }[]): number | null {
  const good = items.filter((item) => item.good);
  const bad = items.filter((item) => !item.good);
  if (good.length === 0 || bad.length === 0) return null;
  let wins = 0;
  for (const { score } of good) for (const other of bad) wins += score > other.score ? 1 : score === other.score ? 0.5 : 0;
  return wins / (good.length * bad.length);
}
