/** The head of a GGUF file: key-values, then the tensor directory. Every count is checked against what the file can hold. */
import { inputError } from '../base/errors.js';
import { ggufTypes } from './dequantize.js';

export type GgufValue = number | boolean | string | GgufValue[];

export interface GgufTensorInfo {
  /** Outermost dimension first (GGUF stores the reverse). */
  shape: number[];
  elements: number;
  type: number;
  /** Absolute byte offset in the file, and length; 0 bytes where the type is unknown to us. */
  start: number;
  bytes: number;
}

export interface GgufHeader {
  metadata: Map<string, GgufValue>;
  tensors: Map<string, GgufTensorInfo>;
}

const maxEntries = 1 << 17;
const maxArrayDepth = 3;
/** Values of all arrays together: each takes many times its bytes in memory. The largest vocabularies have a million merges. */
const maxArrayValues = 1 << 23;

/** The head given so far is too short. */
class NeedMore extends Error {}

/**
 * @param head the first bytes of the file
 * @returns null when the header goes on behind `head`
 * @throws input error naming the byte where the file is wrong
 */
export function parseGgufHeader(head: Uint8Array, path: string, fileSize: number): GgufHeader | null {
  try {
    return new HeaderParser(head, path, fileSize).parse();
  } catch (error) {
    if (error instanceof NeedMore) return null;
    throw error;
  }
}

class HeaderParser {
  private readonly view: DataView;
  private readonly decoder = new TextDecoder('utf-8');
  private at = 0;
  private arrayValues = 0;

  constructor(
    private readonly head: Uint8Array,
    private readonly path: string,
    private readonly fileSize: number,
  ) {
    this.view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  }

  parse(): GgufHeader {
    if (this.head.length < 24) throw this.wrong('is too short for GGUF');
    if (this.view.getUint32(0, true) !== 0x46554747) throw this.wrong('does not begin with GGUF');
    this.at = 4;
    const version = this.uint32();
    if (version !== 2 && version !== 3) throw this.wrong(`has GGUF version ${version}; versions 2 and 3 are known`);
    const tensorCount = this.count('tensor count', maxEntries);
    const keyCount = this.count('key count', maxEntries);
    const metadata = new Map<string, GgufValue>();
    for (let i = 0; i < keyCount; i++) {
      const key = this.string();
      if (metadata.has(key)) throw this.wrong(`has the key ${quote(key)} twice`);
      metadata.set(key, this.value(this.uint32(), 0));
    }
    const entries = new Map<string, Omit<GgufTensorInfo, 'start' | 'bytes'> & { offset: number }>();
    for (let i = 0; i < tensorCount; i++) {
      const name = this.string();
      if (entries.has(name)) throw this.wrong(`has the tensor ${quote(name)} twice`);
      entries.set(name, this.tensorEntry(name));
    }
    return { metadata, tensors: this.place(entries, this.alignment(metadata)) };
  }

  private tensorEntry(name: string) {
    const dimensions = this.uint32();
    if (dimensions < 1 || dimensions > 4) throw this.wrong(`gives tensor ${quote(name)} ${dimensions} dimensions`);
    const shape = Array.from({ length: dimensions }, () => this.count(`size of ${quote(name)}`, Number.MAX_SAFE_INTEGER)).reverse();
    const elements = shape.reduce((product, size) => product * size, 1);
    if (!Number.isSafeInteger(elements)) throw this.wrong(`gives tensor ${quote(name)} more elements than can be counted`);
    return { shape, elements, type: this.uint32(), offset: this.count(`offset of ${quote(name)}`, this.fileSize) };
  }

  private alignment(metadata: Map<string, GgufValue>): number {
    const alignment = metadata.get('general.alignment') ?? 32;
    if (typeof alignment !== 'number' || alignment < 1 || alignment > 1 << 16 || (alignment & (alignment - 1)) !== 0) {
      throw this.wrong(`has the alignment ${String(alignment)}; a power of two up to 65536 is expected`);
    }
    return alignment;
  }

  /** Turns relative offsets into checked, non-overlapping ranges of the file. */
  private place(entries: Map<string, Omit<GgufTensorInfo, 'start' | 'bytes'> & { offset: number }>, alignment: number) {
    const dataStart = Math.ceil(this.at / alignment) * alignment;
    const tensors = new Map<string, GgufTensorInfo>();
    for (const [name, { shape, elements, type, offset }] of entries) {
      const format = ggufTypes.get(type);
      const rowLength = shape.at(-1) as number;
      if (format && rowLength % format.weights !== 0) {
        throw this.wrong(`gives tensor ${quote(name)} rows of ${rowLength}, not a multiple of ${format.name}'s block of ${format.weights}`);
      }
      const bytes = format ? (elements / format.weights) * format.bytes : 0;
      const start = dataStart + offset;
      if (offset % alignment !== 0) throw this.wrong(`places tensor ${quote(name)} off the alignment of ${alignment}`);
      if (start + bytes > this.fileSize) {
        throw this.wrong(
          `places tensor ${quote(name)} up to byte ${start + bytes}, but the file ends at ${this.fileSize}; it is cut off or damaged`,
        );
      }
      tensors.set(name, { shape, elements, type, start, bytes });
    }
    let [end, before] = [dataStart, 'the header'];
    for (const [name, { start, bytes }] of [...tensors].sort(([, a], [, b]) => a.start - b.start || a.bytes - b.bytes)) {
      if (start < end) throw this.wrong(`lets tensor ${quote(name)} overlap ${before}`);
      [end, before] = [start + bytes, quote(name)];
    }
    return tensors;
  }

  private value(type: number, depth: number): GgufValue {
    const { view } = this;
    switch (type) {
      case 0:
        return view.getUint8(this.take(1));
      case 1:
        return view.getInt8(this.take(1));
      case 2:
        return view.getUint16(this.take(2), true);
      case 3:
        return view.getInt16(this.take(2), true);
      case 4:
        return this.uint32();
      case 5:
        return view.getInt32(this.take(4), true);
      case 6:
        return view.getFloat32(this.take(4), true);
      case 7:
        return view.getUint8(this.take(1)) !== 0;
      case 8:
        return this.string();
      case 9:
        return this.array(depth);
      case 10:
        return Number(view.getBigUint64(this.take(8), true));
      case 11:
        return Number(view.getBigInt64(this.take(8), true));
      case 12:
        return view.getFloat64(this.take(8), true);
      default:
        throw this.wrong(`has a value of unknown type ${type}`);
    }
  }

  private array(depth: number): GgufValue[] {
    if (depth >= maxArrayDepth) throw this.wrong('nests arrays too deeply');
    const type = this.uint32();
    const smallest = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8][type];
    if (smallest === undefined) throw this.wrong(`has an array of unknown type ${type}`);
    const length = this.count('array length', Math.floor((this.fileSize - this.at) / smallest));
    this.arrayValues += length;
    if (this.arrayValues > maxArrayValues) throw this.wrong(`has more than ${maxArrayValues} values in arrays`);
    const values: GgufValue[] = [];
    for (let i = 0; i < length; i++) values.push(this.value(type, depth + 1));
    return values;
  }

  private string(): string {
    const length = this.count('string length', this.fileSize - this.at);
    const start = this.take(length);
    return this.decoder.decode(this.head.subarray(start, start + length));
  }

  private uint32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  /** A 64-bit count that must not exceed what is possible. */
  private count(what: string, most: number): number {
    const value = this.view.getBigUint64(this.take(8), true);
    if (value > BigInt(Math.max(0, most))) throw this.wrong(`claims a ${what} of ${value}`);
    return Number(value);
  }

  private take(length: number): number {
    const start = this.at;
    if (start + length > this.head.length) {
      if (this.head.length < this.fileSize) throw new NeedMore();
      throw this.wrong('ends within its header; it is cut off');
    }
    this.at += length;
    return start;
  }

  private wrong(what: string) {
    return inputError(`${this.path} ${what} (at byte ${this.at}). It is not a GGUF file that can be used; fetch it again.`);
  }
}

const quote = (name: string) => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
