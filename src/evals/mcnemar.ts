/** A paired test of two arms on the same requests. */
import { internalError } from '../base/errors.js';

/**
 * McNemar's exact test, two-sided: of the pairs that differ, `better` went one way and `worse` the other; under no difference each
 * is a fair coin. Takes every pair as independent; where several pairs are variants of one request, it is too sure.
 * @throws internal error for counts that are not whole numbers from 0
 */
export function mcnemarExact(better: number, worse: number): number {
  if (![better, worse].every((count) => Number.isInteger(count) && count >= 0)) throw internalError(`McNemar of ${better} and ${worse}`);
  const n = better + worse;
  // Terms in logarithms: 0.5^n is 0 in floating point from n = 1075 on.
  let term = -n * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(better, worse); k++) {
    tail += Math.exp(term);
    term += Math.log(n - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * tail);
}
