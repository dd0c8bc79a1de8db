/** AdamW (Loshchilov & Hutter) over named f32 parameters, with clipping by global norm. */
import type { AdamParams } from './types.js';
import { dependencyError } from '../base/errors.js';

export interface AdamState {
  step: number;
  /** First and second moments, by parameter name. */
  m: Map<string, Float32Array>;
  v: Map<string, Float32Array>;
}

export const freshAdam = (): AdamState => ({ step: 0, m: new Map(), v: new Map() });

/**
 * Updates parameters in place.
 * @param scale factor on every gradient before clipping (1 / number of sequences)
 * @returns norm of the scaled gradient before clipping
 */
export function adamStep(
  parameters: ReadonlyMap<string, Float32Array>,
  gradients: ReadonlyMap<string, Float32Array>,
  state: AdamState,
  scale: number,
  { learningRate, beta1 = 0.9, beta2 = 0.95, eps = 1e-12, weightDecay = 0, gradClipNorm = 0 }: AdamParams,
): { gradNorm: number } {
  let square = 0;
  for (const gradient of gradients.values()) for (const g of gradient) square += g * g;
  const gradNorm = Math.sqrt(square) * scale;
  if (!Number.isFinite(gradNorm)) {
    throw dependencyError('the gradient is not finite (NaN or infinity). Lower the learning rate, or look for NaN in the data.');
  }
  const factor = gradClipNorm > 0 && gradNorm > gradClipNorm ? (scale * gradClipNorm) / gradNorm : scale;
  state.step++;
  const correction1 = 1 - beta1 ** state.step;
  const correction2 = Math.sqrt(1 - beta2 ** state.step);
  for (const [name, parameter] of parameters) {
    const gradient = gradients.get(name);
    if (!gradient) continue;
    const m = moment(state.m, name, parameter.length);
    const v = moment(state.v, name, parameter.length);
    for (let i = 0; i < parameter.length; i++) {
      const g = (gradient[i] as number) * factor;
      const mi = beta1 * (m[i] as number) + (1 - beta1) * g;
      const vi = beta2 * (v[i] as number) + (1 - beta2) * g * g;
      m[i] = mi;
      v[i] = vi;
      const p = parameter[i] as number;
      parameter[i] = p - learningRate * (mi / correction1 / (Math.sqrt(vi) / correction2 + eps) + weightDecay * p);
    }
  }
  return { gradNorm };
}

function moment(moments: Map<string, Float32Array>, name: string, length: number): Float32Array {
  const known = moments.get(name);
  if (known) return known;
  const fresh = new Float32Array(length);
  moments.set(name, fresh);
  return fresh;
}
