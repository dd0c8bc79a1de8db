/** JSON over HTTP to one server: a pool of connections, a deadline a request, proxies as the usual variables say. */
import { request, type Dispatcher } from 'undici';
import { httpAgent } from '../../base/http-agent.js';
import { redact } from '../../base/redact.js';
import { failureInside, failureOfStatus, RequestFailure } from './failure.js';

export interface ConnectionOptions {
  /** Address of the API, `/v1` included. */
  address: string;
  apiKey: string | undefined;
  /** Where the key goes; default: `authorization: Bearer KEY`. */
  keyHeader?: 'authorization' | 'x-api-key';
  /** Milliseconds. */
  timeout: number;
  maxConnections: number;
}

/** An answer beyond this is no completion; a file beyond the other no adapter. */
const maxBytes = 64 * 1024 * 1024;
const maxFileBytes = 2 ** 32;
const mostRedirects = 5;

export class Connection {
  private readonly dispatcher: Dispatcher;

  constructor(private readonly options: ConnectionOptions) {
    // The deadline is ours: long completions arrive whole, so headers may take as long as the text.
    this.dispatcher = httpAgent({
      connections: options.maxConnections,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: 20_000 },
    });
  }

  /** @throws RequestFailure; the signal's reason when it is aborted */
  post(path: string, body: unknown, signal?: AbortSignal): Promise<unknown> {
    return this.send('POST', path, JSON.stringify(body), signal);
  }

  get(path: string, signal?: AbortSignal): Promise<unknown> {
    return this.send('GET', path, null, signal);
  }

  close(): Promise<void> {
    return this.dispatcher.destroy();
  }

  /** A file, wherever the server sends on to; the key is shown to this server alone. @throws as `post` */
  bytes(path: string, signal?: AbortSignal): Promise<Buffer> {
    const { address, apiKey } = this.options;
    return this.withinDeadline(signal, async (ours) => {
      let url = new URL(`${address}${path}`);
      const { origin } = url;
      for (let hops = 0; hops <= mostRedirects; hops++) {
        const headers = url.origin === origin ? this.keyHeaders() : {};
        const response = await request(url, { dispatcher: this.dispatcher, method: 'GET', headers, signal: ours });
        const { location } = response.headers;
        if (response.statusCode < 300 || response.statusCode >= 400 || typeof location !== 'string') {
          if (response.statusCode >= 200 && response.statusCode < 300) return readAll(response.body, maxFileBytes);
          const text = redact(await readText(response.body), apiKey);
          throw failureOfStatus(response.statusCode, response.headers, text) ?? new RequestFailure('reply', 'sent no file');
        }
        await response.body.dump();
        url = new URL(location, url);
        if (!/^https?:$/.test(url.protocol)) break;
      }
      throw new RequestFailure('reply', 'sends the download elsewhere and elsewhere again');
    });
  }

  private keyHeaders(): Record<string, string> {
    const { apiKey, keyHeader = 'authorization' } = this.options;
    if (apiKey === undefined) return {};
    return keyHeader === 'x-api-key' ? { 'x-api-key': apiKey } : { authorization: `Bearer ${apiKey}` };
  }

  private send(method: 'GET' | 'POST', path: string, body: string | null, signal: AbortSignal | undefined): Promise<unknown> {
    const { address, apiKey } = this.options;
    return this.withinDeadline(signal, async (ours) => {
      const response = await request(`${address}${path}`, {
        dispatcher: this.dispatcher,
        method,
        headers: { accept: 'application/json', ...(body !== null && { 'content-type': 'application/json' }), ...this.keyHeaders() },
        body,
        signal: ours,
      });
      const text = await readText(response.body);
      const failure = failureOfStatus(response.statusCode, response.headers, redact(text, apiKey));
      if (failure !== null) throw failure;
      return parse(text, apiKey);
    });
  }

  private async withinDeadline<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const { timeout } = this.options;
    // Not AbortSignal.any: what it makes stays registered with a long-lived signal, one for each of a hundred thousand requests.
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, timeout);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await work(controller.signal);
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      if (error instanceof RequestFailure) throw error;
      if (controller.signal.aborted)
        throw new RequestFailure('timeout', `did not answer within ${Math.round(timeout / 1000)} s`, { cause: error });
      throw new RequestFailure('network', `cannot be reached or broke off (${codeOf(error)})`, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

const readText = async (body: AsyncIterable<Buffer>): Promise<string> => (await readAll(body, maxBytes)).toString('utf8');

async function readAll(body: AsyncIterable<Buffer>, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > most) throw new RequestFailure('reply', `sent more than ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(text: string, apiKey: string | undefined): unknown {
  if (text.trim() === '') throw new RequestFailure('reply', 'sent an empty answer');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RequestFailure('reply', 'sent an answer that is not whole JSON', { cause: error });
  }
  const failure = failureInside(value);
  if (failure !== null) throw new RequestFailure(failure.kind, redact(failure.message, apiKey), failure.details);
  return value;
}

function codeOf(error: unknown): string {
  const { code, cause, message } = error as { code?: unknown; cause?: { code?: unknown }; message?: unknown };
  return String(code ?? cause?.code ?? message ?? error);
}
