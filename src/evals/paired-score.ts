/**
 * Intervals of a paired difference where few requests differ. A bootstrap resamples what it has: thirteen differences of 0 give [0, 0],
 * as if thirteen requests could show that two arms never differ. There the interval is Tango's at least (Tango 1998, Equivalence test
 * and confidence interval for the difference in proportions for the paired-sample design, Statistics in Medicine 17:891–908), the
 * counterpart of Wilson's for pairs: none of n differs gives ±z²/(n + z²), Wilson's bound on the share that might.
 */

/** 97.5 % and 95 % points of the standard normal distribution. */
export const twoSided = 1.959963984540054;
export const oneSided = 1.6448536269514722;

/** How a mean of n differences in [−1, 1] comes about: mean rise and mean fall, both from 0; their difference is the mean. */
export interface Moves {
  up: number;
  down: number;
  /** Requests, not rows: a request's variants may all fall together. */
  n: number;
}

/**
 * Tango's score interval for `up − down`. Differences between −1 and 1 count by their size: their variance is at most that of as much
 * movement in whole steps, so the interval is then wider than it need be, never narrower.
 */
export function tango({ up, down, n }: Moves, z = twoSided): { low: number; high: number } {
  const estimate = up - down;
  return {
    low: crossing(-1, estimate, (at) => score({ up, down, n }, at) > z),
    high: -crossing(-1, -estimate, (at) => score({ up: down, down: up, n }, at) > z),
  };
}

/** How many standard errors the mean is above `at`, with the likeliest variance under a true mean of `at`. */
function score({ up, down, n }: Moves, at: number): number {
  const b = (2 - up + down) * at - up - down;
  // Neither root is of less than 0 but by rounding.
  const falls = (Math.sqrt(Math.max(0, b * b + 8 * down * at * (1 - at))) - b) / 4;
  return (up - down - at) / Math.sqrt(Math.max(0, 2 * falls + at * (1 - at)) / n);
}

/** The point in [from, to] up to which `holds`, by bisection. */
function crossing(from: number, to: number, holds: (at: number) => boolean): number {
  let [low, high] = [from, to];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * Whether a bootstrap of these differences is too sure of itself: nearly none moves, or nearly all move alike and wholly; the same
 * bound of five as for rates.
 */
export const fewDiffer = ({ up, down, n }: Moves): boolean => Math.min(up + down, 1 - Math.abs(up - down)) * n < 5;

/** Mean rise and fall of differences. */
export function movesOf(values: readonly number[], n: number): Moves {
  const mean = (part: (value: number) => number) => values.reduce((sum, value) => sum + part(value), 0) / values.length;
  return { up: mean((value) => Math.max(0, value)), down: mean((value) => Math.max(0, -value)), n };
}

/** The bootstrap's ends, moved out to Tango's where it is too sure, and kept in [−1, 1]. */
export function soberBounds<B extends { low: number; high: number }>(bootstrap: B, moves: Moves): B {
  let { low, high } = bootstrap;
  if (fewDiffer(moves) || low === high) {
    const least = tango(moves);
    [low, high] = [Math.min(low, least.low), Math.max(high, least.high)];
  }
  return { ...bootstrap, low: Math.max(-1, low), high: Math.min(1, high) };
}
