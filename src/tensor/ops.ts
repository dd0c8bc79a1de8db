/** The forward operations: shape inference and the ONNX nodes of each. Gradients stand in gradients.ts under the same names. */
import { internalError } from '../base/errors.js';
import { broadcast, type Dim, type Shape } from './dims.js';
import type { Graph, Value } from './graph.js';

export interface Attributes {
  alpha?: number;
  transA?: boolean;
  transB?: boolean;
  shape?: Shape;
  permutation?: readonly number[];
  axis?: number;
  /** Lengths of the parts of a split axis. */
  lengths?: readonly Dim[];
  /** Length of the concatenated axis, where its parts are symbols. */
  length?: Dim;
  epsilon?: number;
}

type Forward = (graph: Graph, inputs: Value[], attributes: Attributes) => { outputs: Value[]; saved?: Value[] };

export const microsoft = 'com.microsoft';

/** The i-th input of an operation, which must exist. */
export function at<T>(list: readonly T[], index: number): T {
  const item = list.at(index);
  if (item === undefined) throw internalError(`operation lacks input or dimension ${index}`);
  return item;
}

const elementwise =
  (opType: string): Forward =>
  (graph, [a, b]) => {
    if (!a || !b) throw internalError(`${opType} needs two inputs`);
    return { outputs: [graph.node(opType, [a, b], { shape: broadcast(a.shape, b.shape) })] };
  };

const table = {
  add: elementwise('Add'),
  mul: elementwise('Mul'),

  /** x_N_I · w_O_Iᵀ · alpha (+ c, [N, O] or [O]) → [N, O]. */
  linear(graph, inputs, { alpha = 1 }) {
    const shape = [at(at(inputs, 0).shape, 0), at(at(inputs, 1).shape, 0)];
    return { outputs: [graph.node('Gemm', inputs, { shape }, { transB: 1, alpha: { float: alpha } })] };
  },

  /** Batched product of the last two axes, leading axes broadcast. */
  matmul(graph, inputs, { alpha = 1, transA = false, transB = false }) {
    const [a, b] = [at(inputs, 0).shape, at(inputs, 1).shape];
    const shape = [...broadcast(a.slice(0, -2), b.slice(0, -2)), at(a, transA ? -1 : -2), at(b, transB ? -2 : -1)];
    const attributes = { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } };
    return { outputs: [graph.node('FusedMatMul', inputs, { shape }, attributes, microsoft)] };
  },

  reshape(graph, inputs, { shape = [] }) {
    // One symbolic dimension can be inferred by the kernel; more must be fed.
    const symbols = shape.filter((dim) => typeof dim === 'string').length;
    const target = graph.dims(symbols === 1 ? shape.map((dim) => (typeof dim === 'string' ? -1 : dim)) : shape);
    return { outputs: [graph.node('Reshape', [at(inputs, 0), target], { shape })] };
  },

  transpose(graph, inputs, { permutation = [] }) {
    const x = at(inputs, 0);
    const shape = permutation.map((axis) => at(x.shape, axis));
    return { outputs: [graph.node('Transpose', [x], { shape }, { perm: permutation })] };
  },

  /** Cuts one axis into parts of the given lengths. */
  split(graph, inputs, { axis = 0, lengths = [] }) {
    const x = at(inputs, 0);
    const parts = lengths.map((length) => ({ shape: x.shape.map((dim, i) => (i === axis ? length : dim)) }));
    return { outputs: graph.nodes2('Split', [x, graph.dims(lengths)], parts, { axis }) };
  },

  concat(graph, inputs, { axis = 0, length = 0 }) {
    const shape = at(inputs, 0).shape.map((dim, i) => (i === axis ? length : dim));
    return { outputs: [graph.node('Concat', inputs, { shape }, { axis })] };
  },

  /** Rows of x_N_D at index_M → [M, D]. */
  gatherRows(graph, inputs) {
    const [x, index] = [at(inputs, 0), at(inputs, 1)];
    return { outputs: [graph.node('Gather', [x, index], { shape: [at(index.shape, 0), ...x.shape.slice(1)] }, { axis: 0 })] };
  },

  /** Over the last axis. */
  softmax(graph, inputs) {
    const x = at(inputs, 0);
    return { outputs: [graph.node('Softmax', [x], { shape: x.shape }, { axis: -1 })] };
  },

  /** x / rms(x) · weight over the last axis; saves 1 / rms(x). */
  rmsNorm(graph, inputs, { epsilon = 1e-5 }) {
    const x = at(inputs, 0);
    const [output, inverseRms] = graph.nodes2(
      'SimplifiedLayerNormalization',
      inputs,
      [{ shape: x.shape }, { shape: [...x.shape.slice(0, -1), 1] }],
      { axis: -1, epsilon: { float: epsilon } },
    );
    return { outputs: [output as Value], saved: [inverseRms as Value] };
  },

  /** Rotary embedding of x_B_S_(heads·hd) at position_B_S, half-rotated as in Hugging Face's Llama; inputs x, position, cos, sin, −sin. */
  rope(graph, inputs) {
    const [x, position, cos, sin] = inputs;
    if (!x || !position || !cos || !sin) throw internalError('rope needs x, position, cos, sin');
    return { outputs: [graph.node('RotaryEmbedding', [x, position, cos, sin], { shape: x.shape }, {}, microsoft)] };
  },

  /** silu(gate) · up. */
  swiglu(graph, inputs) {
    const [gate, up] = [at(inputs, 0), at(inputs, 1)];
    const like = { shape: gate.shape };
    const silu = graph.node('Mul', [gate, graph.node('Sigmoid', [gate], like)], like);
    return { outputs: [graph.node('Mul', [silu, up], like)] };
  },

  /** log softmax(x_M_D · w_V_Dᵀ)[target_M] → [M, 1]; saves log softmax. The only place where logits exist in training. */
  targetLogprob(graph, inputs) {
    const [x, w, target] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
    const [m, v] = [at(x.shape, 0), at(w.shape, 0)];
    const logits_M_V = graph.node('Gemm', [x, w], { shape: [m, v] }, { transB: 1 });
    const logprobs_M_V = graph.node('LogSoftmax', [logits_M_V], { shape: [m, v] }, { axis: -1 });
    const output = graph.node('GatherElements', [logprobs_M_V, target], { shape: [m, 1] }, { axis: 1 });
    return { outputs: [output], saved: [logprobs_M_V] };
  },
} satisfies Record<string, Forward>;

export type OpName = keyof typeof table;
export const forwardOps: Record<OpName, Forward> = table;
