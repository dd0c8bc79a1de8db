/** Keys and values that decoding keeps: one growing buffer of rows, and prefixes shared by all rows. Layout of both: as the sampling graph's inputs. */
import type { LlamaConfig } from './config.js';

/** Keys and values of a prefix, per layer [K, P, h]. */
export interface PrefixKv {
  length: number;
  k: Float32Array[];
  v: Float32Array[];
}

/** Capacity grows by this many slots, so that buffers are not moved at every token. */
const slotQuantum = 64;

export class RowCaches {
  /** Slots a row. */
  capacity = 0;
  readonly lengths: number[];
  private k: Float32Array[] = [];
  private v: Float32Array[] = [];

  constructor(
    private readonly config: LlamaConfig,
    readonly rows: number,
  ) {
    this.lengths = new Array<number>(rows).fill(0);
  }

  /** Makes room for at least `slots` tokens a row. */
  reserve(slots: number): void {
    if (slots <= this.capacity) return;
    const capacity = Math.ceil(slots / slotQuantum) * slotQuantum;
    const { kvHeads: K, headDim: h, layers } = this.config;
    const grow = (old: Float32Array | undefined) => {
      const grown = new Float32Array(this.rows * K * capacity * h);
      if (old) {
        for (let line = 0; line < this.rows * K; line++) {
          grown.set(old.subarray(line * this.capacity * h, (line + 1) * this.capacity * h), line * capacity * h);
        }
      }
      return grown;
    };
    this.k = Array.from({ length: layers }, (_, layer) => grow(this.k[layer]));
    this.v = Array.from({ length: layers }, (_, layer) => grow(this.v[layer]));
    this.capacity = capacity;
  }

  /** Forgets a buffer that one long row made large. */
  shrink(): void {
    this.k = [];
    this.v = [];
    this.capacity = 0;
    this.lengths.fill(0);
  }

  /** Views of the first `rows` rows of a layer. */
  layer(layer: number, rows: number): { k: Float32Array; v: Float32Array } {
    const size = rows * this.config.kvHeads * this.capacity * this.config.headDim;
    return { k: (this.k[layer] as Float32Array).subarray(0, size), v: (this.v[layer] as Float32Array).subarray(0, size) };
  }

  /**
   * Appends `count` of the T new tokens of graph row `from` of `newKv` [2·layers·R, K, T, h] to row `row`.
   */
  append(row: number, newKv: Float32Array, R: number, T: number, from: number, count: number): void {
    const { kvHeads: K, headDim: h, layers } = this.config;
    const at = this.lengths[row] as number;
    const span = count * h;
    for (let layer = 0; layer < layers; layer++) {
      for (let part = 0; part < 2; part++) {
        const target = (part === 0 ? this.k[layer] : this.v[layer]) as Float32Array;
        let source = ((layer * 2 + part) * R + from) * K * T * h;
        let place = (row * K * this.capacity + at) * h;
        for (let head = 0; head < K; head++) {
          target.set(newKv.subarray(source, source + span), place);
          source += T * h;
          place += this.capacity * h;
        }
      }
    }
    this.lengths[row] = at + count;
  }

  /** Copies row `from` over row `to`. */
  copy(from: number, to: number): void {
    const line = this.config.kvHeads * this.capacity * this.config.headDim;
    for (const buffers of [this.k, this.v]) {
      for (const buffer of buffers) buffer.copyWithin(to * line, from * line, (from + 1) * line);
    }
    this.lengths[to] = this.lengths[from] as number;
  }
}

/** Keys and values of graph row 0 as a prefix, after those of the prefix it was computed behind. */
export function toPrefix(config: LlamaConfig, newKv: Float32Array, T: number, before: PrefixKv | null): PrefixKv {
  const { kvHeads: K, headDim: h, layers } = config;
  const old = before?.length ?? 0;
  const length = old + T;
  const take = (layer: number, part: 0 | 1) => {
    const result = new Float32Array(K * length * h);
    const previous = part === 0 ? before?.k[layer] : before?.v[layer];
    for (let head = 0; head < K; head++) {
      if (previous) result.set(previous.subarray(head * old * h, (head + 1) * old * h), head * length * h);
      const source = ((layer * 2 + part) * K + head) * T * h;
      result.set(newKv.subarray(source, source + T * h), (head * length + old) * h);
    }
    return result;
  };
  const layersOf = (part: 0 | 1) => Array.from({ length: layers }, (_, layer) => take(layer, part));
  return { length, k: layersOf(0), v: layersOf(1) };
}
