/** safetensors files: strict bounded reader with lazy tensors, atomic writer. */
import { inputError, internalError } from '../base/errors.js';
import { needingMemory } from '../base/memory.js';
import { writeFileAtomically } from './atomic-write.js';
import { FileRanges } from './file-ranges.js';
import { bfloat16ToFloat32, encodeWeights, halfToFloat32, weightBytes, type WeightType } from './float-formats.js';
import { parseSafetensorsHeader, type SafetensorsHeader } from './safetensors-header.js';

/** A hundred thousand tensors fit. Parsed, a header takes up to thirty times its bytes of memory. */
const maxHeaderBytes = 1 << 24;

export class SafetensorsFile {
  private constructor(
    private readonly file: FileRanges,
    private readonly header: SafetensorsHeader,
  ) {}

  /** @throws input error for anything but a sound safetensors file */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await FileRanges.open(path);
    try {
      if (file.size < 8) throw inputError(`${path} is too short for safetensors. It is cut off; fetch it again.`);
      const length = new DataView((await file.read(0, 8)).buffer).getBigUint64(0, true);
      if (length > BigInt(maxHeaderBytes) || length > BigInt(file.size - 8)) {
        throw inputError(`${path} claims a header of ${length} bytes in a file of ${file.size}. It is damaged or not safetensors.`);
      }
      const head = await file.read(8, Number(length));
      return new SafetensorsFile(file, parseSafetensorsHeader(head, path, file.size));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get path(): string {
    return this.file.path;
  }

  get metadata(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.header.metadata);
  }

  get tensors(): SafetensorsHeader['tensors'] {
    return this.header.tensors;
  }

  get names(): string[] {
    return [...this.header.tensors.keys()];
  }

  /** The tensor as f32; F32, F16 and BF16 can be read. */
  async read(name: string): Promise<Float32Array> {
    const info = this.header.tensors.get(name);
    if (!info) throw inputError(`${this.path} has no tensor ${name}.`);
    if (!['F32', 'F16', 'BF16'].includes(info.dtype)) {
      throw inputError(
        `${this.path}: tensor ${name} is ${info.dtype}; F32, F16 and BF16 can be read. Convert the checkpoint to one of them.`,
      );
    }
    const { buffer } = await this.file.read(info.start, info.bytes);
    if (info.dtype === 'F32') return new Float32Array(buffer);
    const half = new Uint16Array(buffer);
    return needingMemory(half.length * 4, `tensor ${name} of ${this.path}`, () =>
      info.dtype === 'F16' ? halfToFloat32(half) : bfloat16ToFloat32(half),
    );
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

export const openSafetensors = (path: string): Promise<SafetensorsFile> => SafetensorsFile.open(path);

export interface TensorToWrite {
  shape: readonly number[];
  /** A function is called when the tensor's turn comes, so that one tensor at a time is in memory. */
  data: Float32Array | (() => Promise<Float32Array>);
}

/** Writes all tensors in the given order in one type, atomically. @throws dependency error from the disk */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorToWrite>,
  options: { dtype?: 'F32' | 'F16' | 'BF16'; metadata?: Record<string, string> } = {},
): Promise<void> {
  const { dtype = 'F32', metadata } = options;
  const type = dtype.toLowerCase() as WeightType;
  const entries: [string, unknown][] = metadata ? [['__metadata__', metadata]] : [];
  const elements = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);
  let offset = 0;
  for (const [name, { shape }] of tensors) {
    entries.push([name, { dtype, shape, data_offsets: [offset, (offset += elements(shape) * weightBytes[type])] }]);
  }
  let header = JSON.stringify(Object.fromEntries(entries));
  // Tensor data then begins at a multiple of 8 bytes.
  header += ' '.repeat((8 - (Buffer.byteLength(header) % 8)) % 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  await writeFileAtomically(path, chunks());

  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield length;
    yield Buffer.from(header);
    for (const [name, { shape, data: given }] of tensors) {
      const data = typeof given === 'function' ? await given() : given;
      if (elements(shape) !== data.length) throw internalError(`tensor ${name} of shape [${shape.join(', ')}] has ${data.length} elements`);
      yield encodeWeights(data, type);
    }
  }
}
