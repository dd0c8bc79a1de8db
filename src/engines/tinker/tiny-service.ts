/**
 * A service that speaks the protocol over tiny models of the embedded engine, so that training through it can be compared with
 * training without it; it fails on demand, and what it saved outlives its end. For tests.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openCheckpoint } from '../../lm/checkpoint.js';
import { createRenderer, type ModelRenderer } from '../../lm/chat-template.js';
import { allTargets } from '../../base/lora-targets.js';
import { Model } from '../embedded/model.js';
import type { EngineSettings } from '../embedded/protocol.js';
import type { Datum, LossFunction } from '../types.js';
import type { LossReduction, SampleBody } from './protocol.js';

/** Cut the connection before or after the request is taken, or answer with a status instead. */
type Fault = 'drop' | 'drop-after' | { status: number; detail?: string; headers?: Record<string, string> };

export interface TinyServiceOptions {
  /** Of the served model; rank and seed come with each request. */
  engine: EngineSettings;
  /** Folder that what is saved goes to. */
  folder: string;
  reduction?: LossReduction;
  maxAdapters?: number;
  /** Wanted in x-api-key. */
  key?: string;
  /** By the number of POSTs of this path, from 1. */
  fault?: (path: string, count: number) => Fault | null;
  /** Milliseconds before a call is worked on: models here compute in the thread that takes requests. */
  latency?: number;
  /** Called when a call begins to be worked on. */
  onWork?: (path: string) => void;
}

interface Loaded {
  model: Model;
  /** Changes of the weights until now. */
  version: number;
}

type Body = Record<string, unknown>;
type Outcome = { value: unknown } | { detail: string };

export const servedName = 'tiny';

/** Settings of the served model, and what turns conversations into its tokens. @param checkpoint folder of a spelling model */
export async function tinyEngine(checkpoint: string, seed = 0): Promise<{ engine: EngineSettings; renderer: ModelRenderer }> {
  const { tokenizer, close } = await openCheckpoint(checkpoint);
  await close();
  const renderer = await createRenderer(tokenizer);
  const sizes = { rank: 4, alpha: 32, targets: [...allTargets], trainingBytes: 1e9, maxRows: 16, threads: 1 };
  return { engine: { checkpoint, ...sizes, seed, endOfTurn: renderer.endOfTurn }, renderer };
}

export class TinyService {
  url = '';
  /** POSTs by path. */
  readonly posts = new Map<string, number>();
  /** Steps that came while the gradients before them were still computed. */
  pipelined = 0;
  mostSamplesPending = 0;
  /** Samples of weights that the model has no longer: SkyRL tx would put these back into the model that trains. */
  stale = 0;
  lastOptimizerFlag: unknown;
  /** SkyRL tx 0.3.0 does not. */
  tellsNorm = true;
  private server: Server | null = null;
  private port = 0;
  private base: Promise<Model> | null = null;
  private loaded = new Map<string, Loaded>();
  private readonly models = new Map<string, { rank: number; seed: number }>();
  /** Models that were called since they were made. */
  private readonly begun = new Set<string>();
  private readonly saved = new Map<string, { folder: string; version: number }>();
  private readonly outcomes = new Map<string, Promise<Outcome>>();
  private queue: Promise<unknown> = Promise.resolve();
  private life = 0;
  private next = 0;
  private passesPending = 0;
  private samplesPending = 0;

  constructor(private readonly options: TinyServiceOptions) {}

  async start(): Promise<this> {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) send(response, 500, { detail: String(error) });
      });
    });
    await new Promise<void>((resolve) => void this.server?.listen(this.port, '127.0.0.1', resolve));
    this.port = (this.server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  /** As `kill -9`: connections break, loaded models are gone, what is in the queue is not done. */
  async kill(): Promise<void> {
    this.life++;
    this.loaded = new Map();
    const { server } = this;
    this.server = null;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => void (server ? server.close(() => resolve()) : resolve()));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = (request.url ?? '').replace('/api/v1/', '');
    const text = await textOf(request);
    if (this.options.key !== undefined && request.headers['x-api-key'] !== this.options.key)
      return send(response, 401, { detail: 'Invalid API key' });
    if (request.method === 'GET') return this.answerGet(route, response);
    const count = (this.posts.get(route) ?? 0) + 1;
    this.posts.set(route, count);
    const fault = this.options.fault?.(route, count) ?? null;
    if (fault === 'drop') return void request.socket.destroy();
    if (fault !== null && fault !== 'drop-after') return send(response, fault.status, { detail: fault.detail ?? 'fault' }, fault.headers);
    const body = JSON.parse(text) as Body;
    if (route === 'retrieve_future') return this.answerFuture(String(body['request_id']), response);
    const { status = 200, ...reply } = this.take(route, body);
    if (fault === 'drop-after') return void request.socket.destroy();
    send(response, status as number, reply);
  }

  private async answerGet(route: string, response: ServerResponse): Promise<void> {
    if (route === 'get_server_capabilities') return send(response, 200, { supported_models: [{ model_name: servedName }] });
    const [, model, id] = /^training_runs\/([^/]+)\/checkpoints\/([^/]+)\/archive$/.exec(route) ?? [];
    if (model !== undefined) {
      response.writeHead(302, { location: `/files/${model}/${id}` }).end();
      return;
    }
    const saved = this.saved.get(route.replace(/^\/files\//, ''));
    if (saved === undefined) return send(response, 404, { detail: 'Checkpoint not found' });
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(await archiveOf(saved.folder));
  }

  private async answerFuture(id: string, response: ServerResponse): Promise<void> {
    const outcome = this.outcomes.get(id);
    if (outcome === undefined) return send(response, 404, { detail: 'Future not found' });
    const waited = await Promise.race([outcome, new Promise<null>((resolve) => void setTimeout(() => resolve(null), 50))]);
    if (waited === null) return send(response, 408, { detail: 'Timeout waiting for result' });
    if ('detail' in waited) return send(response, 400, { detail: waited.detail });
    send(response, 200, waited.value);
  }

  private take(route: string, body: Body): Record<string, unknown> {
    if (route === 'create_session') return { session_id: `session_${++this.next}` };
    if (route === 'session_heartbeat') return {};
    if (route === 'create_model') {
      const model = `model_${++this.next}`;
      this.models.set(model, body['lora_config'] as { rank: number; seed: number });
      return { model_id: model, ...this.work(route, () => this.load(model)) };
    }
    const path = body['model_path'] as string | undefined;
    const model = (body['model_id'] as string | undefined) ?? /^tinker:\/\/([^/]+)/.exec(path ?? '')?.[1] ?? '';
    if (model !== '' && !this.models.has(model)) return { status: 404, detail: 'Model not found' };
    if (route === 'optim_step' && this.passesPending > 0) this.pipelined++;
    if (route === 'load_weights' && this.begun.has(model)) return { status: 400, detail: 'LoadWeights is not permitted with seq_id 2' };
    this.begun.add(model);
    if (route === 'load_weights' && !this.saved.has(idOf(String(body['path']))))
      return { status: 404, detail: 'Checkpoint not found: gone' };
    return this.work(route, () => this.perform(route, model, body));
  }

  /** Calls are worked on one after the other. */
  private work(route: string, perform: () => Promise<unknown>): { request_id: string } {
    const id = String(++this.next);
    const { life } = this;
    const isPass = route === 'forward_backward';
    const isSample = route === 'asample';
    if (isPass) this.passesPending++;
    if (isSample) this.mostSamplesPending = Math.max(this.mostSamplesPending, ++this.samplesPending);
    const outcome = this.queue.then(async (): Promise<Outcome> => {
      try {
        if (this.options.latency !== undefined) await sleep(this.options.latency);
        this.options.onWork?.(route);
        const value = life === this.life ? ((await perform()) ?? {}) : null;
        // What a killed service had begun is not done.
        return life === this.life ? { value } : { detail: 'Model not loaded' };
      } catch (error) {
        return { detail: (error as Error).message };
      } finally {
        if (isPass) this.passesPending--;
        if (isSample) this.samplesPending--;
      }
    });
    this.queue = outcome;
    this.outcomes.set(id, outcome);
    return { request_id: id };
  }

  private async load(id: string): Promise<void> {
    const { maxAdapters = 32, engine } = this.options;
    // The base has one place.
    if (this.loaded.size + 1 >= maxAdapters) throw new Error(`Maximum number of LoRA adapters (${maxAdapters}) reached`);
    const { rank, seed } = this.models.get(id)!;
    this.loaded.set(id, { model: await Model.load({ ...engine, rank, seed, alpha: 32 }), version: 0 });
  }

  private async perform(route: string, id: string, body: Body): Promise<unknown> {
    if (route === 'asample' && id === '') return sampled(await this.baseModel(), 'bare', body);
    const loaded = this.loaded.get(id);
    if (loaded === undefined) throw new Error(`Model ${id} not loaded`);
    const { model } = loaded;
    switch (route) {
      case 'forward_backward':
      case 'forward': {
        const { loss_fn, data } = (body['forward_backward_input'] ?? body['forward_input']) as { loss_fn: LossFunction; data: never[] };
        const read = data.map((one) => readDatum(one, this.options.reduction ?? 'sum'));
        const pass =
          route === 'forward' ? model.forward({ data: read, adapter: 'policy' }) : model.forwardBackward({ data: read, loss: loss_fn });
        const { logprobs } = await pass;
        return {
          loss_fn_outputs: logprobs.map((one) => ({ logprobs: { dtype: 'float32', shape: [one.length], data: one } })),
          metrics: {},
        };
      }
      case 'optim_step': {
        const { learning_rate, beta1, beta2, eps, weight_decay, grad_clip_norm = 0 } = body['adam_params'] as Record<string, number>;
        const { gradNorm } = model.optimStep({
          learningRate: learning_rate!,
          beta1: beta1!,
          beta2: beta2!,
          eps: eps!,
          weightDecay: weight_decay!,
          gradClipNorm: grad_clip_norm,
        });
        loaded.version++;
        return { metrics: this.tellsNorm ? { 'skyrl.ai/grad_norm': gradNorm } : null };
      }
      case 'save_weights':
      case 'save_weights_for_sampler': {
        const name = String(body['path']);
        const kind = route === 'save_weights' ? 'weights' : 'sampler_weights';
        const folder = path.join(this.options.folder, id, kind, name);
        await mkdir(path.dirname(folder), { recursive: true });
        await model.save(folder);
        this.saved.set(kind === 'weights' ? `${id}/weights/${name}` : `${id}/${name}`, { folder, version: loaded.version });
        return { path: kind === 'weights' ? `tinker://${id}/weights/${name}` : `tinker://${id}/${name}`, type: route };
      }
      case 'load_weights':
        this.lastOptimizerFlag = body['optimizer'];
        await model.load({ folder: this.saved.get(idOf(String(body['path'])))!.folder, optimizer: body['optimizer'] as boolean });
        loaded.version++;
        return {};
      case 'unload_model':
        this.loaded.delete(id);
        return {};
      case 'asample':
        if (this.saved.get(idOf(String(body['model_path'])))?.version !== loaded.version) this.stale++;
        return sampled(model, 'policy', body);
      default:
        throw new Error(`no such call: ${route}`);
    }
  }

  private baseModel(): Promise<Model> {
    this.base ??= Model.load(this.options.engine).then(async (model) => {
      await model.addAdapter({ name: 'bare', folder: null });
      return model;
    });
    return this.base;
  }
}

const idOf = (uri: string): string => uri.replace('tinker://', '');

async function sampled(model: Model, adapter: string, body: Body): Promise<unknown> {
  const { prompt, num_samples, sampling_params, prompt_logprobs } = body as unknown as SampleBody;
  const [{ tokens }] = prompt.chunks as [{ tokens: number[] }];
  const { max_tokens, temperature = 1, top_p = 1, top_k = -1, seed, stop = [] } = sampling_params;
  const texts = (stop as unknown[]).filter((one): one is string => typeof one === 'string');
  if (texts.length !== 0 && texts.length !== stop.length) throw new Error('stop must be either all integers or all strings, not mixed');
  const params = {
    maxTokens: max_tokens,
    temperature,
    ...(top_p < 1 && { topP: top_p }),
    ...(top_k > 0 && { topK: top_k }),
    ...(seed !== undefined && { seed }),
    ...(texts.length > 0 && { stop: texts }),
  };
  const signal = new AbortController().signal;
  const sequences = await model.sample({ promptTokens: tokens, sharedPrefix: 0, n: num_samples, params, adapter }, signal, () => undefined);
  const datum = { tokens: tokens.slice(0, -1), targets: tokens.slice(1), weights: tokens.slice(1).map(() => 1) };
  return {
    sequences: sequences.map(({ tokens, logprobs, stopReason }) => ({ tokens, logprobs, stop_reason: stopReason })),
    prompt_logprobs: prompt_logprobs ? (await model.forward({ data: [datum], adapter })).logprobs[0] : null,
  };
}

/** Weights default to 1; with `mean` a sequence's loss is divided by their sum, as SkyRL tx does on JAX. */
function readDatum(json: never, reduction: LossReduction): Datum {
  const { model_input, loss_fn_inputs } = json as {
    model_input: { chunks: { tokens: number[] }[] };
    loss_fn_inputs: Record<string, { data: number[] } | undefined>;
  };
  const { target_tokens, weights, logprobs, advantages } = loss_fn_inputs;
  const targets = target_tokens!.data;
  const given = weights?.data ?? targets.map(() => 1);
  const total =
    reduction === 'mean'
      ? Math.max(
          1e-9,
          given.reduce((sum, weight) => sum + weight, 0),
        )
      : 1;
  return {
    tokens: model_input.chunks.flatMap(({ tokens }) => tokens),
    targets,
    weights: given.map((weight) => weight / total),
    ...(logprobs && { logprobs: logprobs.data }),
    ...(advantages && { advantages: advantages.data }),
  };
}

/** As SkyRL tx packs it: no list of target modules, no optimizer. */
async function archiveOf(folder: string): Promise<Buffer> {
  const staged = `${folder}.archive`;
  await mkdir(staged, { recursive: true });
  await cp(path.join(folder, 'adapter_model.safetensors'), path.join(staged, 'adapter_model.safetensors'));
  const config = JSON.parse(await readFile(path.join(folder, 'adapter_config.json'), 'utf8')) as object;
  await writeFile(path.join(staged, 'adapter_config.json'), JSON.stringify({ ...config, target_modules: null }));
  const file = `${staged}.tar.gz`;
  await promisify(execFile)('tar', ['czf', file, '-C', staged, '.']);
  return readFile(file);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
