/** All the models of a run over one set of weights: the policy that is trained, and frozen adapters beside it. */
import type { ChatModel, Datum, Trainer } from './types.js';

export interface Workbench {
  /** The policy: its primitives, and the model as it is now. */
  readonly trainer: Trainer;
  /** Makes the policy G_base again, with a fresh optimizer. */
  resetPolicy(): Promise<void>;
  /** G_base, frozen: the model that generates, and the judge. */
  base(): Promise<ChatModel>;
  /** The model without the adapter that makes it G_base; absent where there is no such thing. */
  raw?(): Promise<ChatModel>;
  /** The model with an adapter that training saved. */
  tuned(folder: string): Promise<ChatModel>;
  /** Log-probabilities of the data's targets under a saved adapter; absent where the engine cannot. */
  logprobs?(folder: string, data: Datum[]): Promise<number[][]>;
  countTokens(text: string): number;
  /** Digests of the weights and of G_base's adapter. */
  readonly digests: { model: string; adapter: string };
  /** Requests that are useful to have outstanding. */
  readonly concurrency: number;
  /** The layout of generation prompts that suits the engine. */
  readonly layout: 'shared' | 'paper';
  close(): Promise<void>;
}
