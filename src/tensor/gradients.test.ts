/** Every gradient rule against finite differences, alone, on tensors of a few elements. */
import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { type Bindings, evaluate, type Shape } from './dims.js';
import { gradientRules } from './gradients.js';
import { Graph, type Value } from './graph.js';
import { type Attributes, forwardOps, type OpName } from './ops.js';
import { Session, type TensorData } from './session.js';

interface Input {
  shape: Shape;
  /** Parameters are differentiated; frozen tensors and indices are not. */
  kind: 'parameter' | 'frozen' | 'index';
  values?: number[];
}

interface Case {
  op: OpName;
  what: string;
  inputs: Input[];
  attributes?: Attributes;
  bindings?: Bindings;
}

const p = (...shape: Shape): Input => ({ shape, kind: 'parameter' });
const frozen = (shape: Shape, values?: number[]): Input => ({ shape, kind: 'frozen', ...(values ? { values } : {}) });
const index = (shape: Shape, values: number[]): Input => ({ shape, kind: 'index', values });

const angles = [0.3, 1.1, 2.0, 0.7, 2.9, 0.1];
const rotary = [
  frozen([3, 2], angles.map(Math.cos)),
  frozen([3, 2], angles.map(Math.sin)),
  frozen(
    [3, 2],
    angles.map((a) => -Math.sin(a)),
  ),
];

const transposed = [false, true].flatMap((transA) => [false, true].map((transB) => ({ transA, transB })));
/** Shapes of the two operands of a [2, 3] · [3, 4] product, as they lie in memory. */
const operands = ({ transA, transB }: { transA: boolean; transB: boolean }) => ({
  a: transA ? [3, 2] : [2, 3],
  b: transB ? [4, 3] : [3, 4],
});

const cases: Case[] = [
  { op: 'add', what: 'equal shapes', inputs: [p(2, 3), p(2, 3)] },
  { op: 'add', what: 'a row broadcast over rows', inputs: [p(2, 3), p(3)] },
  { op: 'add', what: 'a longer second operand', inputs: [p(3), p(2, 2, 3)] },
  { op: 'add', what: 'both broadcast', inputs: [p(2, 1), p(1, 3)] },
  { op: 'add', what: 'a middle axis broadcast', inputs: [p(2, 1, 3), p(2, 4, 3)] },
  { op: 'add', what: 'symbolic dimensions', inputs: [p('T', 3), p(3)], bindings: { T: 4 } },
  { op: 'mul', what: 'equal shapes', inputs: [p(2, 3), p(2, 3)] },
  { op: 'mul', what: 'a row broadcast over rows', inputs: [p(2, 3), p(3)] },
  { op: 'mul', what: 'a longer second operand', inputs: [p(3), p(2, 2, 3)] },
  { op: 'mul', what: 'both broadcast', inputs: [p(2, 1), p(1, 3)] },
  { op: 'mul', what: 'a frozen factor', inputs: [p(2, 3), frozen([2, 3])] },
  { op: 'linear', what: 'no third input', inputs: [p(2, 3), p(4, 3)] },
  { op: 'linear', what: 'scaled by alpha', inputs: [p(2, 3), p(4, 3)], attributes: { alpha: 0.5 } },
  { op: 'linear', what: 'a bias', inputs: [p(2, 3), p(4, 3), p(4)] },
  { op: 'linear', what: 'a bias not scaled by alpha', inputs: [p(2, 3), p(4, 3), p(4)], attributes: { alpha: 2 } },
  { op: 'linear', what: 'a full addend and alpha', inputs: [p(2, 3), p(4, 3), p(2, 4)], attributes: { alpha: 2 } },
  { op: 'linear', what: 'frozen weights', inputs: [p('N', 3), frozen([4, 3]), frozen([4])], bindings: { N: 3 } },
  ...transposed.flatMap((t): Case[] => {
    const { a, b } = operands(t);
    const how = `${t.transA ? 'aᵀ' : 'a'} ${t.transB ? 'bᵀ' : 'b'}`;
    return [
      { op: 'matmul', what: `${how}, batched`, inputs: [p(2, ...a), p(2, ...b)], attributes: { ...t, alpha: 0.7 } },
      { op: 'matmul', what: `${how}, b broadcast over the batch`, inputs: [p(2, 2, ...a), p(2, ...b)], attributes: t },
      { op: 'matmul', what: `${how}, a broadcast over the batch`, inputs: [p(1, 2, ...a), p(3, 2, ...b)], attributes: t },
    ];
  }),
  {
    op: 'matmul',
    what: 'symbolic dimensions',
    inputs: [p('R', 2, 'T', 3), p(2, 'P', 3)],
    attributes: { transB: true },
    bindings: { R: 2, T: 2, P: 3 },
  },
  { op: 'reshape', what: 'numbers', inputs: [p(2, 6)], attributes: { shape: [3, 4] } },
  { op: 'reshape', what: 'two symbols', inputs: [p('R*T', 4)], attributes: { shape: ['R', 'T', 2, 2] }, bindings: { R: 2, T: 3 } },
  { op: 'transpose', what: 'two axes', inputs: [p(2, 3)], attributes: { permutation: [1, 0] } },
  { op: 'transpose', what: 'a cycle of axes, which is not its own inverse', inputs: [p(2, 3, 4)], attributes: { permutation: [2, 0, 1] } },
  { op: 'split', what: 'first axis', inputs: [p(5, 2)], attributes: { axis: 0, lengths: [2, 3] } },
  {
    op: 'split',
    what: 'last axis, symbols',
    inputs: [p(2, 'S')],
    attributes: { axis: 1, lengths: ['P', 'T', 1] },
    bindings: { S: 6, P: 3, T: 2 },
  },
  { op: 'concat', what: 'first axis', inputs: [p(2, 3), p(1, 3)], attributes: { axis: 0, length: 3 } },
  {
    op: 'concat',
    what: 'last axis, symbols',
    inputs: [p(2, 'P'), p(2, 'T'), p(2, 1)],
    attributes: { axis: 1, length: 'S' },
    bindings: { S: 6, P: 3, T: 2 },
  },
  { op: 'gatherRows', what: 'some rows twice, some never', inputs: [p(4, 3), index(['M'], [2, 0, 2])], bindings: { M: 3 } },
  { op: 'softmax', what: 'over the last axis', inputs: [p(2, 2, 4)] },
  { op: 'rmsNorm', what: 'over the last axis', inputs: [p(3, 4), frozen([4])], attributes: { epsilon: 1e-5 } },
  {
    op: 'rmsNorm',
    what: 'over heads, epsilon that matters',
    inputs: [p('N', 2, 4), frozen([4])],
    attributes: { epsilon: 0.5 },
    bindings: { N: 2 },
  },
  { op: 'rope', what: 'one head, positions out of order', inputs: [p(1, 3, 4), index([1, 3], [2, 0, 1]), ...rotary] },
  { op: 'rope', what: 'two heads', inputs: [p(1, 2, 8), index([1, 2], [1, 2]), ...rotary] },
  { op: 'swiglu', what: 'gate and up', inputs: [p(2, 3), p(2, 3)] },
  { op: 'targetLogprob', what: 'targets by row', inputs: [p('M', 3), frozen([5, 3]), index(['M', 1], [4, 0, 4])], bindings: { M: 3 } },
];

function feedsOf(inputs: readonly Input[], bindings: Bindings): Map<string, TensorData> {
  const random = new Random('gradients');
  return new Map(
    inputs.map(({ shape, kind, values }, i): [string, TensorData] => {
      const length = shape.reduce<number>((n, dim) => n * evaluate(dim, bindings), 1);
      if (kind === 'index') return [`x${i}`, BigInt64Array.from(values ?? [], BigInt)];
      return [`x${i}`, values ? Float32Array.from(values) : Float32Array.from({ length }, () => random.normal())];
    }),
  );
}

/** Loss = Σ output · seed, with random seeds fed in, so that every element of every output counts. */
class Probe {
  private constructor(
    private readonly session: Session,
    private readonly feeds: Map<string, TensorData>,
    private readonly bindings: Bindings,
    readonly parameters: ReadonlyMap<string, Value>,
  ) {}

  static async of(inputs: readonly Input[], bindings: Bindings, build: (graph: Graph, inputs: Value[]) => Value[]): Promise<Probe> {
    const graph = new Graph();
    const values = inputs.map(({ shape, kind }, i) =>
      kind === 'parameter' ? graph.parameter(`x${i}`, shape) : graph.input(`x${i}`, kind === 'index' ? 'int64' : 'float32', shape),
    );
    const outputs = build(graph, values);
    const feeds = feedsOf(inputs, bindings);
    const random = new Random('seeds');
    const seeds = outputs.map((value, i) => {
      graph.output(value, `y${i}`);
      const length = value.shape.reduce<number>((n, dim) => n * evaluate(dim, bindings), 1);
      feeds.set(
        `dy${i}`,
        Float32Array.from({ length }, () => random.normal()),
      );
      return { value, grad: graph.input(`dy${i}`, 'float32', value.shape) };
    });
    const gradients = graph.backward(seeds);
    for (const [name, gradient] of gradients) graph.output(gradient, `d${name}`);
    return new Probe(await Session.create(graph, { threads: 1 }), feeds, bindings, gradients);
  }

  private run() {
    return this.session.run(this.feeds, this.bindings);
  }

  analytic = async (name: string) => (await this.run()).get(`d${name}`) as Float32Array;

  private async loss(): Promise<number> {
    let sum = 0;
    for (const [name, data] of await this.run()) {
      if (!name.startsWith('y')) continue;
      const seed = this.feeds.get(`d${name}`) as Float32Array;
      (data as Float32Array).forEach((y, i) => (sum += y * (seed[i] as number)));
    }
    return sum;
  }

  /** Central differences of fourth order, element by element. */
  async numeric(name: string): Promise<number[]> {
    const x = this.feeds.get(name) as Float32Array;
    const step = 2 ** -5;
    const result: number[] = [];
    for (let i = 0; i < x.length; i++) {
      const original = x[i] as number;
      const at = async (steps: number) => {
        x[i] = original + steps * step;
        return this.loss();
      };
      result.push((8 * ((await at(1)) - (await at(-1))) - ((await at(2)) - (await at(-2)))) / (12 * step));
      x[i] = original;
    }
    return result;
  }

  close = () => this.session.close();
}

async function expectExact(probe: Probe, names: string[]): Promise<void> {
  expect([...probe.parameters.keys()]).toEqual(names);
  for (const name of names) {
    const [analytic, numeric] = [await probe.analytic(name), await probe.numeric(name)];
    expect(analytic).toHaveLength(numeric.length);
    const scale = Math.max(...numeric.map(Math.abs));
    expect(scale, `${name} has a gradient at all`).toBeGreaterThan(1e-2);
    numeric.forEach((g, i) =>
      expect(Math.abs(g - (analytic[i] as number)), `${name}[${i}]: ${g} and ${analytic[i]}`).toBeLessThan(1e-3 * scale),
    );
  }
  await probe.close();
}

const parameterNames = (inputs: readonly Input[]) => inputs.flatMap(({ kind }, i) => (kind === 'parameter' ? [`x${i}`] : []));

describe('gradient rules', () => {
  it.each(Object.keys(forwardOps) as OpName[])('%s has a rule and a case below', (op) => {
    expect(gradientRules[op]).toBeTypeOf('function');
    expect(cases.filter((c) => c.op === op).length).toBeGreaterThan(0);
  });

  it.each(cases.map((c) => [c.op, c.what, c] as const))('%s: %s', async (op, _what, { inputs, attributes = {}, bindings = {} }) => {
    const probe = await Probe.of(inputs, bindings, (graph, values) => graph.applyMany(op, values, attributes));
    await expectExact(probe, parameterNames(inputs));
  });
});

describe('backward', () => {
  it('adds the gradients of a value that is used several times', async () => {
    const inputs = [p(3, 3), p(3, 3)];
    const probe = await Probe.of(inputs, {}, (graph, [x, w]) => {
      const [a, b] = [x as Value, w as Value];
      // The sums of Gemm gradients ride along inside the Gemm; those of other operations are added after it.
      const once = graph.apply('linear', [a, b]);
      const twice = graph.apply('linear', [once, b], { alpha: 0.5 });
      return [graph.apply('add', [graph.apply('mul', [twice, a]), graph.apply('swiglu', [once, once])])];
    });
    await expectExact(probe, ['x0', 'x1']);
  });

  it('keeps a gradient that one rule passes through to two inputs', async () => {
    // add hands the same gradient to both its inputs; adding into it for one of them must not change the other's.
    const inputs = [p(2, 2), p(2, 2), p(2, 2)];
    const probe = await Probe.of(inputs, {}, (graph, [x, y, w]) => {
      const [a, b, c] = [x as Value, y as Value, w as Value];
      const sum = graph.apply('add', [a, b]);
      return [sum, graph.apply('linear', [a, c]), graph.apply('mul', [b, b])];
    });
    await expectExact(probe, ['x0', 'x1', 'x2']);
  });

  it('gives no gradient for a parameter that no seed depends on', () => {
    const graph = new Graph();
    const used = graph.parameter('used', [2]);
    graph.parameter('unused', [2]);
    const gradients = graph.backward([{ value: graph.apply('mul', [used, used]), grad: graph.input('dy', 'float32', [2]) }]);
    expect([...gradients.keys()]).toEqual(['used']);
  });

  it('refuses a graph in which a part of a split leads nowhere', () => {
    const graph = new Graph();
    const [head] = graph.applyMany('split', [graph.parameter('x', [3])], { axis: 0, lengths: [1, 2] });
    expect(() => graph.backward([{ value: head as Value, grad: graph.input('dy', 'float32', [1]) }])).toThrow(/only some outputs of split/);
  });
});
