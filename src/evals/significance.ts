/** p-values of paired comparisons, and their correction where many are looked at together. */
import { mcnemarExact } from './mcnemar.js';
import type { Scored } from './statistics.js';

/**
 * Exact two-sided sign test over requests, from paired differences: a request speaks for the arm in which its sum over rows and seeds is
 * higher. Requests count once, however many variants and seeds they have. 1 where none differs.
 */
export function signTest(differences: readonly Scored[]): number {
  const sums = new Map<string, number>();
  for (const { cluster, value } of differences) sums.set(cluster, (sums.get(cluster) ?? 0) + value);
  const values = [...sums.values()];
  const better = values.filter((sum) => sum > 1e-9).length;
  const worse = values.filter((sum) => sum < -1e-9).length;
  return mcnemarExact(better, worse);
}

/** Holm's step-down correction: p-values such that rejecting those below α is wrong anywhere with probability α at most. */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const corrected = new Array<number>(values.length).fill(1);
  let highest = 0;
  order.forEach((index, rank) => {
    highest = Math.max(highest, Math.min(1, values[index]! * (values.length - rank)));
    corrected[index] = highest;
  });
  return corrected;
}
