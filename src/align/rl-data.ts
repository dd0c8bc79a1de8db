/** From rollouts to the importance-sampling loss, and what is measured on the way (paper, section 2.4; the algorithm is ours: GRPO family). */
import type { Datum } from '../engines/types.js';
import type { Sampled } from './rollouts.js';
import { perToken } from './sft-data.js';

/** Sequences of one group begin with the same prompt, which is computed once for all of them. */
export function rolloutDatum({ promptTokens, sequence, rollout }: Sampled): Datum {
  const all = [...promptTokens, ...sequence.tokens];
  const before = promptTokens.length - 1;
  const onCompletion = (value: (i: number) => number) => all.slice(1).map((_, t) => (t < before ? 0 : value(t - before)));
  return {
    tokens: all.slice(0, -1),
    targets: all.slice(1),
    weights: onCompletion(() => 1),
    logprobs: onCompletion((i) => sequence.logprobs[i] ?? 0),
    advantages: onCompletion(() => rollout.advantage ?? 0),
    sharedPrefix: before,
  };
}

/** Token-mean over the batch, as in SFT: a long rollout does not count for more a token than a short one. */
export const rolloutBatch = (sampled: readonly Sampled[]): Datum[] => perToken(sampled.map(rolloutDatum));

/**
 * Takes coefficient × (log π − log π_SFT) off the advantage of each token, less its mean over the batch, which would only shift
 * all advantages alike.
 */
export function withKlPenalty(data: readonly Datum[], reference: readonly number[][], coefficient: number): Datum[] {
  const gap = (datum: Datum, i: number, t: number) => (datum.logprobs?.[t] ?? 0) - (reference[i]?.[t] ?? 0);
  const gaps = data.flatMap((datum, i) => datum.weights.flatMap((weight, t) => (weight === 0 ? [] : [gap(datum, i, t)])));
  const mean = gaps.reduce((sum, value) => sum + value, 0) / Math.max(1, gaps.length);
  return data.map((datum, i) => ({
    ...datum,
    advantages: datum.targets.map((_, t) =>
      datum.weights[t] === 0 ? 0 : (datum.advantages?.[t] ?? 0) - coefficient * (gap(datum, i, t) - mean),
    ),
  }));
}

/** KL from the SFT policy in nats a rollout, by the estimator that is never negative: e^d − 1 − d, d = log π_SFT − log π. */
export function klPerRollout(data: readonly Datum[], reference: readonly number[][]): number {
  const sums = data.map((datum, i) =>
    datum.weights.reduce((sum, weight, t) => {
      if (weight === 0) return sum;
      const d = (reference[i]?.[t] ?? 0) - (datum.logprobs?.[t] ?? 0);
      return sum + Math.exp(d) - 1 - d;
    }, 0),
  );
  return sums.reduce((sum, value) => sum + value, 0) / Math.max(1, sums.length);
}

/** Largest difference between what the sampler and the trainer say of a token: they should compute the same. */
export function samplerGap(data: readonly Datum[], logprobs: readonly number[][]): number {
  let largest = 0;
  data.forEach((datum, i) =>
    datum.weights.forEach((weight, t) => {
      if (weight !== 0) largest = Math.max(largest, Math.abs((datum.logprobs?.[t] ?? 0) - (logprobs[i]?.[t] ?? 0)));
    }),
  );
  return largest;
}
