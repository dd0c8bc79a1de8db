/** GGUF files, read with bounds: a hostile or damaged file ends in a sentence, not in exhausted memory. */
import { inputError } from '../base/errors.js';
import { needingMemory } from '../base/memory.js';
import { ggufTypes } from './dequantize.js';
import { FileRanges } from './file-ranges.js';
import { type GgufHeader, parseGgufHeader } from './gguf-header.js';

const firstHeaderBytes = 1 << 24;
const maxHeaderBytes = 1 << 29;

export class GgufFile {
  private constructor(
    private readonly file: FileRanges,
    private readonly header: GgufHeader,
  ) {}

  /** @throws input error for anything that is not a sound GGUF v2/v3 file */
  static async open(path: string): Promise<GgufFile> {
    const file = await FileRanges.open(path);
    try {
      // The header's length is not stored anywhere, so try with more until it fits.
      for (let length = firstHeaderBytes; ; length *= 4) {
        const head = await file.read(0, Math.min(length, file.size));
        const header = parseGgufHeader(head, path, file.size);
        if (header) return new GgufFile(file, header);
        if (head.length === file.size) throw inputError(`${path} ends within its header. It is cut off; fetch it again.`);
        if (length >= maxHeaderBytes) throw inputError(`${path} has a header of more than ${maxHeaderBytes} bytes. Refusing it.`);
      }
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get path(): string {
    return this.file.path;
  }

  get metadata(): GgufHeader['metadata'] {
    return this.header.metadata;
  }

  get tensors(): GgufHeader['tensors'] {
    return this.header.tensors;
  }

  /** The tensor as f32, row-major in the order of `shape`. */
  async tensor(name: string): Promise<Float32Array> {
    const info = this.header.tensors.get(name);
    if (!info) throw inputError(`${this.path} has no tensor ${name}.`);
    const format = ggufTypes.get(info.type);
    if (!format) {
      const known = [...ggufTypes.values()].map((type) => type.name).join(', ');
      throw inputError(`${this.path}: tensor ${name} is stored as GGUF type ${info.type}, which cannot be read. Use a file with ${known}.`);
    }
    return needingMemory(info.elements * 4, `tensor ${name} of ${this.path}`, async () => {
      const out = new Float32Array(info.elements);
      format.decode(await this.file.read(info.start, info.bytes), out);
      return out;
    });
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
