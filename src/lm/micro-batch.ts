/** Lays training sequences out as micro-batches of the training graph: shared prefixes once, rows packed, memory bounded. */
import { internalError } from '../base/errors.js';
import type { Datum } from './types.js';
import type { LlamaConfig } from './config.js';

/** A piece of a row: datum `index`, from its token `sharedPrefix` on. */
interface Segment {
  index: number;
  length: number;
}

export interface MicroBatch {
  prefix: number[];
  rows: Segment[][];
  /** Tokens a row. */
  rowLength: number;
}

/** Rows are as long as a multiple of this, so that buffers of few sizes are asked for. */
const rowQuantum = 16;

const roundUp = (n: number) => Math.ceil(n / rowQuantum) * rowQuantum;

/**
 * Estimated bytes that a micro-batch keeps alive: activations of every block, attention weights (scores, softmax, its two parts),
 * and logits. Measured against peak memory in docs/LOG.md. With `recompute` the blocks keep their inputs, and one at a time the rest.
 */
export function estimateBytes(
  config: LlamaConfig,
  { prefix, rows, rowLength, targets, recompute }: { prefix: number; rows: number; rowLength: number; targets: number; recompute: boolean },
): number {
  const tokens = prefix + rows * rowLength;
  const attention = config.heads * (rows * rowLength * (prefix + rowLength) + prefix * prefix);
  const perLayer = tokens * (11 * config.hiddenSize + 4 * config.ffnSize) + 2.5 * attention;
  const blocks = recompute ? config.layers * tokens * config.hiddenSize + 2 * perLayer : config.layers * perLayer;
  return 4 * (blocks + 3.5 * targets * config.vocabSize);
}

/** Whether some sequence, alone, needs more than `maxBytes` with all activations kept. */
export const needsRecompute = (data: readonly Datum[], config: LlamaConfig, maxBytes: number): boolean =>
  data.some(({ tokens, weights, sharedPrefix = 0 }) => {
    const size = { prefix: sharedPrefix, rows: 1, rowLength: roundUp(tokens.length - sharedPrefix), targets: countTargets(weights) };
    return estimateBytes(config, { ...size, recompute: false }) > maxBytes;
  });

const countTargets = (weights: readonly number[]): number => weights.reduce((n, w) => n + (w === 0 ? 0 : 1), 0);

interface Room {
  config: LlamaConfig;
  maxBytes: number;
  recompute: boolean;
}

/** Splits data into micro-batches whose estimate stays within `maxBytes`; longest sequences first, so that rows pack well. */
export function layOut(data: readonly Datum[], room: Room): MicroBatch[] {
  const groups = new Map<string, { prefix: number[]; segments: Segment[] }>();
  data.forEach((datum, index) => {
    const shared = datum.sharedPrefix ?? 0;
    check(datum, index, shared, room.config);
    const prefix = datum.tokens.slice(0, shared);
    const key = prefix.join(',');
    const group = groups.get(key) ?? { prefix, segments: [] };
    group.segments.push({ index, length: datum.tokens.length - shared });
    groups.set(key, group);
  });
  const batches: MicroBatch[] = [];
  for (const { prefix, segments } of groups.values()) {
    segments.sort((a, b) => b.length - a.length || a.index - b.index);
    let waiting = segments;
    while (waiting.length > 0) {
      const { batch, rest } = fill(waiting, prefix, data, room);
      batches.push(batch);
      waiting = rest;
    }
  }
  return batches;
}

function check(datum: Datum, index: number, shared: number, config: LlamaConfig): void {
  const { tokens, targets, weights } = datum;
  if (tokens.length === 0 || targets.length !== tokens.length || weights.length !== tokens.length) {
    throw internalError(`datum ${index}: tokens, targets and weights have ${tokens.length}, ${targets.length}, ${weights.length} elements`);
  }
  if (tokens.length > config.maxPositions) {
    throw internalError(`datum ${index} has ${tokens.length} tokens; the model reads ${config.maxPositions}`);
  }
  if (shared >= tokens.length || weights.slice(0, shared).some((w) => w !== 0)) {
    throw internalError(`datum ${index}: a shared prefix must be shorter than the sequence and carry no loss`);
  }
}

/** First-fit of the longest waiting segments into rows, until the next row would pass the memory bound. */
function fill(
  waiting: Segment[],
  prefix: number[],
  data: readonly Datum[],
  { config, maxBytes, recompute }: Room,
): { batch: MicroBatch; rest: Segment[] } {
  const rowLength = roundUp((waiting[0] as Segment).length);
  const rows: { segments: Segment[]; room: number }[] = [];
  const rest: Segment[] = [];
  let targets = 0;
  for (const segment of waiting) {
    const losses = countTargets((data[segment.index] as Datum).weights);
    const row = rows.find(({ room }) => room >= segment.length);
    const grown = rows.length + (row ? 0 : 1);
    const size = { prefix: prefix.length, rows: grown, rowLength, targets: targets + losses, recompute };
    const fits = estimateBytes(config, size) <= maxBytes;
    if (rows.length > 0 && !fits) {
      rest.push(segment);
      continue;
    }
    targets += losses;
    if (row) {
      row.segments.push(segment);
      row.room -= segment.length;
    } else rows.push({ segments: [segment], room: rowLength - segment.length });
  }
  return { batch: { prefix, rows: rows.map(({ segments }) => segments), rowLength }, rest };
}
