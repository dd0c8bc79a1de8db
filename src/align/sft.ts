/** Stage 1c: supervised fine-tuning on the model's own judged reasoning (paper, section 2.3.3: context distillation). */
import { Random } from '../base/random.js';
import { contentId, type SftRecord } from '../base/records.js';
import type { Config } from '../base/config.js';
import { trainStep } from '../engines/train-step.js';
import type { Trainer } from '../engines/types.js';
import { inputError } from '../base/errors.js';
import { chosenTargets } from '../base/lora-targets.js';
import { answerOnlyDatum, perToken, reasoningDatum, type SftDatum } from './sft-data.js';
import type { StageContext } from './stage.js';
import { noteSpecification } from './trained-specification.js';
import { knownNorm, TrainingFolder } from './training-folder.js';

export type SftArm = 'sft' | 'answer-only';

/** Hash of all that the arm's weights depend on. RL's key follows from it. */
export const sftKey = ({ bench, config }: Pick<StageContext, 'bench' | 'config'>, arm: SftArm, records: readonly SftRecord[]): string => {
  const targets = chosenTargets(config.engine.targets);
  return contentId(
    'sft',
    arm,
    records.map(({ id }) => id),
    config.sft,
    config.seed,
    bench.digests,
    [config.engine.rank, config.engine.alpha],
    ...(targets === null ? [] : [{ targets }]),
  );
};

/**
 * Trains an arm from G_base and saves its adapter. A finished training is not done again; a broken-off one goes on from its
 * last checkpoint.
 * @returns the key of the training, which stands for the arm's weights
 */
export async function trainSft(context: StageContext, arm: SftArm, records: readonly SftRecord[]): Promise<string> {
  const { bench, config, paths, progress, signal } = context;
  if (records.length === 0)
    throw inputError(
      `${paths.sftRecords()}: holds no record, so there is nothing to learn from. See ${paths.funnel()} for where they were lost; lower filter.threshold or raise generate.samples.`,
    );
  const key = sftKey(context, arm, records);
  const folder = await TrainingFolder.open(paths.training(arm, 'sft'), key);
  try {
    if (folder.done) return key;
    await noteSpecification(folder.root, context.specs.spec);
    if (!(await folder.resume(bench.trainer))) await bench.resetPolicy();
    const { cotWeight: cot, answerWeight: answer } = config.sft;
    const { renderer } = bench.trainer;
    const data = records.map((record) =>
      arm === 'sft' ? reasoningDatum(record, renderer, { cot, answer }) : answerOnlyDatum(record, renderer, { cot, answer }),
    );
    const batches = planBatches(data, config.sft, config.seed);
    const task = progress.task(`sft ${arm}`, batches.length);
    task.advance(folder.step);
    for (let step = folder.step + 1; step <= batches.length; step++) {
      signal?.throwIfAborted();
      const batch = batches[step - 1]!;
      const metrics = await sftStep(bench.trainer, batch, {
        learningRate: learningRateAt(step, batches.length, config.sft),
        gradClipNorm: config.sft.gradClipNorm,
      });
      await folder.log({ step, epoch: Math.floor(((step - 1) / batches.length) * config.sft.epochs) + 1, ...metrics });
      task.advance(1, metrics.tokens);
      if (step % config.sft.checkpointEvery === 0 && step < batches.length) await folder.save(bench.trainer, step);
    }
    await bench.trainer.save(folder.adapter());
    await folder.finish(batches.length);
    task.done();
    return key;
  } finally {
    await folder.close();
  }
}

/** One pass over the records an epoch, each in an order of its own. */
export function planBatches<T>(
  data: readonly T[],
  { epochs, batchSize }: Pick<Config['sft'], 'epochs' | 'batchSize'>,
  seed: number,
): T[][] {
  return Array.from({ length: epochs }, (_, epoch) => new Random(`sft ${seed} ${epoch}`).shuffle(data)).flatMap((order) =>
    Array.from({ length: Math.ceil(order.length / batchSize) }, (_, i) => order.slice(i * batchSize, (i + 1) * batchSize)),
  );
}

/** Linear warm-up to the highest rate, then linear decay; the last step is still above zero. */
export function learningRateAt(
  step: number,
  steps: number,
  { learningRate, warmUp }: Pick<Config['sft'], 'learningRate' | 'warmUp'>,
): number {
  const rising = Math.max(1, Math.round(steps * warmUp));
  return step <= rising ? (learningRate * step) / rising : (learningRate * (steps - step + 1)) / (steps - rising + 1);
}

async function sftStep(trainer: Trainer, batch: readonly SftDatum[], params: { learningRate: number; gradClipNorm: number }) {
  const start = performance.now();
  const data = perToken(batch);
  const { lossSum, logprobs, gradNorm } = await trainStep(
    trainer,
    data.map(({ tokens, targets, weights }) => ({ tokens, targets, weights })),
    'cross_entropy',
    params,
  );
  const tokens = batch.reduce((sum, datum) => sum + datum.tokens.length, 0);
  const seconds = (performance.now() - start) / 1000;
  return {
    loss: lossSum / batch.length,
    ...partLosses(batch, logprobs),
    learningRate: params.learningRate,
    gradNorm: knownNorm(gradNorm),
    tokens,
    seconds,
  };
}

/** Mean loss a token of CoT and of answer, unweighted; left out where there is none. */
function partLosses(batch: readonly SftDatum[], logprobs: readonly number[][]): { cotLoss?: number; answerLoss?: number } {
  const sums = { cot: { loss: 0, tokens: 0 }, answer: { loss: 0, tokens: 0 } };
  batch.forEach(({ weights, answerStart }, i) =>
    weights.forEach((weight, t) => {
      if (weight === 0) return;
      const loss = -(logprobs[i]?.[t] ?? 0);
      const part = t < answerStart ? sums.cot : sums.answer;
      part.loss += loss;
      part.tokens++;
    }),
  );
  const mean = ({ loss, tokens }: { loss: number; tokens: number }) => loss / tokens;
  return { ...(sums.cot.tokens > 0 && { cotLoss: mean(sums.cot) }), ...(sums.answer.tokens > 0 && { answerLoss: mean(sums.answer) }) };
}
