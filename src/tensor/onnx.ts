/** Writes a Graph as an ONNX model (protocol buffers by hand: field numbers of onnx.proto, IR version 9). */
import { internalError } from '../base/errors.js';
import type { Dim } from './dims.js';
import type { DType, Graph, Initializer, OnnxAttributes, OnnxNode, Value } from './graph.js';

const elementTypes: Record<DType, number> = { float32: 1, int64: 7, bool: 9 };
/** Name under which external weights are handed to the session. */
export const weightsFile = 'weights.bin';

class Writer {
  private readonly parts: Uint8Array[] = [];

  private push(...bytes: number[]): void {
    this.parts.push(Uint8Array.from(bytes));
  }

  private varint(value: number | bigint): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    do {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      bytes.push(rest > 0n ? low | 0x80 : low);
    } while (rest > 0n);
    this.push(...bytes);
  }

  integer(field: number, value: number | bigint): this {
    this.varint(field << 3);
    this.varint(value);
    return this;
  }

  float(field: number, value: number): this {
    this.varint((field << 3) | 5);
    this.parts.push(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.varint((field << 3) | 2);
    this.varint(value.byteLength);
    this.parts.push(value);
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, fill: (writer: Writer) => void): this {
    const inner = new Writer();
    fill(inner);
    return this.bytes(field, inner.finish());
  }

  finish(): Uint8Array {
    const result = new Uint8Array(this.parts.reduce((sum, part) => sum + part.byteLength, 0));
    let offset = 0;
    for (const part of this.parts) {
      result.set(part, offset);
      offset += part.byteLength;
    }
    return result;
  }
}

function writeAttribute(w: Writer, name: string, value: OnnxAttributes[string]): void {
  w.text(1, name);
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw internalError(`attribute ${name} = ${value} must be written as {float}`);
    w.integer(3, value).integer(20, 2);
  } else if (typeof value === 'string') w.text(4, value).integer(20, 3);
  else if ('float' in value) w.float(2, value.float).integer(20, 1);
  else {
    for (const item of value) w.integer(8, item);
    w.integer(20, 7);
  }
}

function writeNode(w: Writer, node: OnnxNode): void {
  for (const input of node.inputs) w.text(1, input);
  for (const output of node.outputs) w.text(2, output);
  w.text(4, node.opType);
  for (const [name, value] of Object.entries(node.attributes)) w.message(5, (a) => writeAttribute(a, name, value));
  if (node.domain) w.text(7, node.domain);
}

function writeInitializer(w: Writer, tensor: Initializer, offset: number): void {
  for (const dim of tensor.shape) w.integer(1, dim);
  w.integer(2, elementTypes[tensor.dtype]).text(8, tensor.name);
  const { data } = tensor;
  if (!tensor.external) {
    w.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return;
  }
  const entries = { location: weightsFile, offset: String(offset), length: String(data.byteLength) };
  for (const [key, value] of Object.entries(entries)) w.message(13, (e) => e.text(1, key).text(2, value));
  w.integer(14, 1);
}

function writeValueInfo(w: Writer, name: string, dtype: DType, shape: readonly Dim[]): void {
  w.text(1, name).message(2, (type) =>
    type.message(1, (tensor) =>
      tensor.integer(1, elementTypes[dtype]).message(2, (s) => {
        for (const dim of shape) s.message(1, (d) => (typeof dim === 'number' ? d.integer(1, dim) : d.text(2, dim)));
      }),
    ),
  );
}

/** @returns the model's bytes, and the external weights as one buffer to hand to the session beside it */
export function writeOnnx(graph: Graph): { model: Uint8Array; weights: Uint8Array } {
  const external = graph.initializers.filter((t) => t.external);
  const weights = new Uint8Array(external.reduce((sum, t) => sum + t.data.byteLength, 0));
  const offsets = new Map<Initializer, number>();
  let end = 0;
  for (const tensor of external) {
    offsets.set(tensor, end);
    weights.set(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength), end);
    end += tensor.data.byteLength;
  }
  const values: Value[] = graph.inputs;
  const model = new Writer()
    .integer(1, 9)
    .message(7, (g) => {
      for (const node of graph.nodes) g.message(1, (w) => writeNode(w, node));
      g.text(2, 'deliberate');
      for (const tensor of graph.initializers) g.message(5, (w) => writeInitializer(w, tensor, offsets.get(tensor) ?? 0));
      for (const { name, dtype, shape } of values) g.message(11, (w) => writeValueInfo(w, name, dtype, shape));
      for (const [name, dims] of graph.dimInputs) g.message(11, (w) => writeValueInfo(w, name, 'int64', [dims.length]));
      for (const { name, dtype, shape } of graph.outputs) g.message(12, (w) => writeValueInfo(w, name, dtype, shape));
    })
    .message(8, (o) => o.text(1, '').integer(2, 18))
    .message(8, (o) => o.text(1, 'com.microsoft').integer(2, 1))
    .finish();
  return { model, weights };
}
