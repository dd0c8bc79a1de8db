/** Half-precision numbers as Float32Array. All our files and machines are little-endian. */

let halfTable: Float32Array | undefined;

/** The value of each of the 65,536 IEEE half-precision bit patterns. */
export function halfValues(): Float32Array {
  if (halfTable) return halfTable;
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) table[bits] = fraction ? NaN : sign * Infinity;
    else table[bits] = sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  }
  return (halfTable = table);
}

export function halfToFloat32(source: Uint16Array): Float32Array {
  const values = halfValues();
  const result = new Float32Array(source.length);
  for (let i = 0; i < source.length; i++) result[i] = values[source[i] as number] as number;
  return result;
}

export function bfloat16ToFloat32(source: Uint16Array): Float32Array {
  const result = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) result[i] = (source[i] as number) << 16;
  return new Float32Array(result.buffer);
}

/** Rounds to nearest, ties to even; NaN stays NaN. */
export function float32ToBfloat16(source: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  const result = new Uint16Array(source.length);
  for (let i = 0; i < source.length; i++) {
    const b = bits[i] as number;
    result[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return result;
}

/** Rounds to nearest, ties to even; NaN stays NaN, and what is beyond 65,504 becomes infinite. */
export function float32ToHalf(source: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  const result = new Uint16Array(source.length);
  for (let i = 0; i < source.length; i++) {
    const b = bits[i] as number;
    const sign = (b >>> 16) & 0x8000;
    const exponent = ((b >>> 23) & 255) - 112;
    if (exponent >= 31) {
      result[i] = sign | ((b & 0x7fffffff) > 0x7f800000 ? 0x7e00 : 0x7c00);
      continue;
    }
    // Below the smallest normal number the leading one is written out and shifted in.
    const shift = exponent > 0 ? 13 : Math.min(25, 14 - exponent);
    const value = exponent > 0 ? (exponent << 23) | (b & 0x7fffff) : (b & 0x7fffff) | 0x800000;
    const rest = value & ((1 << shift) - 1);
    const middle = 1 << (shift - 1);
    const half = value >>> shift;
    // A carry out of the fraction raises the exponent, as it should.
    result[i] = sign | (half + (rest > middle || (rest === middle && (half & 1) === 1) ? 1 : 0));
  }
  return result;
}

/** What weights may be written as. */
export const weightTypes = ['f32', 'f16', 'bf16'] as const;
export type WeightType = (typeof weightTypes)[number];

/** Bytes a number. */
export const weightBytes = { f32: 4, f16: 2, bf16: 2 } as const satisfies Record<WeightType, number>;

export function encodeWeights(data: Float32Array, type: WeightType): Uint8Array<ArrayBufferLike> {
  const stored = type === 'f32' ? data : type === 'f16' ? float32ToHalf(data) : float32ToBfloat16(data);
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}
