/** The two interfaces that the method knows: a chat model (text in, text out) and a trainer (the Tinker primitives). */
import type { Message, StopReason } from '../base/records.js';
import type { AdamParams, Datum, ForwardBackwardResult, LossFunction, Renderer, SampledSequence, SamplingParams } from '../lm/types.js';

export type * from '../lm/types.js';

export interface ChatRequest extends SamplingParams {
  /** Ends on a user or tool turn; or on an assistant turn, which is then continued (prefill). */
  messages: readonly Message[];
  /** Number of samples, default 1. */
  n?: number;
  /** The first so many messages are shared by many requests (a specification): engines may compute them once. */
  sharedMessages?: number;
  /** The answer is to be JSON of this form. Engines that can hold the model to it do; the prompt must ask for it as well. */
  jsonSchema?: { name: string; schema: Readonly<Record<string, unknown>> };
  signal?: AbortSignal;
  /**
   * Called with each further piece of a sample's text as it is written; its pieces joined are the beginning of its `text`, and
   * what is missing comes with the response. Must not throw. An engine that cannot stream does not call it.
   */
  onText?: (choice: number, piece: string) => void;
}

export interface ChatChoice {
  /** Everything the model wrote, CoT included as `<think>…</think>`, without the prefill. */
  text: string;
  stopReason: StopReason;
  tokens: number;
}

export interface ChatResponse {
  choices: ChatChoice[];
  usage: { promptTokens: number; completionTokens: number };
}

/** Requests may be issued all at once; an engine batches or limits them itself. */
export interface ChatModel {
  readonly name: string;
  chat(request: ChatRequest): Promise<ChatResponse>;
  /**
   * Log-probabilities of each of `choices` (strings that are one token) as the next token after `messages`
   * (the last an assistant prefill, or a user turn). Absent where the engine cannot.
   */
  choiceLogprobs?(request: {
    messages: readonly Message[];
    choices: readonly string[];
    sharedMessages?: number;
    signal?: AbortSignal;
  }): Promise<number[]>;
  close?(): Promise<void>;
}

/** The Tinker primitives. Gradients accumulate until `optimStep`, which divides them by the number of sequences seen. */
export interface Trainer {
  readonly renderer: Renderer;
  sample(request: { promptTokens: number[]; n: number; params: SamplingParams; signal?: AbortSignal }): Promise<SampledSequence[]>;
  forward(data: Datum[]): Promise<ForwardBackwardResult>;
  forwardBackward(data: Datum[], loss: LossFunction): Promise<ForwardBackwardResult>;
  /** @returns norm of the gradient before clipping; NaN where the engine does not tell it */
  optimStep(params: AdamParams): Promise<{ gradNorm: number }>;
  /** `forwardBackward` and `optimStep` on one batch, overlapping where the engine is elsewhere; use `trainStep` of train-step.ts. */
  trainStep?(data: Datum[], loss: LossFunction, params: AdamParams): Promise<ForwardBackwardResult & { gradNorm: number }>;
  /** Writes adapter and optimizer state to a folder (PEFT layout + optimizer.safetensors), atomically. */
  save(folder: string): Promise<void>;
  load(folder: string, options?: { optimizer?: boolean }): Promise<void>;
  /** The policy model as it is now, as a chat model (it follows later steps). */
  readonly policy: ChatModel;
  close(): Promise<void>;
}
