/**
 * Prefill and decoding as one graph, and the heads that turn hidden states into tokens or log-probabilities.
 * R rows bring T new tokens each; they attend to a prefix of P tokens shared by all rows (its keys and values computed once),
 * to their own cache of C slots, and to themselves. Only the new keys and values leave the graph: the caches are inputs, which are not copied.
 */
import { internalError } from '../base/errors.js';
import { type Dim, product } from '../tensor/dims.js';
import { Graph, type Value } from '../tensor/graph.js';
import type { LlamaConfig } from './config.js';
import { LlamaGraph, type LoraShape, type Weights } from './llama.js';

/**
 * Symbols R, T, C, P as above, S = P + C + T, M hidden states wanted.
 * Inputs: x [R·T, D], position [1, R·T], prefix_mask_P, cache_mask [R, 1, 1, C], new_mask_T_T (all additive), selected_M (flat index),
 * and per layer prefix_k/v [K, P, h], cache_k/v [R, K, C, h].
 * Outputs: hidden_M_D; new_kv [2·layers·R, K, T, h]: for each layer R rows of keys, then R rows of values.
 */
export function buildSamplingGraph(config: LlamaConfig, weights: Weights, lora: LoraShape): Graph {
  const graph = new Graph();
  const tokens = product('R', 'T');
  const llama = new LlamaGraph(graph, config, weights, lora, tokens);
  const { kvHeads: K, headDim: h } = config;
  const masks = {
    prefix: graph.input('prefix_mask', 'float32', ['P']),
    cache: graph.input('cache_mask', 'float32', ['R', 1, 1, 'C']),
    fresh: graph.input('new_mask', 'float32', ['T', 'T']),
  };
  const newKv: Value[] = [];
  let x = graph.input('x', 'float32', [tokens, config.hiddenSize]);
  for (let layer = 0; layer < config.layers; layer++) {
    const cached = {
      prefixK: graph.input(`prefix_k.${layer}`, 'float32', [K, 'P', h]),
      prefixV: graph.input(`prefix_v.${layer}`, 'float32', [K, 'P', h]),
      cacheK: graph.input(`cache_k.${layer}`, 'float32', ['R', K, 'C', h]),
      cacheV: graph.input(`cache_v.${layer}`, 'float32', ['R', K, 'C', h]),
    };
    x = llama.block(x, layer, (q, k, v) => {
      const perRow = (y: Value) =>
        graph.apply('transpose', [graph.apply('reshape', [y], { shape: ['R', 'T', K, h] })], { permutation: [0, 2, 1, 3] });
      const [k_R_K_T_h, v_R_K_T_h] = [perRow(k), perRow(v)];
      newKv.push(k_R_K_T_h, v_R_K_T_h);
      return attendToCaches(graph, config, q, k_R_K_T_h, v_R_K_T_h, cached, masks);
    });
  }
  const selected = graph.input('selected', 'int64', ['M']);
  graph.output(llama.finalNorm(graph.apply('gatherRows', [x, selected])), 'hidden');
  const length = product(2 * config.layers, 'R');
  graph.output(graph.apply('concat', newKv, { axis: 0, length }), 'new_kv');
  return graph;
}

function attendToCaches(
  graph: Graph,
  config: LlamaConfig,
  q: Value,
  k: Value,
  v: Value,
  cached: { prefixK: Value; prefixV: Value; cacheK: Value; cacheV: Value },
  masks: { prefix: Value; cache: Value; fresh: Value },
): Value {
  const { heads: H, kvHeads: K, headDim: h } = config;
  const G = H / K;
  const GT = product(G, 'T');
  const RGT = product('R', G, 'T');
  const alpha = h ** -0.5;
  const reshape = (x: Value, ...shape: Dim[]) => graph.apply('reshape', [x], { shape });
  const transpose = (x: Value, ...permutation: number[]) => graph.apply('transpose', [x], { permutation });
  const q5 = reshape(q, 'R', 'T', K, G, h);
  const q_R_K_GT_h = reshape(transpose(q5, 0, 2, 3, 1, 4), 'R', K, GT, h);
  // All rows against the shared prefix is one large product a head instead of R small ones.
  const q_K_RGT_h = reshape(transpose(q5, 2, 0, 3, 1, 4), K, RGT, h);
  const toPrefix = graph.apply('add', [graph.apply('matmul', [q_K_RGT_h, cached.prefixK], { transB: true, alpha }), masks.prefix]);
  const toCache = graph.apply('add', [graph.apply('matmul', [q_R_K_GT_h, cached.cacheK], { transB: true, alpha }), masks.cache]);
  const toNew = graph.apply('add', [
    reshape(graph.apply('matmul', [q_R_K_GT_h, k], { transB: true, alpha }), 'R', K, G, 'T', 'T'),
    masks.fresh,
  ]);
  const prefixPerRow = transpose(reshape(toPrefix, K, 'R', GT, 'P'), 1, 0, 2, 3);
  const scores = graph.apply('concat', [prefixPerRow, toCache, reshape(toNew, 'R', K, GT, 'T')], { axis: 3, length: 'S' });
  const [onPrefix, onCache, onNew] = graph.applyMany('split', [graph.apply('softmax', [scores])], { axis: 3, lengths: ['P', 'C', 'T'] });
  if (!onPrefix || !onCache || !onNew) throw internalError('split into three failed');
  const onPrefix_K = reshape(transpose(onPrefix, 1, 0, 2, 3), K, RGT, 'P');
  const fromPrefix = transpose(reshape(graph.apply('matmul', [onPrefix_K, cached.prefixV]), K, 'R', GT, h), 1, 0, 2, 3);
  const fromRow = graph.apply('add', [graph.apply('matmul', [onCache, cached.cacheV]), graph.apply('matmul', [onNew, v])]);
  const o = graph.apply('add', [fromPrefix, fromRow]);
  return reshape(transpose(reshape(o, 'R', K, G, 'T', h), 0, 3, 1, 2, 4), product('R', 'T'), H * h);
}

export type HeadKind = 'sample' | 'greedy' | 'nucleus' | 'choices';

/** The most tokens that top-k and top-p can keep; a nucleus wider than this is cut here. A smaller vocabulary is taken whole. */
export const nucleusWidth = 256;

/**
 * hidden_M_D → tokens and log-probabilities. Log-probabilities are at temperature 1, untruncated.
 * sample: inputs uniform_M_1, inverse_temperature_M_1 → token, logprob. Inverts the cumulative distribution, in blocks.
 * greedy: → token, logprob.
 * nucleus: inputs as sample and top_p_M_1, top_k_M_1 → token, logprob.
 * choices: input choice_M_C (token ids) → logprob_M_C.
 */
export function buildHead(kind: HeadKind, config: LlamaConfig, head: Float32Array): Graph {
  const graph = new Graph();
  const { vocabSize: V, hiddenSize: D } = config;
  const like = { shape: ['M', V] };
  const hidden = graph.input('hidden', 'float32', ['M', D]);
  const vocabulary = graph.weight('lm_head.weight', head, [V, D]);
  const logits = graph.node('Gemm', [hidden, vocabulary], like, { transB: 1 });
  const logprobs_M_V = graph.node('LogSoftmax', [logits], like, { axis: -1 });
  if (kind === 'choices') {
    const choice = graph.input('choice', 'int64', ['M', 'C']);
    graph.output(graph.node('GatherElements', [logprobs_M_V, choice], { shape: ['M', 'C'] }, { axis: 1 }), 'logprob');
    return graph;
  }
  let token: Value;
  if (kind === 'greedy') {
    token = graph.node('ArgMax', [logprobs_M_V], { shape: ['M', 1], dtype: 'int64' }, { axis: 1, keepdims: 1 });
  } else {
    const uniform = graph.input('uniform', 'float32', ['M', 1]);
    const inverseTemperature = graph.input('inverse_temperature', 'float32', ['M', 1]);
    const scaled = graph.node('Mul', [logprobs_M_V, inverseTemperature], like);
    token =
      kind === 'sample' ? sampleInBlocks(graph, scaled, uniform, V) : sampleNucleus(graph, scaled, uniform, Math.min(nucleusWidth, V));
  }
  graph.output(token, 'token');
  graph.output(graph.node('GatherElements', [logprobs_M_V, token], { shape: ['M', 1] }, { axis: 1 }), 'logprob');
  return graph;
}

/** Number of elements of x_M_n that are ≤ target_M_1: the place where a cumulative sum passes it, at most n − 1. */
function placeOf(graph: Graph, cumulative: Value, target: Value, n: number): Value {
  const below = graph.node('LessOrEqual', [cumulative, target], { shape: cumulative.shape, dtype: 'bool' });
  const ones = graph.node('Cast', [below], { shape: cumulative.shape, dtype: 'int64' }, { to: 7 });
  const count = graph.node('ReduceSum', [ones, graph.dims([1])], { shape: ['M', 1], dtype: 'int64' }, { keepdims: 1 });
  return graph.node('Min', [count, graph.dims([n - 1])], { shape: ['M', 1], dtype: 'int64' });
}

/** First the block in which the cumulative distribution passes u, then the token within it: one pass over the vocabulary, not three. */
function sampleInBlocks(graph: Graph, scaled: Value, uniform: Value, V: number): Value {
  const size = blockSize(V);
  const blocks = V / size;
  const column = { shape: ['M', 1] };
  // The maximum is subtracted so that a low temperature does not underflow.
  const p = graph.node(
    'Exp',
    [graph.node('Sub', [scaled, graph.node('ReduceMax', [scaled, graph.dims([1])], column, { keepdims: 1 })], { shape: scaled.shape })],
    { shape: scaled.shape },
  );
  const p3 = graph.node('Reshape', [p, graph.dims([-1, blocks, size])], { shape: ['M', blocks, size] });
  const sums = graph.node('ReduceSum', [p3, graph.dims([2])], { shape: ['M', blocks] }, { keepdims: 0 });
  const cumulative = graph.node('CumSum', [sums, graph.dims([1])], { shape: ['M', blocks] });
  const total = graph.node('ReduceSum', [sums, graph.dims([1])], column, { keepdims: 1 });
  const target = graph.node('Mul', [uniform, total], column);
  const block = placeOf(graph, cumulative, target, blocks);
  const upTo = graph.node('GatherElements', [cumulative, block], column, { axis: 1 });
  const own = graph.node('GatherElements', [sums, block], column, { axis: 1 });
  const rest = graph.node('Sub', [target, graph.node('Sub', [upTo, own], column)], column);
  const within = graph.node('GatherND', [p3, block], { shape: ['M', size] }, { batch_dims: 1 });
  const place = placeOf(graph, graph.node('CumSum', [within, graph.dims([1])], { shape: ['M', size] }), rest, size);
  const start = graph.node('Mul', [block, graph.dims([size])], { shape: ['M', 1], dtype: 'int64' });
  return graph.node('Add', [start, place], { shape: ['M', 1], dtype: 'int64' });
}

/** Divisor of the vocabulary's size nearest to its square root. */
function blockSize(V: number): number {
  let best = 1;
  for (let size = 1; size <= V; size++) {
    if (V % size === 0 && Math.abs(Math.log(size / Math.sqrt(V))) < Math.abs(Math.log(best / Math.sqrt(V)))) best = size;
  }
  return best;
}

/** Keeps the top_k likeliest tokens, of these the smallest set with mass ≥ top_p, and samples among them. */
function sampleNucleus(graph: Graph, scaled: Value, uniform: Value, width: number): Value {
  const shape = ['M', width];
  const column = { shape: ['M', 1] };
  const topP = graph.input('top_p', 'float32', ['M', 1]);
  const topK = graph.input('top_k', 'float32', ['M', 1]);
  const normal = graph.node('Softmax', [scaled], { shape: scaled.shape }, { axis: -1 });
  const [p, index] = graph.nodes2('TopK', [normal, graph.dims([width])], [{ shape }, { shape, dtype: 'int64' }], {
    axis: -1,
    largest: 1,
    sorted: 1,
  });
  if (!p || !index) throw internalError('TopK has two outputs');
  const before = graph.node('CumSum', [p, graph.dims([1])], { shape }, { exclusive: 1 });
  const ones = graph.node('Expand', [graph.scalar(1), graph.dims(shape)], { shape });
  const rank = graph.node('CumSum', [ones, graph.dims([1])], { shape }, { exclusive: 1 });
  const keep = graph.node(
    'And',
    [graph.node('Less', [before, topP], { shape, dtype: 'bool' }), graph.node('Less', [rank, topK], { shape, dtype: 'bool' })],
    { shape, dtype: 'bool' },
  );
  const kept = graph.node('Where', [keep, p, graph.scalar(0)], { shape });
  const cumulative = graph.node('CumSum', [kept, graph.dims([1])], { shape });
  const total = graph.node('ReduceSum', [kept, graph.dims([1])], column, { keepdims: 1 });
  const place = placeOf(graph, cumulative, graph.node('Mul', [uniform, total], column), width);
  return graph.node('GatherElements', [index, place], { shape: ['M', 1], dtype: 'int64' }, { axis: 1 });
}
