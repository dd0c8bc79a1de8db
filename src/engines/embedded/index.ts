/** The embedded engine: a Llama-family model in a worker thread of this process, trained and sampled on the CPU. */
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { DeliberateError, dependencyError, inputError } from '../../base/errors.js';
import { allTargets, type LoraTarget } from '../../base/lora-targets.js';
import { packageRoot } from '../../base/package-root.js';
import { openCheckpoint } from '../../lm/checkpoint.js';
import { createRenderer, type ModelRenderer } from '../../lm/chat-template.js';
import { fixedBytes } from '../../lm/model-parts.js';
import { resolveModel } from '../../lm/models.js';
import { adaptedTargets } from '../../lm/peft.js';
import { cutAtStop, TextStream } from '../../lm/text-stream.js';
import type { LossFunction } from '../../lm/types.js';
import type { AdamParams, ChatModel, ChatRequest, Datum, ForwardBackwardResult, SamplingParams, Trainer } from '../types.js';
import {
  type CallMessage,
  type CallName,
  type Calls,
  type EngineSettings,
  policyAdapter,
  type ReplyMessage,
  type TokenMessage,
} from './protocol.js';

export interface EmbeddedOptions {
  /** Name, checkpoint folder or GGUF file. */
  model: string;
  /** PEFT folder of the adapter to start from; without it a fresh one that changes nothing. */
  adapter?: string;
  rank?: number;
  alpha?: number;
  /** Projections that are trained; left out: all. What `adapter` adapts beyond these stays as it is. */
  targets?: readonly LoraTarget[];
  /** Bound on memory for training, GB. Weights and buffers take a fixed part of it. */
  memoryGb?: number;
  /** Rows decoded together. */
  maxRows?: number;
  threads?: number;
  /** How long requests with one adapter or shared prefix may keep those with another waiting, ms; without it, until they are done. */
  patience?: number;
  seed?: number;
  signal?: AbortSignal;
  onProgress?: (message: string) => void;
}

type OnToken = (copy: number, token: number) => void;

interface Waiter {
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
  onToken?: OnToken | undefined;
}

/** Longest wait for a kernel call to end, ms: a pass over a large batch takes seconds. */
const closeMs = 120_000;

class WorkerClient {
  private readonly waiting = new Map<number, Waiter>();
  private nextId = 0;
  private closed = false;
  private ended = false;

  constructor(private readonly worker: Worker) {
    worker.on('message', (reply: ReplyMessage | TokenMessage) => {
      const waiter = this.waiting.get(reply.id);
      if ('token' in reply) {
        waiter?.onToken?.(reply.copy, reply.token);
        return;
      }
      this.waiting.delete(reply.id);
      if (this.waiting.size === 0) worker.unref();
      if (!waiter) return;
      if (reply.ok) waiter.resolve(reply.result as never);
      else waiter.reject(new DeliberateError(reply.kind, reply.message));
    });
    const fail = (cause: unknown) => {
      const error = dependencyError(
        `the engine's worker thread ended: ${String(cause)}. If memory is short, set engine.memoryGb lower.`,
        cause,
      );
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    };
    worker.on('error', fail);
    worker.on('exit', (code) => {
      this.ended = true;
      if (!this.closed) fail(`exit code ${code}`);
    });
    worker.unref();
  }

  call<Name extends CallName>(
    call: Name,
    argument: Parameters<Calls[Name]>[0],
    signal?: AbortSignal,
    onToken?: OnToken,
  ): Promise<ReturnType<Calls[Name]>> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const abort = () => {
        this.worker.postMessage({ id: -1, call: 'abort', argument: id });
        this.waiting.delete(id);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener('abort', abort);
          then(value);
        };
      this.waiting.set(id, { resolve: settle(resolve), reject: settle(reject), onToken });
      this.worker.ref();
      this.worker.postMessage({ id, call, argument });
    });
  }

  /** The thread ends by itself between two kernel calls: to terminate it within one ends the whole process (Napi::Error). */
  async close(): Promise<void> {
    this.closed = true;
    if (this.ended) return;
    const gone = once(this.worker, 'exit');
    this.worker.ref();
    this.worker.postMessage({ id: -1, call: 'close', argument: null } satisfies CallMessage);
    const late = setTimeout(() => void this.worker.terminate(), closeMs);
    await gone;
    clearTimeout(late);
  }
}

/** A trainer whose weights also serve as other chat models, on other adapters. */
export class EmbeddedEngine implements Trainer {
  readonly policy: ChatModel;
  private readonly known = new Map<string, Promise<void>>();

  constructor(
    private readonly client: WorkerClient,
    readonly renderer: ModelRenderer,
    private readonly modelName: string,
  ) {
    this.policy = this.chatModel(policyAdapter);
  }

  async sample({ promptTokens, n, params, signal }: { promptTokens: number[]; n: number; params: SamplingParams; signal?: AbortSignal }) {
    return this.client.call('sample', { promptTokens, sharedPrefix: 0, n, params, adapter: policyAdapter }, signal);
  }

  forward(data: Datum[], options: { adapter?: string } = {}): Promise<ForwardBackwardResult> {
    return this.client.call('forward', { data, adapter: options.adapter ?? policyAdapter });
  }

  forwardBackward(data: Datum[], loss: LossFunction): Promise<ForwardBackwardResult> {
    return this.client.call('forwardBackward', { data, loss });
  }

  optimStep(params: AdamParams): Promise<{ gradNorm: number }> {
    return this.client.call('optimStep', params);
  }

  save(folder: string): Promise<void> {
    return this.client.call('save', path.resolve(folder));
  }

  load(folder: string, options: { optimizer?: boolean } = {}): Promise<void> {
    return this.client.call('load', { folder: path.resolve(folder), optimizer: options.optimizer ?? false });
  }

  /** Back to an adapter (or to a fresh one) with a fresh optimizer. */
  reset(folder?: string): Promise<void> {
    return this.client.call('load', { folder: folder === undefined ? null : path.resolve(folder), optimizer: false });
  }

  /** Loads an adapter beside the policy; `null` is the bare base model. @returns its name for `forward` */
  async addAdapter(folder: string | null): Promise<string> {
    const name = folder === null ? 'bare' : path.resolve(folder);
    let loading = this.known.get(name);
    if (!loading) {
      loading = this.client.call('addAdapter', { name, folder: folder === null ? null : name });
      this.known.set(name, loading);
    }
    await loading;
    return name;
  }

  /** A chat model of the same weights on another adapter; the folder is read once. */
  async withAdapter(folder: string | null): Promise<ChatModel> {
    return this.chatModel(await this.addAdapter(folder));
  }

  private chatModel(adapter: string): ChatModel {
    const { client, renderer } = this;
    const layOut = (messages: ChatRequest['messages'], sharedMessages: number | undefined) => ({
      promptTokens: renderer.promptTokens(messages),
      sharedPrefix: sharedMessages ? renderer.prefixTokens(messages, sharedMessages).length : 0,
    });
    return {
      name: adapter === policyAdapter || adapter === 'bare' ? this.modelName : `${this.modelName}+${path.basename(adapter)}`,
      async chat({ messages, n = 1, sharedMessages, signal, onText, ...params }) {
        const prompt = layOut(messages, sharedMessages);
        const sampling: SamplingParams = params;
        const request = { ...prompt, n, params: sampling, adapter, stream: onText !== undefined };
        const sequences = await client.call('sample', request, signal, onText && streamed(renderer, sampling, n, onText));
        const choices = sequences.map(({ tokens, stopReason }) => ({
          text: cutAtStop(renderer.decode(tokens), params.stop ?? [], params.stopAfter),
          stopReason,
          tokens: tokens.length,
        }));
        const completionTokens = choices.reduce((sum, { tokens }) => sum + tokens, 0);
        return { choices, usage: { promptTokens: prompt.promptTokens.length, completionTokens } };
      },
      async choiceLogprobs({ messages, choices, sharedMessages, signal }) {
        const tokens = choices.map((choice) => {
          const [token, ...more] = renderer.encode(choice);
          if (token === undefined || more.length > 0) throw inputError(`choice "${choice}" is not one token of this model`);
          return token;
        });
        return client.call('choices', { ...layOut(messages, sharedMessages), choices: tokens, adapter }, signal);
      },
    };
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

/** From the tokens of n samples to pieces of their texts. */
function streamed(
  renderer: ModelRenderer,
  { stop, stopAfter }: SamplingParams,
  n: number,
  onText: NonNullable<ChatRequest['onText']>,
): OnToken {
  const streams = Array.from({ length: n }, () => new TextStream({ decode: (tokens) => renderer.decode(tokens), stop, stopAfter }));
  return (copy, token) => {
    const piece = streams[copy]?.push(token) ?? '';
    if (piece !== '') onText(copy, piece);
  };
}

/** Loads a model (pulling it first where it has a name) and starts its worker. */
export async function createEmbeddedEngine(options: EmbeddedOptions): Promise<EmbeddedEngine> {
  const { model, adapter, rank = 16, alpha = 32, targets = allTargets, memoryGb = 6, maxRows = 64, seed = 0 } = options;
  const checkpointPath = await resolveModel(model, {
    ...(options.signal ? { signal: options.signal } : {}),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
  });
  const checkpoint = await openCheckpoint(checkpointPath);
  const renderer = await createRenderer(checkpoint.tokenizer);
  const { config } = checkpoint;
  await checkpoint.close();
  const trainingBytes = memoryGb * 1e9 - fixedBytes(config);
  if (trainingBytes < 0.2e9) {
    const needed = ((fixedBytes(config) + 0.5e9) / 1e9).toFixed(1);
    throw inputError(`engine.memoryGb is ${memoryGb}, but ${model} needs at least ${needed} to train.`);
  }
  // From source (tests) and from dist alike, the thread runs the compiled worker.
  const client = new WorkerClient(new Worker(path.join(packageRoot, 'dist', 'src', 'engines', 'embedded', 'worker.js')));
  const settings: EngineSettings = {
    checkpoint: checkpointPath,
    rank,
    alpha,
    targets: [...new Set<string>([...targets, ...(adapter === undefined ? [] : await adaptedTargets(adapter))])],
    trained: [...targets],
    seed,
    trainingBytes,
    maxRows,
    endOfTurn: renderer.endOfTurn,
    ...(options.threads ? { threads: options.threads } : {}),
    ...(options.patience === undefined ? {} : { patience: options.patience }),
  };
  await client.call('start', settings);
  const engine = new EmbeddedEngine(client, renderer, model);
  if (adapter !== undefined) await engine.reset(adapter);
  return engine;
}
