/** The one table of gradient rules: for each operation of ops.ts, the gradients of its inputs given that of its output. */
import type { Dim, Shape } from './dims.js';
import type { Graph, Value } from './graph.js';
import { at, type Attributes, microsoft, type OpName } from './ops.js';

interface Context {
  graph: Graph;
  inputs: Value[];
  attributes: Attributes;
  outputs: Value[];
  /** What the forward operation kept for us. */
  saved: Value[];
  /** Gradient of the loss by each output. */
  grads: Value[];
}

type Rule = (context: Context) => (Value | null)[];

/** Sums a gradient over the axes along which its input was broadcast. */
function sumTo(graph: Graph, grad: Value, shape: Shape): Value {
  const lead = grad.shape.length - shape.length;
  const axes = grad.shape.flatMap((dim, i) => (i < lead || (shape[i - lead] === 1 && dim !== 1) ? [i] : []));
  if (axes.length === 0) return grad;
  const kept = grad.shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const sum = graph.node('ReduceSum', [grad, graph.dims(axes)], { shape: kept }, { keepdims: 1 });
  return lead === 0 ? sum : graph.apply('reshape', [sum], { shape });
}

function gemm(graph: Graph, a: Value, b: Value, options: { transA?: boolean; alpha?: number; shape: Dim[] }): Value {
  const attributes = { transA: Number(options.transA ?? false), alpha: { float: options.alpha ?? 1 } };
  return graph.node('Gemm', [a, b], { shape: options.shape }, attributes);
}

function batched(graph: Graph, a: Value, b: Value, transA: boolean, transB: boolean, alpha: number): Value {
  return graph.apply('matmul', [a, b], { transA, transB, alpha });
}

const binary = (graph: Graph, opType: string, a: Value, b: Value): Value =>
  graph.node(opType, [a, b], { shape: a.shape.length >= b.shape.length ? a.shape : b.shape });

export const gradientRules: Record<OpName, Rule> = {
  add: ({ graph, inputs, grads: [grad] }) =>
    grad === undefined ? [] : inputs.map((x) => (x.needsGrad ? sumTo(graph, grad, x.shape) : null)),

  mul({ graph, inputs, grads }) {
    const grad = at(grads, 0);
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    return [
      a.needsGrad ? sumTo(graph, binary(graph, 'Mul', grad, b), a.shape) : null,
      b.needsGrad ? sumTo(graph, binary(graph, 'Mul', grad, a), b.shape) : null,
    ];
  },

  // y = alpha · x wᵀ + c:  dx = alpha · dy w,  dw = alpha · dyᵀ x,  dc = dy
  linear({ graph, inputs, attributes: { alpha = 1 }, grads }) {
    const grad = at(grads, 0);
    const [x, w, c] = [at(inputs, 0), at(inputs, 1), inputs[2]];
    return [
      x.needsGrad ? gemm(graph, grad, w, { alpha, shape: [...x.shape] }) : null,
      w.needsGrad ? gemm(graph, grad, x, { transA: true, alpha, shape: [...w.shape] }) : null,
      c?.needsGrad ? sumTo(graph, grad, c.shape) : null,
    ];
  },

  matmul({ graph, inputs, attributes: { alpha = 1, transA = false, transB = false }, grads }) {
    const grad = at(grads, 0);
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    let gradA: Value | null = null;
    let gradB: Value | null = null;
    if (a.needsGrad) {
      gradA = transA ? batched(graph, b, grad, transB, true, alpha) : batched(graph, grad, b, false, !transB, alpha);
      gradA = sumTo(graph, gradA, a.shape);
    }
    if (b.needsGrad) {
      gradB = transB ? batched(graph, grad, a, true, transA, alpha) : batched(graph, a, grad, !transA, false, alpha);
      gradB = sumTo(graph, gradB, b.shape);
    }
    return [gradA, gradB];
  },

  reshape: ({ graph, inputs, grads }) => [graph.apply('reshape', grads, { shape: at(inputs, 0).shape })],

  transpose({ graph, attributes: { permutation = [] }, grads }) {
    const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
    return [graph.apply('transpose', grads, { permutation: inverse })];
  },

  split({ graph, inputs, attributes: { axis = 0 }, grads }) {
    return [graph.node('Concat', grads, { shape: at(inputs, 0).shape }, { axis })];
  },

  concat({ graph, inputs, attributes: { axis = 0 }, grads }) {
    const grad = at(grads, 0);
    const lengths = inputs.map((x) => graph.dims([at(x.shape, axis)]));
    const split = graph.node('Concat', lengths, { shape: [inputs.length], dtype: 'int64' }, { axis: 0 });
    return graph.nodes2(
      'Split',
      [grad, split],
      inputs.map((x) => ({ shape: x.shape })),
      { axis },
    );
  },

  gatherRows({ graph, inputs, grads }) {
    const grad = at(grads, 0);
    const [x, index] = [at(inputs, 0), at(inputs, 1)];
    const m = at(index.shape, 0);
    const zeros = graph.node('Expand', [graph.scalar(0), graph.dims(x.shape)], { shape: x.shape });
    const index_M_1 = graph.node('Unsqueeze', [index, graph.dims([1])], { shape: [m, 1], dtype: 'int64' });
    return [graph.node('ScatterND', [zeros, index_M_1, grad], { shape: x.shape }, { reduction: 'add' }), null];
  },

  // dx = p · (dy − Σ dy·p)
  softmax({ graph, outputs, grads }) {
    const [p, grad] = [at(outputs, 0), at(grads, 0)];
    const like = { shape: p.shape };
    const weighted = graph.node('Mul', [grad, p], like);
    const sum = graph.node('ReduceSum', [weighted, graph.dims([-1])], { shape: [...p.shape.slice(0, -1), 1] }, { keepdims: 1 });
    return [graph.node('Sub', [weighted, graph.node('Mul', [p, sum], like)], like)];
  },

  // With x̂ = x / rms:  dx = (dy·w − x̂ · mean(dy·w·x̂)) / rms.  The norm's weight is frozen.
  rmsNorm({ graph, inputs, saved, grads }) {
    const grad = at(grads, 0);
    const [x, w, inverseRms] = [at(inputs, 0), at(inputs, 1), at(saved, 0)];
    const like = { shape: x.shape };
    const weighted = graph.node('Mul', [grad, w], like);
    const normed = graph.node('Mul', [x, inverseRms], like);
    const mean = graph.node(
      'ReduceMean',
      [graph.node('Mul', [weighted, normed], like), graph.dims([-1])],
      { shape: [...x.shape.slice(0, -1), 1] },
      { keepdims: 1 },
    );
    const centred = graph.node('Sub', [weighted, graph.node('Mul', [normed, mean], like)], like);
    return [graph.node('Mul', [centred, inverseRms], like), null];
  },

  // A rotation's transpose is the rotation by −θ.
  rope({ graph, inputs, grads }) {
    const grad = at(grads, 0);
    const [position, cos, minusSin] = [at(inputs, 1), at(inputs, 2), at(inputs, 4)];
    return [graph.node('RotaryEmbedding', [grad, position, cos, minusSin], { shape: grad.shape }, {}, microsoft)];
  },

  // With s = sigmoid(gate): d silu/d gate = s · (1 + gate · (1 − s)).  s is computed again rather than kept: memory, not time, is short.
  swiglu({ graph, inputs, grads }) {
    const grad = at(grads, 0);
    const [gate, up] = [at(inputs, 0), at(inputs, 1)];
    const like = { shape: gate.shape };
    const one = graph.scalar(1);
    const s = graph.node('Sigmoid', [gate], like);
    const silu = graph.node('Mul', [gate, s], like);
    const slope = graph.node('Add', [s, graph.node('Mul', [silu, graph.node('Sub', [one, s], like)], like)], like);
    return [graph.node('Mul', [graph.node('Mul', [grad, up], like), slope], like), graph.node('Mul', [grad, silu], like)];
  },

  // d logits = dy · (onehot − p);  dx = d logits · w.  The vocabulary matrix is frozen.
  targetLogprob({ graph, inputs, saved, grads }) {
    const grad = at(grads, 0);
    const [x, w, target] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
    const logprobs_M_V = at(saved, 0);
    const like = { shape: logprobs_M_V.shape };
    const minusGrad = graph.node('Neg', [grad], { shape: grad.shape });
    const spread = graph.node('Mul', [graph.node('Exp', [logprobs_M_V], like), minusGrad], like);
    const gradLogits_M_V = graph.node('ScatterElements', [spread, target, grad], like, { axis: 1, reduction: 'add' });
    return [gemm(graph, gradLogits_M_V, w, { shape: [...x.shape] }), null, null];
  },
};
