/** The losses of the training interface, one target at a time (INTERFACES.md, Tinker). */
import type { Datum, LossFunction } from './types.js';

/** Tinker's clipping of the ppo loss. */
export const ppoClip = { low: 0.8, high: 1.2 };

/** The weighted loss of one target, in double precision. */
export function lossOf(loss: LossFunction, datum: Datum, t: number, logprob: number): number {
  const weight = datum.weights[t] as number;
  if (loss === 'cross_entropy') return -weight * logprob;
  const advantage = datum.advantages?.[t] ?? 0;
  const ratio = Math.exp(logprob - (datum.logprobs?.[t] ?? 0));
  if (loss === 'importance_sampling') return -weight * ratio * advantage;
  const clipped = Math.min(ppoClip.high, Math.max(ppoClip.low, ratio));
  return -weight * Math.min(ratio * advantage, clipped * advantage);
}
