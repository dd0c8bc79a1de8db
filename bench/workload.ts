/** What is measured: the same sizes, and where it matters the same tokens, for us and for the peers. */
import { Random } from '../src/base/random.js';

export const sections = ['sft', 'decode', 'prefix', 'grpo'] as const;
export type Section = (typeof sections)[number];

export const lora = { rank: 16, alpha: 32 };

export const sizes = {
  sft: { sequences: 8, length: 256 },
  decode: { batches: [1, 8, 32, 64], context: 128, newTokens: 64 },
  prefix: { batch: 32, prefix: 512, newTokens: 64 },
  grpo: { prompts: 8, promptLength: 40, samples: 8, newTokens: 96 },
} as const;

/** Tokens that are no control tokens in any vocabulary: random ids between 1,000 and 11,000. */
export function randomTokens(length: number, seed: string): number[] {
  const random = new Random(`bench:${seed}`);
  return Array.from({ length }, () => 1000 + random.integer(10_000));
}

/** Written to a file for the peers' scripts. */
export const workload = (model: string, repeats: number) => ({
  model,
  repeats,
  lora,
  sft: { tokens: Array.from({ length: sizes.sft.sequences }, (_, i) => randomTokens(sizes.sft.length, `sft:${i}`)) },
  grpo: {
    ...sizes.grpo,
    prompts: Array.from({ length: sizes.grpo.prompts }, (_, i) => randomTokens(sizes.grpo.promptLength, `grpo:${i}`)),
  },
});

/** One figure: repeated measurements of one piece of work by one program. */
export interface Measurement {
  section: Section;
  /** Batch size, where a section has several. */
  batch?: number;
  who: string;
  unit: 'tokens/s' | 's';
  values: number[];
  peakGb?: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** The mark with which a measuring process hands its results back on a line of standard output. */
export const resultMark = 'bench-result ';
