/** Writes GGUF v3 files: key-values, tensor directory, tensor data at multiples of 32 bytes. */
import { inputError, internalError } from '../base/errors.js';
import { writeFileAtomically } from './atomic-write.js';
import { encodeWeights, type WeightType, weightBytes } from './float-formats.js';

/** A value with the type it is stored in; readers are strict about it. */
export type GgufEntry =
  | { u32: number }
  | { f32: number }
  | { bool: boolean }
  | { text: string }
  | { texts: readonly string[] }
  | { i32s: readonly number[] };

export interface GgufTensorToWrite {
  /** Outermost dimension first, as everywhere here; the file has the reverse. */
  shape: readonly number[];
  type: WeightType;
  /** Called when the tensor's turn comes. */
  data: () => Promise<Float32Array>;
}

const alignment = 32;
const tensorTypes = { f32: 0, f16: 1, bf16: 30 } as const satisfies Record<WeightType, number>;

/** @throws dependency error from the disk; input error for a weight that the type cannot hold */
export async function writeGguf(
  path: string,
  metadata: ReadonlyMap<string, GgufEntry>,
  tensors: ReadonlyMap<string, GgufTensorToWrite>,
): Promise<void> {
  const parts: Buffer[] = [Buffer.from('GGUF'), u32(3), u64(tensors.size), u64(metadata.size)];
  for (const [key, entry] of metadata) parts.push(text(key), value(entry));
  let offset = 0;
  for (const [name, { shape, type }] of tensors) {
    parts.push(text(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(tensorTypes[type]), u64(offset));
    offset += aligned(elements(shape) * weightBytes[type]);
  }
  const head = Buffer.concat(parts);

  await writeFileAtomically(path, chunks());

  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield head;
    yield padding(head.length);
    for (const [name, { shape, type, data }] of tensors) {
      const values = await data();
      if (values.length !== elements(shape))
        throw internalError(`tensor ${name} of shape [${shape.join(', ')}] has ${values.length} elements`);
      if (type === 'f16') refuseOverflow(name, values);
      const bytes = encodeWeights(values, type);
      yield bytes;
      yield padding(bytes.length);
    }
  }
}

function refuseOverflow(name: string, values: Float32Array): void {
  const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (largest > 65504) throw inputError(`the tensor ${name} holds ${largest}, which f16 cannot. Export as f32 or bf16.`);
}

const elements = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);
const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
const padding = (bytes: number): Buffer => Buffer.alloc(aligned(bytes) - bytes);

function number(bytes: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
}
const u32 = (n: number) => number(4, (b) => b.writeUInt32LE(n));
const u64 = (n: number) => number(8, (b) => b.writeBigUInt64LE(BigInt(n)));

function text(content: string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([u64(bytes.length), bytes]);
}

/** The type's number, then the value. */
function value(entry: GgufEntry): Buffer {
  if ('u32' in entry) return Buffer.concat([u32(4), u32(entry.u32)]);
  if ('f32' in entry) return Buffer.concat([u32(6), number(4, (b) => b.writeFloatLE(entry.f32))]);
  if ('bool' in entry) return Buffer.concat([u32(7), Buffer.of(entry.bool ? 1 : 0)]);
  if ('text' in entry) return Buffer.concat([u32(8), text(entry.text)]);
  if ('texts' in entry) return Buffer.concat([u32(9), u32(8), u64(entry.texts.length), ...entry.texts.map(text)]);
  return Buffer.concat([u32(9), u32(5), u64(entry.i32s.length), Buffer.from(Int32Array.from(entry.i32s).buffer)]);
}
