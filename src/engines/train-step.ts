/** One optimizer step on one batch, in as few round trips as the engine can. */
import type { AdamParams, Datum, ForwardBackwardResult, LossFunction, Trainer } from './types.js';

/** No gradients of earlier batches may be waiting. */
export async function trainStep(
  trainer: Trainer,
  data: Datum[],
  loss: LossFunction,
  params: AdamParams,
): Promise<ForwardBackwardResult & { gradNorm: number }> {
  if (trainer.trainStep !== undefined) return trainer.trainStep(data, loss, params);
  const measured = await trainer.forwardBackward(data, loss);
  return { ...measured, ...(await trainer.optimStep(params)) };
}
