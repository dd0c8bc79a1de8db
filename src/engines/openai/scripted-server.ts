/** A real HTTP server that speaks the protocol in each server's documented shape, and that fails on demand. For tests. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ServerKind } from '../../base/server-settings.js';

export interface Asked {
  model: string;
  messages: { role: string; content: string }[];
  n?: number;
  seed?: number;
  [field: string]: unknown;
}

export interface Told {
  content: string;
  reasoning?: string;
  finish?: string;
  /** The first token's alternatives. */
  top?: { token: string; logprob: number }[];
  /** vLLM: the stop string that was met. */
  stopReason?: string;
}

export type Fault =
  | { kind: 'drop' | 'drop-mid' | 'torn' | 'empty' | 'hang' | 'no-choices' | 'page' }
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: unknown };

export interface ScriptedServerOptions {
  kind?: ServerKind;
  tell?: (asked: Asked, sample: number) => Told;
  /** Called with each POST's number, from 1. */
  fault?: (call: number, asked: Asked) => Fault | null;
  /** Milliseconds before it answers, by the requests in flight. */
  latency?: (inFlight: number, asked: Asked) => number;
  /** Tokens that it says it wrote, of each sample. */
  tokens?: number | ((told: Told) => number);
  port?: number;
  /** Milliseconds that it keeps an idle connection; 5 s by default. */
  keepAlive?: number;
  /** What it keeps of requests; nothing by default over this many. */
  keep?: number;
}

export interface ScriptedServer {
  readonly url: string;
  readonly port: number;
  readonly asked: Asked[];
  readonly headers: Record<string, string | string[] | undefined>[];
  readonly calls: () => number;
  readonly mostInFlight: () => number;
  close(): Promise<void>;
}

const owners: Record<ServerKind, string> = {
  vllm: 'vllm',
  sglang: 'sglang',
  llamacpp: 'llamacpp',
  ollama: 'library',
  openai: 'system',
  other: 'someone',
};

export async function startScriptedServer(options: ScriptedServerOptions = {}): Promise<ScriptedServer> {
  const { kind = 'vllm', fault = () => null, latency = () => 0, keep = 10_000 } = options;
  const asked: Asked[] = [];
  const headers: ScriptedServer['headers'] = [];
  let calls = 0;
  let inFlight = 0;
  let most = 0;

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'GET') {
      send(response, 200, { object: 'list', data: [{ id: 'scripted', object: 'model', created: 0, owned_by: owners[kind] }] });
      return;
    }
    const body = JSON.parse(await textOf(request)) as Asked;
    const call = ++calls;
    if (asked.length < keep) {
      asked.push(body);
      headers.push(request.headers);
    }
    most = Math.max(most, ++inFlight);
    const milliseconds = latency(inFlight, body);
    if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds));
    inFlight--;
    const planned = fault(call, body);
    if (planned !== null) fail(response, planned);
    else send(response, 200, completion(kind, body, options));
  };
  const server = createServer((request, response) => void answer(request, response));
  if (options.keepAlive !== undefined) server.keepAliveTimeout = options.keepAlive;
  await new Promise<void>((resolve) => void server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    asked,
    headers,
    calls: () => calls,
    mostInFlight: () => most,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function fail(response: ServerResponse, fault: Fault): void {
  const half = '{"id":"chatcmpl-1","choices":[{"index":0,"mess';
  switch (fault.kind) {
    case 'drop':
      response.destroy();
      return;
    case 'drop-mid':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '5000' });
      response.write(half, () => response.destroy());
      return;
    case 'torn':
      return send(response, 200, half);
    case 'empty':
      return send(response, 200, '');
    case 'no-choices':
      return send(response, 200, { id: 'chatcmpl-1', object: 'chat.completion', choices: [] });
    case 'page':
      return send(response, 502, '<html><body><h1>Bad gateway</h1></body></html>');
    case 'hang':
      return;
    case 'status':
      return send(response, fault.status, fault.body ?? { error: { message: `scripted ${fault.status}` } }, fault.headers);
  }
}

/** Servers that take `n` seriously; the others write one. */
const many: readonly ServerKind[] = ['vllm', 'sglang', 'openai'];

function completion(kind: ServerKind, asked: Asked, { tell = () => ({ content: 'Hello.' }), tokens = 5 }: ScriptedServerOptions): unknown {
  const samples = many.includes(kind) ? (asked.n ?? 1) : 1;
  const told = Array.from({ length: samples }, (_, index) => tell(asked, index));
  const choices = told.map((one, index) => choice(kind, index, one));
  const reasoningTokens = told.filter(({ reasoning }) => reasoning !== undefined).length * 2;
  const written = told.reduce((sum, one) => sum + (typeof tokens === 'number' ? tokens : tokens(one)), 0);
  const usage = { prompt_tokens: 10, completion_tokens: written, total_tokens: 10 + written };
  const common = { id: 'chatcmpl-1', object: 'chat.completion', created: 1_790_000_000, model: asked.model, choices };
  switch (kind) {
    case 'vllm':
      return {
        ...common,
        service_tier: null,
        usage: { ...usage, prompt_tokens_details: null },
        prompt_logprobs: null,
        kv_transfer_params: null,
      };
    case 'sglang':
      return {
        ...common,
        usage: { ...usage, prompt_tokens_details: null, reasoning_tokens: reasoningTokens },
        metadata: { weight_version: 'default' },
      };
    case 'llamacpp':
      return { ...common, system_fingerprint: 'b8681-scripted', usage, timings: { prompt_n: 10, predicted_n: written } };
    case 'ollama':
      return { ...common, system_fingerprint: 'fp_ollama', usage };
    case 'openai':
      return {
        ...common,
        service_tier: 'default',
        usage: { ...usage, completion_tokens_details: { reasoning_tokens: reasoningTokens, audio_tokens: 0 } },
      };
    case 'other':
      return common;
  }
}

function choice(kind: ServerKind, index: number, { content, reasoning, finish = 'stop', top, stopReason }: Told): unknown {
  const field = kind === 'vllm' || kind === 'ollama' ? 'reasoning' : 'reasoning_content';
  const thought = reasoning === undefined ? {} : { [field]: reasoning };
  const logprobs = top === undefined ? null : { content: [{ ...top[0], bytes: null, top_logprobs: top }] };
  const message = { role: 'assistant', content: content === '' && reasoning !== undefined ? null : content, ...thought };
  switch (kind) {
    case 'vllm':
      return {
        index,
        message: { ...message, refusal: null, annotations: null, audio: null, function_call: null, tool_calls: [] },
        logprobs,
        finish_reason: finish,
        stop_reason: stopReason ?? null,
        token_ids: null,
      };
    case 'sglang':
      return { index, message: { ...message, tool_calls: null }, logprobs, finish_reason: finish, matched_stop: stopReason ?? 151_645 };
    case 'openai':
      return { index, message: { ...message, refusal: null, annotations: [] }, logprobs, finish_reason: finish };
    case 'llamacpp':
      return { finish_reason: finish, index, message, ...(logprobs && { logprobs }) };
    default:
      return { index, message, finish_reason: finish, ...(logprobs && { logprobs }) };
  }
}
