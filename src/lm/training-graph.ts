/**
 * The training step as one graph: forward, losses, gradients of the LoRA parameters.
 * A micro-batch is a shared prefix of P tokens, computed once (or none), and R rows of T tokens that each attend to the prefix and
 * to themselves (under a mask, so that a row may hold several packed sequences). Flat token order: prefix, row 0, row 1 …
 */
import { internalError } from '../base/errors.js';
import { type Dim, product } from '../tensor/dims.js';
import { Graph, type Value } from '../tensor/graph.js';
import type { LlamaConfig } from './config.js';
import { LlamaGraph, type LoraShape, type Weights } from './llama.js';

/** Additive mask value: far below any score, and finite so that a fully masked row stays NaN-free. */
export const masked = -1e9;

export interface TrainingGraph {
  graph: Graph;
  /** LoRA parameter name → name of the output with its gradient; empty for a forward-only graph. */
  gradients: Map<string, string>;
}

/**
 * Symbols: P prefix tokens, R rows, T tokens a row, N = P + R·T, S = P + T, M targets with a loss.
 * Inputs: x_N_D embeddings, position_1_N, prefix_mask_P (additive), prefix_causal_P_P, row_mask_R_T_T (additive),
 * selected_M (flat token index), target_M_1, and the loss's: weight_M_1, advantage_M_1, old_logprob_M_1, ratio_scale,
 * clip_low, clip_high. Outputs: logprob [M, 1] and the gradients.
 *
 * One formula serves the three losses: dL/dlogp = −w · A · ρ · [not clipped], ρ = exp(ratio_scale · (logp − old)).
 * cross_entropy: A = 1, ratio_scale = 0.  importance_sampling: ratio_scale = 1, no clip.  ppo: both (INTERFACES.md; clip 0.8 … 1.2).
 */
export function buildTrainingGraph(
  config: LlamaConfig,
  weights: Weights,
  head: Float32Array,
  lora: LoraShape,
  {
    backward,
    sharedPrefix,
    recompute = false,
  }: {
    backward: boolean;
    sharedPrefix: boolean;
    /** Keep one block's activations at a time: a third slower, many times smaller. */ recompute?: boolean;
  },
): TrainingGraph {
  const graph = new Graph();
  const tokens = sharedPrefix ? 'N' : product('R', 'T');
  const llama = new LlamaGraph(graph, config, weights, lora, tokens);
  const rowMask = graph.input('row_mask', 'float32', ['R', 1, 1, 'T', 'T']);
  const prefixMasks = sharedPrefix
    ? { columns: graph.input('prefix_mask', 'float32', ['P']), causal: graph.input('prefix_causal', 'float32', ['P', 'P']) }
    : null;
  let x = graph.input('x', 'float32', [tokens, config.hiddenSize]);
  for (let layer = 0; layer < config.layers; layer++) {
    const block = (input: Value) =>
      llama.block(input, layer, (q, k, v) =>
        prefixMasks ? attendWithPrefix(graph, config, q, k, v, rowMask, prefixMasks) : attendInRows(graph, config, q, k, v, rowMask),
      );
    x = recompute && backward ? graph.recomputed(x, block) : block(x);
  }
  const selected = graph.input('selected', 'int64', ['M']);
  const target = graph.input('target', 'int64', ['M', 1]);
  const hidden_M_D = llama.finalNorm(graph.apply('gatherRows', [x, selected]));
  const vocabulary = graph.weight('lm_head.weight', head, [config.vocabSize, config.hiddenSize]);
  const logprob_M_1 = graph.apply('targetLogprob', [hidden_M_D, vocabulary, target]);
  graph.output(logprob_M_1, 'logprob');

  const gradients = new Map<string, string>();
  if (backward) {
    for (const [name, grad] of graph.backward([{ value: logprob_M_1, grad: lossSlope(graph, logprob_M_1) }])) {
      graph.output(grad, `grad:${name}`);
      gradients.set(name, `grad:${name}`);
    }
  }
  return { graph, gradients };
}

/** dL/dlogp of the three losses, [M, 1]. */
function lossSlope(graph: Graph, logprob: Value): Value {
  const like = { shape: logprob.shape };
  const column = (name: string) => graph.input(name, 'float32', ['M', 1]);
  const scalar = (name: string) => graph.input(name, 'float32', [1]);
  const weight = column('weight');
  const advantage = column('advantage');
  const difference = graph.node('Sub', [logprob, column('old_logprob')], like);
  const ratio = graph.node('Exp', [graph.node('Mul', [difference, scalar('ratio_scale')], like)], like);
  const bool = { ...like, dtype: 'bool' as const };
  const zero = graph.scalar(0);
  // PPO's minimum has no slope where a good action is already more likely than the clip, or a bad one less.
  const tooHigh = graph.node(
    'And',
    [graph.node('Greater', [advantage, zero], bool), graph.node('Greater', [ratio, scalar('clip_high')], bool)],
    bool,
  );
  const tooLow = graph.node(
    'And',
    [graph.node('Less', [advantage, zero], bool), graph.node('Less', [ratio, scalar('clip_low')], bool)],
    bool,
  );
  const clipped = graph.node('Or', [tooHigh, tooLow], bool);
  const slope = graph.node('Neg', [graph.node('Mul', [graph.node('Mul', [weight, advantage], like), ratio], like)], like);
  return graph.node('Where', [clipped, zero, slope], like);
}

/** Views of the flat batch by head, for one attention layer. */
class Heads {
  readonly alpha: number;
  private readonly K: number;
  private readonly G: number;
  private readonly h: number;

  constructor(
    readonly graph: Graph,
    { heads, kvHeads, headDim }: LlamaConfig,
  ) {
    this.K = kvHeads;
    this.G = heads / kvHeads;
    this.h = headDim;
    this.alpha = headDim ** -0.5;
  }

  reshape(x: Value, ...shape: Dim[]): Value {
    return this.graph.apply('reshape', [x], { shape });
  }

  private transpose(x: Value, ...permutation: number[]): Value {
    return this.graph.apply('transpose', [x], { permutation });
  }

  /** [R·T, H·h] → [R, K, G·T, h] */
  rowQueries(q: Value): Value {
    return this.reshape(
      this.transpose(this.reshape(q, 'R', 'T', this.K, this.G, this.h), 0, 2, 3, 1, 4),
      'R',
      this.K,
      product(this.G, 'T'),
      this.h,
    );
  }

  /** [R·T, K·h] → [R, K, T, h] */
  rowKeys(k: Value): Value {
    return this.transpose(this.reshape(k, 'R', 'T', this.K, this.h), 0, 2, 1, 3);
  }

  /** [R, K, G·T, h] → [R·T, H·h] */
  rowOutputs(o: Value): Value {
    return this.reshape(
      this.transpose(this.reshape(o, 'R', this.K, this.G, 'T', this.h), 0, 3, 1, 2, 4),
      product('R', 'T'),
      this.K * this.G * this.h,
    );
  }

  /** [P, H·h] → [K, G·P, h] */
  prefixQueries(q: Value): Value {
    return this.reshape(this.transpose(this.reshape(q, 'P', this.K, this.G, this.h), 1, 2, 0, 3), this.K, product(this.G, 'P'), this.h);
  }

  /** [P, K·h] → [K, P, h] */
  prefixKeys(k: Value): Value {
    return this.transpose(this.reshape(k, 'P', this.K, this.h), 1, 0, 2);
  }

  /** [K, G·P, h] → [P, H·h] */
  prefixOutputs(o: Value): Value {
    return this.reshape(this.transpose(this.reshape(o, this.K, this.G, 'P', this.h), 2, 0, 1, 3), 'P', this.K * this.G * this.h);
  }

  /** Scaled scores of queries against keys, laid out [lead…, G, queries, keys] so that a mask over (queries, keys) fits. */
  scores(q: Value, k: Value, lead: readonly Dim[], queries: Dim, keys: Dim): Value {
    const scores = this.graph.apply('matmul', [q, k], { transB: true, alpha: this.alpha });
    return this.reshape(scores, ...lead, this.K, this.G, queries, keys);
  }

  /** Attention weights [lead…, G, queries, keys] times values. */
  weigh(weights: Value, v: Value, lead: readonly Dim[], queries: Dim, keys: Dim): Value {
    return this.graph.apply('matmul', [this.reshape(weights, ...lead, this.K, product(this.G, queries), keys), v]);
  }
}

/** Every row attends to itself alone. */
function attendInRows(graph: Graph, config: LlamaConfig, q: Value, k: Value, v: Value, rowMask: Value): Value {
  const heads = new Heads(graph, config);
  const scores = heads.scores(heads.rowQueries(q), heads.rowKeys(k), ['R'], 'T', 'T');
  const weights = graph.apply('softmax', [graph.apply('add', [scores, rowMask])]);
  return heads.rowOutputs(heads.weigh(weights, heads.rowKeys(v), ['R'], 'T', 'T'));
}

/** The prefix attends to itself; rows attend to the prefix (keys and values broadcast over R) and to themselves, under one softmax. */
function attendWithPrefix(
  graph: Graph,
  config: LlamaConfig,
  q: Value,
  k: Value,
  v: Value,
  rowMask: Value,
  prefixMasks: { columns: Value; causal: Value },
): Value {
  const heads = new Heads(graph, config);
  const split = (x: Value) => pair(graph.applyMany('split', [x], { axis: 0, lengths: ['P', product('R', 'T')] }));
  const [qPrefix, qRows] = split(q);
  const [kPrefix, kRows] = split(k);
  const [vPrefix, vRows] = split(v);
  const k_K_P_h = heads.prefixKeys(kPrefix);
  const v_K_P_h = heads.prefixKeys(vPrefix);
  const own = graph.apply('add', [heads.scores(heads.prefixQueries(qPrefix), k_K_P_h, [], 'P', 'P'), prefixMasks.causal]);
  const o_P = heads.prefixOutputs(heads.weigh(graph.apply('softmax', [own]), v_K_P_h, [], 'P', 'P'));

  const q_R_K_GT_h = heads.rowQueries(qRows);
  const toPrefix = graph.apply('add', [heads.scores(q_R_K_GT_h, k_K_P_h, ['R'], 'T', 'P'), prefixMasks.columns]);
  const toRow = graph.apply('add', [heads.scores(q_R_K_GT_h, heads.rowKeys(kRows), ['R'], 'T', 'T'), rowMask]);
  const weights = graph.apply('softmax', [graph.apply('concat', [toPrefix, toRow], { axis: 4, length: 'S' })]);
  const [onPrefix, onRow] = pair(graph.applyMany('split', [weights], { axis: 4, lengths: ['P', 'T'] }));
  const o_RT = heads.rowOutputs(
    graph.apply('add', [heads.weigh(onPrefix, v_K_P_h, ['R'], 'T', 'P'), heads.weigh(onRow, heads.rowKeys(vRows), ['R'], 'T', 'T')]),
  );
  return graph.apply('concat', [o_P, o_RT], { axis: 0, length: 'N' });
}

function pair(values: Value[]): [Value, Value] {
  const [a, b] = values;
  if (!a || !b) throw internalError('split into two failed');
  return [a, b];
}
