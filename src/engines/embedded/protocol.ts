/** Messages between the engine and its worker thread. Calls are answered in any order, by id. */
import type { ErrorKind } from '../../base/errors.js';
import type { AdamParams, Datum, ForwardBackwardResult, LossFunction, SampledSequence, SamplingParams } from '../../lm/types.js';

export interface EngineSettings {
  /** Path of a checkpoint: a folder or a GGUF file. */
  checkpoint: string;
  rank: number;
  alpha: number;
  /** Projections that the graphs adapt, and those of them that are trained; left out: all. */
  targets: string[];
  trained?: string[];
  seed: number;
  /** Bound on the memory of a training micro-batch, bytes. */
  trainingBytes: number;
  /** Rows decoded together. */
  maxRows: number;
  /** Token that ends the assistant's turn in the model's chat template; a stop beside the config's own end tokens. */
  endOfTurn: number;
  /** Sampling: how long requests of one prefix may keep those of another waiting, ms; without it, until they are done. */
  patience?: number;
  threads?: number;
}

/** The adapter that trains is `policy`; others are loaded beside it under names of their own. */
export const policyAdapter = 'policy';

export interface Calls {
  start: (settings: EngineSettings) => void;
  sample: (request: {
    promptTokens: number[];
    sharedPrefix: number;
    n: number;
    params: SamplingParams;
    adapter: string;
    /** Whether each token is reported as it is picked. */
    stream?: boolean;
  }) => SampledSequence[];
  choices: (request: { promptTokens: number[]; sharedPrefix: number; choices: number[]; adapter: string }) => number[];
  forward: (request: { data: Datum[]; adapter: string }) => ForwardBackwardResult;
  forwardBackward: (request: { data: Datum[]; loss: LossFunction }) => ForwardBackwardResult;
  optimStep: (params: AdamParams) => { gradNorm: number };
  save: (folder: string) => void;
  load: (request: { folder: string | null; optimizer: boolean }) => void;
  /** Loads an adapter under a name; null = the bare base model. */
  addAdapter: (request: { name: string; folder: string | null }) => void;
}

export type CallName = keyof Calls;

export interface CallMessage {
  id: number;
  call: CallName | 'abort' | 'close';
  argument: unknown;
}

/** A token of a sample that is still being written. */
export interface TokenMessage {
  id: number;
  copy: number;
  token: number;
}

export type ReplyMessage = { id: number; ok: true; result: unknown } | { id: number; ok: false; kind: ErrorKind; message: string };
