/**
 * GGUF tensor types as Float32Array. A block is a run of weights along a row that share scales;
 * q are the stored integers, d scales, m minima.
 */
import { bfloat16ToFloat32, halfToFloat32, halfValues } from './float-formats.js';

interface BlockFormat {
  name: string;
  /** Weights in a block, and bytes of a block. */
  weights: number;
  bytes: number;
  /** Block after block into `out`. */
  decode(bytes: Uint8Array, out: Float32Array): void;
}

/** By GGUF's type number. */
export const ggufTypes: ReadonlyMap<number, BlockFormat> = new Map([
  [0, plain('F32', 4, (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4))],
  [1, plain('F16', 2, (bytes) => halfToFloat32(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2)))],
  [30, plain('BF16', 2, (bytes) => bfloat16ToFloat32(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2)))],
  [2, blocks('Q4_0', 32, 18, decodeQ4_0)],
  [3, blocks('Q4_1', 32, 20, decodeQ4_1)],
  [8, blocks('Q8_0', 32, 34, decodeQ8_0)],
  [12, blocks('Q4_K', 256, 144, decodeQ4_K)],
  [14, blocks('Q6_K', 256, 210, decodeQ6_K)],
]);

function plain(name: string, bytes: number, convert: (bytes: Uint8Array) => Float32Array): BlockFormat {
  return { name, weights: 1, bytes, decode: (source, out) => out.set(convert(source)) };
}

type DecodeBlock = (b: Uint8Array, at: number, out: Float32Array, to: number, half: (at: number) => number) => void;

function blocks(name: string, weights: number, bytes: number, decodeBlock: DecodeBlock): BlockFormat {
  return {
    name,
    weights,
    bytes,
    decode(source, out) {
      const halves = halfValues();
      const half = (at: number) => halves[(source[at] as number) | ((source[at + 1] as number) << 8)] as number;
      for (let at = 0, to = 0; to < out.length; at += bytes, to += weights) decodeBlock(source, at, out, to, half);
    },
  };
}

/** w = d (q − 8); low nibbles are the block's first half. */
function decodeQ4_0(...[b, at, out, to, half]: Parameters<DecodeBlock>): void {
  const d = half(at);
  for (let i = 0; i < 16; i++) {
    const q = b[at + 2 + i] as number;
    out[to + i] = d * ((q & 15) - 8);
    out[to + 16 + i] = d * ((q >> 4) - 8);
  }
}

/** w = d q + m */
function decodeQ4_1(...[b, at, out, to, half]: Parameters<DecodeBlock>): void {
  const d = half(at);
  const m = half(at + 2);
  for (let i = 0; i < 16; i++) {
    const q = b[at + 4 + i] as number;
    out[to + i] = d * (q & 15) + m;
    out[to + 16 + i] = d * (q >> 4) + m;
  }
}

/** w = d q, q signed. */
function decodeQ8_0(...[b, at, out, to, half]: Parameters<DecodeBlock>): void {
  const d = half(at);
  for (let i = 0; i < 32; i++) out[to + i] = d * signed(b[at + 2 + i] as number);
}

const signed = (byte: number) => (byte << 24) >> 24;

/** Eight sub-blocks of 32 with 6-bit scales and minima, packed into 12 bytes: w = d·s·q − dmin·m. */
function decodeQ4_K(...[b, at, out, to, half]: Parameters<DecodeBlock>): void {
  const d = half(at);
  const dmin = half(at + 2);
  const packed = (i: number) => b[at + 4 + i] as number;
  for (let sub = 0; sub < 8; sub++) {
    const scale = sub < 4 ? packed(sub) & 63 : (packed(sub + 4) & 15) | ((packed(sub - 4) >> 6) << 4);
    const min = sub < 4 ? packed(sub + 4) & 63 : (packed(sub + 4) >> 4) | ((packed(sub) >> 6) << 4);
    // Two sub-blocks share 32 bytes: the even one has the low nibbles.
    const from = at + 16 + (sub >> 1) * 32;
    for (let i = 0; i < 32; i++) {
      const q = ((b[from + i] as number) >> ((sub & 1) * 4)) & 15;
      out[to + sub * 32 + i] = d * scale * q - dmin * min;
    }
  }
}

/** 6-bit q: four low bits in `low`, two high bits in `high`; signed scales for each 16 weights. */
function decodeQ6_K(...[b, at, out, to, half]: Parameters<DecodeBlock>): void {
  const d = half(at + 208);
  for (let i = 0; i < 256; i++) {
    const part = i >> 7; // halves of 128 weights: 64 low bytes, 32 high bytes each
    const quarter = (i >> 5) & 3;
    const lane = i & 31;
    const low = ((b[at + part * 64 + (quarter & 1) * 32 + lane] as number) >> ((quarter >> 1) * 4)) & 15;
    const high = ((b[at + 128 + part * 32 + lane] as number) >> (quarter * 2)) & 3;
    out[to + i] = d * signed(b[at + 192 + (i >> 4)] as number) * ((low | (high << 4)) - 32);
  }
}
