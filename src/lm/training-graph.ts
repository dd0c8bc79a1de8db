/**
 * The training step as one graph: forward, losses, gradients of the LoRA parameters.
 * A micro-batch is a shared prefix of P tokens, computed once, and R rows of T tokens that each attend to the prefix and
 * to themselves (under a mask, so that a row may hold several packed sequences). Flat token order: prefix, row 0, row 1 …
 */
import { internalError } from '../base/errors.js';
import { product } from '../tensor/dims.js';
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
  backward: boolean,
): TrainingGraph {
  const graph = new Graph();
  const llama = new LlamaGraph(graph, config, weights, lora, 'N');
  const masks = {
    prefix: graph.input('prefix_mask', 'float32', ['P']),
    prefixCausal: graph.input('prefix_causal', 'float32', ['P', 'P']),
    row: graph.input('row_mask', 'float32', ['R', 1, 1, 'T', 'T']),
  };
  let x = graph.input('x', 'float32', ['N', config.hiddenSize]);
  for (let layer = 0; layer < config.layers; layer++) {
    x = llama.block(x, layer, (q, k, v) => attendWithSharedPrefix(graph, config, q, k, v, masks));
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

function attendWithSharedPrefix(
  graph: Graph,
  config: LlamaConfig,
  q: Value,
  k: Value,
  v: Value,
  masks: { prefix: Value; prefixCausal: Value; row: Value },
): Value {
  const { heads: H, kvHeads: K, headDim: h } = config;
  const G = H / K;
  const alpha = h ** -0.5;
  const reshape = (x: Value, ...shape: (number | string)[]) => graph.apply('reshape', [x], { shape });
  const transpose = (x: Value, ...permutation: number[]) => graph.apply('transpose', [x], { permutation });
  const split = (x: Value) => graph.applyMany('split', [x], { axis: 0, lengths: ['P', product('R', 'T')] });
  const [qPrefix, qRows] = pair(split(q));
  const [kPrefix, kRows] = pair(split(k));
  const [vPrefix, vRows] = pair(split(v));

  // The prefix attends to itself: [K, G·P, h] against [K, P, h].
  const GP = product(G, 'P');
  const q_K_GP_h = reshape(transpose(reshape(qPrefix, 'P', K, G, h), 1, 2, 0, 3), K, GP, h);
  const k_K_P_h = transpose(reshape(kPrefix, 'P', K, h), 1, 0, 2);
  const v_K_P_h = transpose(reshape(vPrefix, 'P', K, h), 1, 0, 2);
  const prefixScores = reshape(graph.apply('matmul', [q_K_GP_h, k_K_P_h], { transB: true, alpha }), K, G, 'P', 'P');
  const prefixWeights = graph.apply('softmax', [graph.apply('add', [prefixScores, masks.prefixCausal])]);
  const oPrefix = graph.apply('matmul', [reshape(prefixWeights, K, GP, 'P'), v_K_P_h]);
  const o_P = reshape(transpose(reshape(oPrefix, K, G, 'P', h), 2, 0, 1, 3), 'P', H * h);

  // Rows attend to the prefix (keys and values broadcast over R) and to themselves, under one softmax.
  const GT = product(G, 'T');
  const q_R_K_GT_h = reshape(transpose(reshape(qRows, 'R', 'T', K, G, h), 0, 2, 3, 1, 4), 'R', K, GT, h);
  const k_R_K_T_h = transpose(reshape(kRows, 'R', 'T', K, h), 0, 2, 1, 3);
  const v_R_K_T_h = transpose(reshape(vRows, 'R', 'T', K, h), 0, 2, 1, 3);
  const toPrefix = graph.apply('matmul', [q_R_K_GT_h, k_K_P_h], { transB: true, alpha });
  const toRow = graph.apply('matmul', [q_R_K_GT_h, k_R_K_T_h], { transB: true, alpha });
  const scores = graph.apply(
    'concat',
    [
      graph.apply('add', [reshape(toPrefix, 'R', K, G, 'T', 'P'), masks.prefix]),
      graph.apply('add', [reshape(toRow, 'R', K, G, 'T', 'T'), masks.row]),
    ],
    { axis: 4, length: 'S' },
  );
  const attention = graph.applyMany('split', [graph.apply('softmax', [scores])], { axis: 4, lengths: ['P', 'T'] });
  const [onPrefix, onRow] = pair(attention);
  const oRows = graph.apply('add', [
    graph.apply('matmul', [reshape(onPrefix, 'R', K, GT, 'P'), v_K_P_h]),
    graph.apply('matmul', [reshape(onRow, 'R', K, GT, 'T'), v_R_K_T_h]),
  ]);
  const o_RT = reshape(transpose(reshape(oRows, 'R', K, G, 'T', h), 0, 3, 1, 2, 4), product('R', 'T'), H * h);
  return graph.apply('concat', [o_P, o_RT], { axis: 0, length: 'N' });
}

function pair(values: Value[]): [Value, Value] {
  const [a, b] = values;
  if (!a || !b) throw internalError('split into two failed');
  return [a, b];
}
