/** A tape of tensor operations that becomes an ONNX graph: forward ops are recorded, their gradients appended as more ops. */
import { internalError } from '../base/errors.js';
import { type Bindings, type Dim, evaluate, product, sameShape, type Shape } from './dims.js';
import { gradientRules } from './gradients.js';
import { type Attributes, forwardOps, type OpName } from './ops.js';

export type DType = 'float32' | 'int64' | 'bool';

export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Does a parameter lie upstream? */
  readonly needsGrad: boolean;
}

/** A node as ONNX knows it. `domain` is empty for the standard operators. */
export interface OnnxNode {
  opType: string;
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: OnnxAttributes;
}
export type OnnxAttributes = Record<string, number | string | readonly number[] | { float: number }>;

/** A tensor stored with the graph: small constants inline, weights by reference to data given at session creation. */
export interface Initializer {
  name: string;
  dtype: DType;
  shape: number[];
  data: Float32Array | BigInt64Array;
  external: boolean;
}

interface TapeEntry {
  op: OpName;
  inputs: Value[];
  attributes: Attributes;
  outputs: Value[];
  saved: Value[];
  /** Ops of one segment are computed a second time on the way back instead of being kept. */
  segment: Segment | null;
}

interface Segment {
  input: Value;
  /** Every op of it, also those that no gradient flows through. */
  entries: TapeEntry[];
}

export class Graph {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Initializer[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  /** int64 inputs that carry dimensions known only at run time; the session feeds them from the bindings. */
  readonly dimInputs = new Map<string, readonly Dim[]>();
  private readonly tape: TapeEntry[] = [];
  private readonly constants = new Map<string, Value>();
  private counter = 0;
  private segment: Segment | null = null;

  private fresh(): string {
    return `t${this.counter++}`;
  }

  input(name: string, dtype: DType, shape: Shape): Value {
    const value: Value = { name, dtype, shape, needsGrad: false };
    this.inputs.push(value);
    return value;
  }

  /** An input that `backward` may give a gradient for. */
  parameter(name: string, shape: Shape): Value {
    const value: Value = { name, dtype: 'float32', shape, needsGrad: true };
    this.inputs.push(value);
    return value;
  }

  /** A frozen tensor handed to the session beside the graph (never copied into the ONNX bytes). */
  weight(name: string, data: Float32Array, shape: number[]): Value {
    if (data.length !== shape.reduce((a, b) => a * b, 1)) {
      throw internalError(`weight ${name} has ${data.length} elements, its shape is [${shape.join(', ')}]`);
    }
    this.initializers.push({ name, dtype: 'float32', shape, data, external: true });
    return { name, dtype: 'float32', shape, needsGrad: false };
  }

  scalar(value: number): Value {
    return this.constant(`f:${value}`, 'float32', [], Float32Array.of(value));
  }

  /** int64 vector of dimensions: a constant where all are numbers, else an input fed from the bindings. */
  dims(dims: readonly Dim[]): Value {
    if (dims.every((dim) => typeof dim === 'number')) {
      return this.constant(`i:${dims.join(',')}`, 'int64', [dims.length], BigInt64Array.from(dims.map(BigInt)));
    }
    const name = `dims(${dims.join(',')})`;
    if (!this.dimInputs.has(name)) this.dimInputs.set(name, dims);
    return { name, dtype: 'int64', shape: [dims.length], needsGrad: false };
  }

  private constant(key: string, dtype: DType, shape: number[], data: Float32Array | BigInt64Array): Value {
    const known = this.constants.get(key);
    if (known) return known;
    const value: Value = { name: this.fresh(), dtype, shape, needsGrad: false };
    this.initializers.push({ name: value.name, dtype, shape, data, external: false });
    this.constants.set(key, value);
    return value;
  }

  /** Appends one ONNX node that gradients do not flow through. */
  node(
    opType: string,
    inputs: readonly Value[],
    output: { shape: Shape; dtype?: DType; needsGrad?: boolean },
    attributes: OnnxAttributes = {},
    domain = '',
  ): Value {
    return this.nodes2(opType, inputs, [output], attributes, domain)[0] as Value;
  }

  /** The same for nodes with several outputs. */
  nodes2(
    opType: string,
    inputs: readonly Value[],
    outputs: readonly { shape: Shape; dtype?: DType; needsGrad?: boolean }[],
    attributes: OnnxAttributes = {},
    domain = '',
  ): Value[] {
    const values = outputs.map((o) => ({
      name: this.fresh(),
      dtype: o.dtype ?? 'float32',
      shape: o.shape,
      needsGrad: o.needsGrad ?? false,
    }));
    this.nodes.push({
      opType,
      domain,
      inputs: inputs.map((v) => v.name),
      outputs: values.map((v) => v.name),
      attributes,
    });
    return values;
  }

  /** Records an operation of the table in ops.ts; its gradient is the rule of the same name in gradients.ts. */
  apply(op: OpName, inputs: Value[], attributes: Attributes = {}): Value {
    return this.applyMany(op, inputs, attributes)[0] as Value;
  }

  /** The same for operations with several outputs (split). */
  applyMany(op: OpName, inputs: Value[], attributes: Attributes = {}): Value[] {
    const needsGrad = inputs.some((v) => v.needsGrad);
    const { outputs, saved } = forwardOps[op](this, inputs, attributes);
    const results = outputs.map((output): Value => ({ ...output, needsGrad }));
    const entry: TapeEntry = { op, inputs, attributes, outputs: results, saved: saved ?? [], segment: this.segment };
    if (needsGrad) this.tape.push(entry);
    this.segment?.entries.push(entry);
    return results;
  }

  /**
   * Marks what `build` makes of `input` as to be recomputed: of all its values only `input` outlives the forward pass
   * (gradient checkpointing, Chen et al. 2016). Costs one more forward pass of the segment in `backward`.
   */
  recomputed(input: Value, build: (input: Value) => Value): Value {
    if (this.segment !== null) throw internalError('recomputed segments do not nest');
    this.segment = { input, entries: [] };
    try {
      return build(input);
    } finally {
      this.segment = null;
    }
  }

  output(value: Value, name: string): void {
    const renamed: Value = { ...value, name };
    this.nodes.push({ opType: 'Identity', domain: '', inputs: [value.name], outputs: [name], attributes: {} });
    this.outputs.push(renamed);
  }

  /**
   * Appends the gradients of every parameter, given the gradient of the loss by some values (`seeds`).
   * @returns parameter name → gradient; parameters that no seed depends on are absent
   */
  backward(seeds: readonly { value: Value; grad: Value }[]): Map<string, Value> {
    const grads = new Map<string, Value>();
    const accumulate = (value: Value, grad: Value, fresh: boolean) => {
      if (!sameShape(value.shape, grad.shape)) {
        throw internalError(`gradient of ${value.name} is [${grad.shape.join(', ')}], the value [${value.shape.join(', ')}]`);
      }
      const sum = grads.get(value.name);
      grads.set(value.name, sum === undefined ? grad : this.addGradients(sum, grad, fresh));
    };
    for (const { value, grad } of seeds) accumulate(value, grad, false);
    const replayed = new Map<Segment, ReadonlyMap<string, Value>>();
    for (const entry of this.tape.toReversed()) {
      const outputGrads = entry.outputs.flatMap(({ name }) => grads.get(name) ?? []);
      if (outputGrads.length === 0) continue;
      if (outputGrads.length < entry.outputs.length) throw internalError(`only some outputs of ${entry.op} are used`);
      const { segment } = entry;
      if (segment !== null && !replayed.has(segment)) replayed.set(segment, this.replay(segment, outputGrads[0] as Value));
      const values = segment === null ? entry : substituted(entry, replayed.get(segment) as ReadonlyMap<string, Value>);
      const inputGrads = gradientRules[entry.op]({ graph: this, ...values, grads: outputGrads });
      entry.inputs.forEach((input, i) => {
        const grad = inputGrads[i];
        // A rule may pass the output's gradient through: then it belongs to others too and must stay as it is.
        if (input.needsGrad && grad) accumulate(input, grad, !outputGrads.includes(grad));
      });
    }
    const parameters = new Map<string, Value>();
    for (const input of this.inputs) {
      const grad = input.needsGrad ? grads.get(input.name) : undefined;
      if (grad) parameters.set(input.name, grad);
    }
    return parameters;
  }

  /**
   * Appends a segment's ops once more. Its input is tied to the gradient that arrives, by adding nothing of it: else the runtime
   * would be free to compute the copy early, or to take it for the same as the first and keep that.
   */
  private replay({ input, entries }: Segment, grad: Value): Map<string, Value> {
    const flat = this.apply('reshape', [grad], { shape: [product(...grad.shape)] });
    const first = this.node('Slice', [flat, this.dims([0]), this.dims([1])], { shape: [1] });
    const nothing = this.node('Mul', [first, this.scalar(0)], { shape: [1] });
    const again = new Map<string, Value>();
    again.set(input.name, this.node('Add', [input, nothing], { shape: input.shape, needsGrad: input.needsGrad }));
    for (const { op, inputs, attributes, outputs, saved } of entries) {
      const copy = forwardOps[op](
        this,
        inputs.map((value) => again.get(value.name) ?? value),
        attributes,
      );
      outputs.forEach((output, i) => again.set(output.name, { ...(copy.outputs[i] as Value), needsGrad: output.needsGrad }));
      saved.forEach((kept, i) => again.set(kept.name, copy.saved?.[i] as Value));
    }
    return again;
  }

  /** Sum of two gradients; where the newer is a fresh Gemm, the sum rides along as its third input and costs no pass over memory. */
  private addGradients(sum: Value, grad: Value, fresh: boolean): Value {
    const producer = this.nodes.findLast((node) => node.outputs.includes(grad.name));
    if (fresh && producer?.opType === 'Gemm' && producer.inputs.length === 2) {
      producer.inputs.push(sum.name);
      return grad;
    }
    return this.node('Add', [sum, grad], { shape: sum.shape });
  }

  /** Values of the run-time dimension inputs under `bindings`. */
  dimFeeds(bindings: Bindings): [name: string, values: BigInt64Array][] {
    return [...this.dimInputs].map(([name, dims]) => [name, BigInt64Array.from(dims.map((dim) => BigInt(evaluate(dim, bindings))))]);
  }
}

/** The entry with the second copies of its values. Gradients stay under the first names. */
function substituted({ inputs, outputs, saved, attributes }: TapeEntry, again: ReadonlyMap<string, Value>) {
  const second = (values: Value[]) => values.map((value) => again.get(value.name) ?? value);
  return { inputs: second(inputs), outputs: second(outputs), saved: second(saved), attributes };
}
