/** forward, forwardBackward and optimStep over the training graph: the embedded half of the Tinker primitives. */
import type { AdamParams, Datum, ForwardBackwardResult, LossFunction } from './types.js';
import { dependencyError } from '../base/errors.js';
import { Session, type SessionOptions, type TensorData } from '../tensor/session.js';
import { type AdamState, adamStep, freshAdam } from './adamw.js';
import type { LlamaConfig } from './config.js';
import type { LoraShape, Weights } from './llama.js';
import type { LoraParameters } from './lora.js';
import { lossOf, ppoClip } from './loss.js';
import { layOut, type MicroBatch, needsRecompute } from './micro-batch.js';
import { buildTrainingGraph, masked, type TrainingGraph } from './training-graph.js';

export interface ModelParts {
  config: LlamaConfig;
  weights: Weights;
  /** [V, D], row major. */
  embedding: Float32Array;
  head: Float32Array;
  lora: LoraShape;
}

export class LoraTrainer {
  private readonly sums = new Map<string, Float32Array>();
  private sequences = 0;
  private sessions: { backward?: LoadedGraph; forward?: LoadedGraph } = {};
  private running = 0;
  private releasing = Promise.resolve();
  adam: AdamState = freshAdam();

  constructor(
    private readonly model: ModelParts,
    /** The adapter being trained; updated in place by `optimStep`. */
    public adapter: LoraParameters,
    /** Bound on the activations of one micro-batch. */
    private readonly maxBytes: number,
    private readonly options: SessionOptions = {},
  ) {}

  /**
   * The graph for these data. One without a prefix is faster, one with a prefix serves all; one that keeps activations is
   * faster, one that recomputes them takes any length. The first data that ask for it replace the faster graph for good, for two
   * of them would hold the weights twice.
   */
  private async graphFor(direction: 'forward' | 'backward', data: readonly Datum[]): Promise<LoadedGraph> {
    const loaded = this.sessions[direction];
    const needsPrefix = data.some(({ sharedPrefix = 0 }) => sharedPrefix > 0);
    const { config, weights, head, lora } = this.model;
    const needsAgain = direction === 'backward' && needsRecompute(data, config, this.maxBytes);
    if (loaded && (loaded.sharedPrefix || !needsPrefix) && (loaded.recompute || !needsAgain)) return loaded;
    await loaded?.session.close();
    const kind = { sharedPrefix: needsPrefix || loaded?.sharedPrefix === true, recompute: needsAgain || loaded?.recompute === true };
    const built = buildTrainingGraph(config, weights, head, lora, { backward: direction === 'backward', ...kind });
    const fresh = { ...built, ...kind, session: await Session.create(built.graph, this.options) };
    this.sessions[direction] = fresh;
    return fresh;
  }

  /** Log-probabilities of the targets under `adapter`, no gradients. */
  async forward(data: readonly Datum[], adapter: LoraParameters = this.adapter): Promise<ForwardBackwardResult> {
    return this.busy(async () => this.runAll(data, 'cross_entropy', await this.graphFor('forward', data), adapter));
  }

  /** Adds the gradients of the loss, summed over targets and sequences, to those waiting for `optimStep`. */
  async forwardBackward(data: readonly Datum[], loss: LossFunction): Promise<ForwardBackwardResult> {
    const result = await this.busy(async () => this.runAll(data, loss, await this.graphFor('backward', data), this.adapter));
    this.sequences += data.length;
    return result;
  }

  /** One AdamW step with the mean gradient of the sequences since the last step. */
  optimStep(params: AdamParams): { gradNorm: number } {
    const result = adamStep(this.adapter.tensors, this.sums, this.adam, 1 / Math.max(1, this.sequences), params);
    this.dropGradients();
    return result;
  }

  dropGradients(): void {
    this.sums.clear();
    this.sequences = 0;
  }

  /** Gradients that wait for `optimStep`, summed over sequences; for tests against reference tensors. */
  get gradients(): ReadonlyMap<string, Float32Array> {
    return this.sums;
  }

  private async runAll(
    data: readonly Datum[],
    loss: LossFunction,
    loaded: LoadedGraph,
    adapter: LoraParameters,
  ): Promise<ForwardBackwardResult> {
    const logprobs = data.map(({ tokens }) => new Array<number>(tokens.length).fill(0));
    let lossSum = 0;
    for (const batch of layOut(data, { config: this.model.config, maxBytes: this.maxBytes, recompute: loaded.recompute })) {
      const places = await this.runOne(batch, data, loss, loaded, adapter);
      for (const { index, t, logprob } of places) {
        (logprobs[index] as number[])[t] = logprob;
        lossSum += lossOf(loss, data[index] as Datum, t, logprob);
      }
    }
    if (!Number.isFinite(lossSum))
      throw dependencyError('the loss is not finite. Lower the learning rate, or look for NaN in weights and advantages.');
    return { lossSum, logprobs };
  }

  private async runOne(batch: MicroBatch, data: readonly Datum[], loss: LossFunction, loaded: LoadedGraph, adapter: LoraParameters) {
    const { feeds, bindings, places } = fillFeeds(batch, data, loss, this.model, loaded.sharedPrefix);
    if (places.length === 0) return [];
    for (const [name, tensor] of adapter.tensors) feeds.set(name, tensor);
    const outputs = await loaded.session.run(feeds, bindings);
    const values = outputs.get('logprob') as Float32Array;
    for (const [name, output] of loaded.gradients) {
      const gradient = outputs.get(output) as Float32Array;
      const sum = this.sums.get(name);
      if (sum) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (gradient[i] as number);
      else this.sums.set(name, gradient);
    }
    return places.map((place, i) => ({ ...place, logprob: values[i] as number }));
  }

  private async busy<T>(work: () => Promise<T>): Promise<T> {
    this.running++;
    try {
      return await work();
    } finally {
      this.running--;
    }
  }

  /**
   * Gives back the graphs' copies of the weights and the room of the activations, which ONNX Runtime keeps for the next run, while
   * nothing is trained; building them anew takes a second or two. Adapter, gradients and optimizer state stay.
   */
  releaseIdle(): Promise<void> {
    // Everybody who asks waits for the same release, so that requests keep their order.
    if (this.running === 0 && Object.keys(this.sessions).length > 0) this.releasing = this.close();
    return this.releasing;
  }

  async close(): Promise<void> {
    const closing = Object.values(this.sessions);
    this.sessions = {};
    for (const { session } of closing) await session.close();
  }
}

type LoadedGraph = TrainingGraph & { session: Session; sharedPrefix: boolean; recompute: boolean };

function fillFeeds(
  batch: MicroBatch,
  data: readonly Datum[],
  loss: LossFunction,
  { config, embedding }: ModelParts,
  sharedPrefix: boolean,
) {
  const { rows, rowLength: T } = batch;
  // A graph with a prefix gets one masked token where a batch has none.
  const hasPrefix = batch.prefix.length > 0;
  const prefix = hasPrefix ? batch.prefix : sharedPrefix ? [0] : [];
  const [P, R, D] = [prefix.length, rows.length, config.hiddenSize];
  const N = P + R * T;
  const x = new Float32Array(N * D);
  const position = new BigInt64Array(N);
  const put = (at: number, token: number, place: number) => {
    x.set(embedding.subarray(token * D, (token + 1) * D), at * D);
    position[at] = BigInt(place);
  };
  prefix.forEach((token, t) => put(t, token, t));
  const rowMask = new Float32Array(R * T * T).fill(masked);
  const places: { index: number; t: number; flat: number }[] = [];
  rows.forEach((segments, r) => {
    let start = 0;
    for (const { index, length } of segments) {
      const datum = data[index] as Datum;
      const offset = datum.tokens.length - length;
      for (let t = 0; t < length; t++) {
        const flat = P + r * T + start + t;
        put(flat, datum.tokens[offset + t] as number, offset + t);
        const line = (r * T + start + t) * T + start;
        rowMask.fill(0, line, line + t + 1);
        if (datum.weights[offset + t] !== 0) places.push({ index, t: offset + t, flat });
      }
      start += length;
    }
    // Padding attends to itself alone.
    for (let t = start; t < T; t++) rowMask[(r * T + t) * T + t] = 0;
  });
  const prefixCausal = new Float32Array(P * P);
  for (let i = 0; i < P; i++) prefixCausal.fill(masked, i * P + i + 1, (i + 1) * P);
  const column = (value: (datum: Datum, t: number) => number) =>
    Float32Array.from(places, ({ index, t }) => value(data[index] as Datum, t));
  const supervised = loss === 'cross_entropy';
  const feeds = new Map<string, TensorData>([
    ['x', x],
    ['position', position],
    ['prefix_mask', new Float32Array(P).fill(hasPrefix ? 0 : masked)],
    ['prefix_causal', prefixCausal],
    ['row_mask', rowMask],
    ['selected', BigInt64Array.from(places, ({ flat }) => BigInt(flat))],
    ['target', BigInt64Array.from(places, ({ index, t }) => BigInt((data[index] as Datum).targets[t] as number))],
    ['weight', column((datum, t) => datum.weights[t] as number)],
    ['advantage', column((datum, t) => (supervised ? 1 : (datum.advantages?.[t] ?? 0)))],
    ['old_logprob', column((datum, t) => (supervised ? 0 : (datum.logprobs?.[t] ?? 0)))],
    ['ratio_scale', Float32Array.of(supervised ? 0 : 1)],
    ['clip_low', Float32Array.of(loss === 'ppo' ? ppoClip.low : -Infinity)],
    ['clip_high', Float32Array.of(loss === 'ppo' ? ppoClip.high : Infinity)],
  ]);
  return { feeds, bindings: { P, R, T, N, S: P + T, M: places.length }, places };
}
