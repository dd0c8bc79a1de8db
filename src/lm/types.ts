/** What goes into and comes out of a language model, in tokens. */
import type { Message } from '../base/records.js';

export interface SamplingParams {
  maxTokens: number;
  /** 0 = greedy. Default 1. */
  temperature?: number;
  /** The embedded engine keeps at most 256 tokens by either: a wider nucleus is cut there. */
  topP?: number;
  topK?: number;
  /** Stop strings besides the end-of-turn token; not part of the text returned. Embedded: looked for in the last 32 tokens, so none may be longer. */
  stop?: string[];
  /** Stop strings count only in what follows this text and the white space after it: in the answer, where this ends the CoT. */
  stopAfter?: string;
  /** Same seed and same request → same text, whatever else is in the batch (up to floating-point order). */
  seed?: number;
}

/** One training sequence: `tokens` are the model's input, and target t is `targets[t]`, predicted after `tokens[0..t]`. Arrays have equal length T. */
export interface Datum {
  tokens: number[];
  targets: number[];
  /** Per-target loss weight; 0 = no loss there (no logits are computed there either). */
  weights: number[];
  /** Sampler log-probabilities and advantages per target: importance_sampling and ppo only. */
  logprobs?: number[];
  advantages?: number[];
  /** Sequences that begin with the same `sharedPrefix` tokens may name its length; it is then computed once for all of them. */
  sharedPrefix?: number;
}

export type LossFunction = 'cross_entropy' | 'importance_sampling' | 'ppo';

export interface ForwardBackwardResult {
  /** Sum over all sequences and targets of the weighted loss. */
  lossSum: number;
  /** Trainer log-probability of each target with weight ≠ 0 (0 elsewhere), one array [T] a datum. */
  logprobs: number[][];
}

/** Adam's settings for one step; Tinker's names in camelCase. `gradClipNorm` 0 = no clipping. */
export interface AdamParams {
  learningRate: number;
  beta1?: number;
  beta2?: number;
  eps?: number;
  weightDecay?: number;
  gradClipNorm?: number;
}

export interface SampledSequence {
  tokens: number[];
  /** Log-probability of each token at temperature 1, no truncation. */
  logprobs: number[];
  stopReason: 'stop' | 'length';
}

/** Turns conversations into tokens and back the way the model's own chat template does. */
export interface Renderer {
  /** Tokens of the conversation and, if it ends on a user turn, of the opening of the assistant's turn. Special tokens in user text are encoded as text. */
  promptTokens(messages: readonly Message[]): number[];
  /** Tokens of an assistant turn's text, ended by the end-of-turn token unless told otherwise. */
  completionTokens(text: string, endOfTurn?: boolean): number[];
  decode(tokens: readonly number[]): string;
}
