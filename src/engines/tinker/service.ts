/** A Tinker-compatible service over HTTP: sessions, calls that are awaited by polling, repetition by kind of failure. */
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { z } from 'zod';
import { dependencyError, inputError } from '../../base/errors.js';
import { Connection } from '../openai/connection.js';
import { RequestFailure } from '../openai/failure.js';
import { Capabilities, CreatedSession, SampleResult, Taken, type SampleBody, type Weights } from './protocol.js';

/** The service has not the model that we think it has, or it is not known what became of a call that changes it. */
export class StateLost extends Error {
  override readonly name = 'StateLost';
}

export interface ServiceOptions {
  /** With or without /api/v1. */
  baseUrl: string;
  apiKey?: string | undefined;
  /** The variable that the key is from, for messages. */
  apiKeyEnv?: string | undefined;
  /** Milliseconds that one call may be under way. */
  timeout?: number;
  /** Milliseconds that a service which answers nothing is waited for. */
  patience?: number;
  /** Samples asked for at once. */
  maxConcurrency?: number;
  signal?: AbortSignal | undefined;
  /** First wait before a repetition, milliseconds; it doubles up to `longestWait`. */
  firstWait?: number;
  longestWait?: number;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Whether doing it twice does no harm. Else a call whose fate is unknown ends in StateLost. */
  repeatable?: boolean;
}

/** SkyRL tx answers 408 after 300 s. */
const pollTimeout = 330_000;
const heartbeatEvery = 10_000;
/** Tries that one call gets while the service answers others: then it is this call. */
const mostTries = 6;
const sdkVersion = 'deliberate';
const modelGone = /not loaded|(model|session|future)\b.{0,80}\b(not found|unknown|does not exist|expired|unloaded)/i;
/** Failures before a connection stood: the service has not seen the call. */
const unsent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

export class TinkerService {
  readonly name: string;
  private readonly connection: Connection;
  private readonly limit: ReturnType<typeof pLimit>;
  private failingSince: number | null = null;
  /** Calls answered until now. */
  private answers = 0;
  private session: Promise<string> | null = null;
  private heartbeat: NodeJS.Timeout | null = null;

  constructor(private readonly options: ServiceOptions) {
    const address = options.baseUrl.replace(/\/+$/, '').replace(/\/api\/v1$/, '');
    this.name = address;
    const { maxConcurrency = 64 } = options;
    this.limit = pLimit(maxConcurrency);
    this.connection = new Connection({
      address: `${address}/api/v1`,
      apiKey: options.apiKey,
      keyHeader: 'x-api-key',
      timeout: pollTimeout,
      // Besides samples: training, its polling, heartbeats.
      maxConnections: maxConcurrency + 16,
    });
  }

  /** Sends until it is answered. @throws StateLost; input error when refused; dependency error when the service stays silent */
  async post<T>(path: string, body: object, read: z.ZodType<T>, options: CallOptions = {}): Promise<T> {
    return this.persist((signal) => this.connection.post(`/${path}`, body, signal), path, read, options);
  }

  get<T>(path: string, read: z.ZodType<T>, options: CallOptions = {}): Promise<T> {
    return this.persist((signal) => this.connection.get(`/${path}`, signal), path, read, options);
  }

  /** Sends a heavy call. @returns once the service has taken it, with the result to come: calls are done in the order they are taken in */
  async submit<T>(path: string, body: object, read: z.ZodType<T>, options: CallOptions = {}): Promise<{ result: Promise<T> }> {
    const { request_id } = await this.post(path, body, Taken, options);
    return { result: settled(this.future(request_id, path, read, options)) };
  }

  /** Polls for the result of a call. @throws StateLost; dependency error when the call failed there, or is not done in time */
  async future<T>(requestId: string, what: string, read: z.ZodType<T>, { signal }: CallOptions = {}): Promise<T> {
    const { timeout = 3_600_000 } = this.options;
    const deadline = Date.now() + timeout;
    const before = this.answers;
    for (let failures = 0; ;) {
      if (Date.now() > deadline)
        throw dependencyError(
          `${this.name}: ${what} is not done after ${Math.round(timeout / 1000)} s. See whether the service still works on it, or raise engine.timeoutSeconds; then run the same command again: what was made is kept.`,
        );
      try {
        const value = await this.connection.post('/retrieve_future', { request_id: requestId }, this.signal(signal));
        this.answered();
        if (!isTryAgain(value)) return this.read(value, what, read);
        await this.wait(this.options.firstWait ?? 500, signal);
      } catch (error) {
        if (!(error instanceof RequestFailure)) throw error;
        const { status } = error.details;
        if (status === 408 || error.kind === 'timeout') this.failingSince = null;
        else if (status === 404) throw new StateLost(`the service has forgotten the call ${what} (404)`, { cause: error });
        // 500 is both a service in trouble and a call that failed there.
        else if (error.kind === 'refused' || (status === 500 && failures >= 2)) throw this.failed(what, error);
        else await this.backOff(error, { tries: ++failures, before }, signal);
      }
    }
  }

  /** Samples; requests beyond the limit wait here. */
  sample(weights: Weights, body: SampleBody, options: CallOptions = {}): Promise<SampleResult> {
    return this.limit(async () => {
      const { result } = await this.submit('asample', { ...body, ...weights }, SampleResult, options);
      const sampled = await result;
      if (sampled.sequences.length !== body.num_samples)
        throw dependencyError(`${this.name}: ${sampled.sequences.length} samples came for ${body.num_samples}.`);
      return sampled;
    });
  }

  /** Sends once and waits for no result, whatever becomes of it. */
  async tell(path: string, body: object): Promise<void> {
    await this.connection.post(`/${path}`, body, AbortSignal.timeout(10_000)).catch(() => undefined);
  }

  /** For calls that need no model of ours: done again where the service has forgotten them. */
  async again<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof StateLost)) throw error;
        if (tries === mostTries)
          throw dependencyError(
            `${this.name}: ${error.message}, ${tries} times in a row. Look into its log, then run the same command again.`,
            error,
          );
      }
    }
  }

  /** A file of the service. */
  file(path: string): Promise<Buffer> {
    return this.persist((signal) => this.connection.bytes(`/${path}`, signal), path, null, {});
  }

  /** The session that models belong to, kept alive by heartbeats. */
  openSession(): Promise<string> {
    this.session ??= this.startSession().catch((error: unknown) => {
      this.session = null;
      throw error;
    });
    return this.session;
  }

  /** For a session that the service has forgotten: the next model gets another. */
  dropSession(): void {
    if (this.heartbeat !== null) clearInterval(this.heartbeat);
    this.heartbeat = null;
    this.session = null;
  }

  /** The one model that the service has, by its name there. @throws input error when it has several */
  async servedModel(): Promise<string> {
    const { supported_models } = await this.get('get_server_capabilities', Capabilities);
    const names = supported_models.flatMap(({ model_name }) => (model_name ? [model_name] : []));
    const [only] = names;
    if (only !== undefined && names.length === 1) return only;
    throw inputError(
      `${this.name}: the service has ${names.length === 0 ? 'no model that it names' : names.slice(0, 12).join(', ')}. Set engine.servedModel to the one that is to be trained.`,
    );
  }

  async close(): Promise<void> {
    this.dropSession();
    await this.connection.close();
  }

  private async startSession(): Promise<string> {
    const body = { tags: [], sdk_version: sdkVersion, type: 'create_session' };
    const { session_id } = await this.post('create_session', body, CreatedSession);
    this.heartbeat = setInterval(() => {
      // What is wrong shows in the next call.
      void this.tell('session_heartbeat', { session_id, type: 'session_heartbeat' });
    }, heartbeatEvery);
    this.heartbeat.unref();
    return session_id;
  }

  private async persist<T>(
    send: (signal: AbortSignal | undefined) => Promise<unknown>,
    what: string,
    read: z.ZodType<T> | null,
    { signal, repeatable = true }: CallOptions,
  ): Promise<T> {
    const before = this.answers;
    for (let tries = 1; ; tries++) {
      try {
        const value = await send(this.signal(signal));
        this.answered();
        return read === null ? (value as T) : this.read(value, what, read);
      } catch (error) {
        if (!(error instanceof RequestFailure)) throw error;
        if (error.kind === 'refused') throw this.failed(what, error);
        if (!repeatable && error.kind !== 'overload' && !unsent.has(codeOf(error)))
          throw new StateLost(`the service ${error.message}, and whether ${what} was done is not known`, { cause: error });
        await this.backOff(error, { tries, before }, signal);
      }
    }
  }

  private read<T>(value: unknown, what: string, read: z.ZodType<T>): T {
    const parsed = read.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw dependencyError(
      `${this.name}: the answer to ${what} is not what Tinker's protocol says (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}). Is engine.baseUrl the address of such a service?`,
    );
  }

  private failed(what: string, failure: RequestFailure): Error {
    const { status } = failure.details;
    if (modelGone.test(failure.message)) return new StateLost(`the service ${failure.message}`, { cause: failure });
    if (status === 401 || status === 403) {
      const { apiKeyEnv } = this.options;
      return inputError(
        `${this.name}: the service ${failure.message}. ${apiKeyEnv === undefined ? 'It wants a key: put it into an environment variable and name that in engine.apiKeyEnv.' : `Check the key in the variable ${apiKeyEnv}.`}`,
        failure,
      );
    }
    return dependencyError(`${this.name}: ${what} failed: the service ${failure.message}. ${adviceFor(failure.message)}`, failure);
  }

  private answered(): void {
    this.failingSince = null;
    this.answers++;
  }

  /** Waits before a repetition. @param before answers when the call began @throws dependency error when there is no point in one */
  private async backOff(
    failure: RequestFailure,
    { tries, before }: { tries: number; before: number },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { patience = 300_000, firstWait = 500, longestWait = 15_000 } = this.options;
    this.failingSince ??= Date.now();
    const silent = Date.now() - this.failingSince;
    const wait = failure.details.retryAfter ?? Math.min(longestWait, firstWait * 2 ** Math.min(20, tries - 1)) * (0.5 + Math.random());
    const seconds = (milliseconds: number) => `${Math.round(milliseconds / 1000)} s`;
    if (silent + wait > patience)
      throw dependencyError(
        `${this.name}: the service ${failure.message}; nothing has been answered for ${seconds(silent)}. See whether it runs, then run the same command again: what was made is kept.`,
        failure,
      );
    if ((failure.kind === 'server' || failure.kind === 'reply') && tries >= mostTries && this.answers > before)
      throw dependencyError(
        `${this.name}: the service ${failure.message}, ${tries} times for the same call while it answers others. Look into its log, then run the same command again: what was made is kept.`,
        failure,
      );
    await this.wait(wait, signal);
  }

  private async wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    const ours = this.signal(signal);
    await sleep(milliseconds, undefined, ours && { signal: ours }).catch(() => ours?.throwIfAborted());
  }

  private readonly signal = (signal: AbortSignal | undefined): AbortSignal | undefined => signal ?? this.options.signal;
}

/** A promise whose failure may be looked at later. */
function settled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Tinker's way to say that a result is not there yet, besides 408. */
const isTryAgain = (value: unknown): boolean => (value as { type?: unknown } | null)?.type === 'try_again';

function codeOf({ details }: RequestFailure): string {
  const { code, cause } = (details.cause ?? {}) as { code?: string; cause?: { code?: string } };
  return code ?? cause?.code ?? '';
}

function adviceFor(message: string): string {
  if (/Maximum number of LoRA/i.test(message))
    return 'Start it with room for more: SkyRL tx takes --backend-config \'{"max_lora_adapters": 8, …}\'; this program needs 6 (the base has one, the policy one, evaluated adapters up to four).';
  if (/rank/i.test(message)) return 'Set engine.rank to what the service allows (SkyRL tx: max_lora_rank).';
  if (/Engine is configured for|base model/i.test(message)) return 'Set engine.servedModel to the name that the service knows.';
  return 'Look into its log, then run the same command again: what was made is kept.';
}
