/** From SftRecord to training sequence: the original conversation predicts CoT and answer; no specification (paper, section 2.3.3). */
import type { SftRecord } from '../base/records.js';
import type { Datum, Renderer } from '../engines/types.js';
import { joinCot } from '../lm/split-cot.js';

export interface LossWeights {
  cot: number;
  answer: number;
}

export interface SftDatum extends Datum {
  /** Index of the first target that belongs to the answer. */
  answerStart: number;
}

/** Reasoning and answer: `<think>\n{cot}\n</think>\n{answer}`, each with its weight. */
export function reasoningDatum(record: SftRecord, renderer: Renderer, weights: LossWeights): SftDatum {
  const text = joinCot(record.cot, record.answer);
  const completion = renderer.completionTokens(text);
  const cotTokens = tokensOfPrefix(completion, text.length - record.answer.length, renderer);
  return datum(renderer.promptTokens(record.messages), completion, cotTokens, weights);
}

/** The usual safety SFT, as a baseline: the same record, its CoT removed. */
export const answerOnlyDatum = (record: SftRecord, renderer: Renderer, weights: LossWeights): SftDatum =>
  datum(renderer.promptTokens(record.messages), renderer.completionTokens(record.answer), 0, weights);

function datum(prompt: readonly number[], completion: readonly number[], cotTokens: number, weights: LossWeights): SftDatum {
  const all = [...prompt, ...completion];
  const before = prompt.length - 1;
  const weightOf = (t: number) => (t < before ? 0 : t < before + cotTokens ? weights.cot : weights.answer);
  return {
    tokens: all.slice(0, -1),
    targets: all.slice(1),
    weights: all.slice(1).map((_, t) => weightOf(t)),
    answerStart: before + cotTokens,
  };
}

/** How many of the tokens lie wholly in the first `length` characters of their text. */
function tokensOfPrefix(tokens: readonly number[], length: number, renderer: Renderer): number {
  let [low, high] = [0, tokens.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (renderer.decode(tokens.slice(0, middle)).length <= length) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Scales the weights of a batch so that they add up to its number of sequences: since an optimizer step divides by that
 * number, the gradient is that of the mean loss a token, whatever the lengths.
 */
export function perToken<T extends Datum>(batch: readonly T[]): T[] {
  const total = batch.reduce((sum, { weights }) => sum + weights.reduce((s, w) => s + w, 0), 0);
  const scale = total === 0 ? 0 : batch.length / total;
  return batch.map((one) => ({ ...one, weights: one.weights.map((weight) => weight * scale) }));
}
