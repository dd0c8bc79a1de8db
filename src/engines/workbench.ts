/** All the models of a run over one set of weights: the policy that is trained, and frozen adapters beside it. */
import type { ModelRole } from '../base/server-settings.js';
import type { ChatModel, Datum, Trainer } from './types.js';

/** A model on a server that has a role of its own. */
export interface RoleModel {
  /** Connects on the first call. @throws input error when settings or key are wrong, dependency error when the server is silent */
  open(): Promise<ChatModel>;
  /** Of all that its answers depend on. */
  readonly digest: string;
  /** Requests that are useful to have outstanding. */
  readonly concurrency: number;
}

/** What a server was asked for one role in one stage. */
export interface ServerUsage {
  role: string;
  model: string;
  stage: string;
  /** Requests that the server answered, and those answered from the cache. */
  calls: number;
  cached: number;
  /** Failures that were followed by a repetition. */
  retries: number;
  /** Calls whose tokens the server did not count. */
  uncounted: number;
  promptTokens: number;
  completionTokens: number;
  /** Part of the completion tokens. */
  reasoningTokens: number;
  /** Where the settings give prices; in their currency. */
  cost?: number;
}

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
  /** Models on servers that stand in for the base, by role. */
  readonly servers?: Partial<Record<ModelRole, RoleModel>>;
  /** What these servers were asked until now. */
  usage?(): ServerUsage[];
  close(): Promise<void>;
}

/** The model that has a role, and how many requests it likes outstanding: a server's where the settings name one, else the base. */
export async function modelFor(
  bench: Pick<Workbench, 'base' | 'concurrency' | 'servers'>,
  role: ModelRole,
): Promise<{ model: ChatModel; concurrency: number }> {
  const server = bench.servers?.[role];
  return server === undefined
    ? { model: await bench.base(), concurrency: bench.concurrency }
    : { model: await server.open(), concurrency: server.concurrency };
}

/** What this model's answers depend on. */
export function digestsFor({ digests, servers }: Pick<Workbench, 'digests' | 'servers'>, role: ModelRole): Record<string, string> {
  const server = servers?.[role];
  return server === undefined ? digests : { server: server.digest };
}
