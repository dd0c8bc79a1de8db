/** Requests to one server until they are answered: as many at once as it bears, repeated by kind of failure, given up cleanly. */
import { setTimeout as sleep } from 'node:timers/promises';
import { dependencyError, inputError, type DeliberateError } from '../../base/errors.js';
import type { AdaptiveLimit, Outcome } from './adaptive-limit.js';
import type { Connection } from './connection.js';
import { RequestFailure } from './failure.js';

export interface EndpointOptions {
  connection: Pick<Connection, 'post' | 'get'>;
  limit: AdaptiveLimit;
  /** Address and model, for messages. */
  name: string;
  /** The variable that the key is from, for messages. */
  apiKeyEnv?: string;
  /** Milliseconds that a server which answers nothing is waited for. */
  patience: number;
  /** First wait before a repetition, milliseconds; it doubles up to `longestWait`. */
  firstWait?: number;
  longestWait?: number;
  random?: () => number;
  now?: () => number;
  onRetry?: (failure: RequestFailure) => void;
}

/** Tries that one request gets while the server answers others: then it is this request. */
const mostTries = 6;

export class Endpoint {
  /** Since when nothing has been answered; null while answers come. */
  private failingSince: number | null = null;
  private lastAnswer = Number.NEGATIVE_INFINITY;
  private active = 0;

  constructor(private readonly options: EndpointOptions) {}

  /**
   * Sends until there is an answer that `read` accepts.
   * @param read takes the answer apart, and throws RequestFailure of kind reply for one that is no completion
   * @throws RequestFailure of kind refused; dependency error when the server stays dead or this one request keeps failing;
   * the signal's reason when aborted
   */
  post<T>(path: string, body: unknown, read: (value: unknown) => T, signal?: AbortSignal): Promise<T> {
    return this.counted(() => this.persist((connection) => connection.post(path, body, signal), read, signal));
  }

  get(path: string, signal?: AbortSignal): Promise<unknown> {
    const read = (value: unknown) => value;
    return this.counted(() => this.persist((connection) => connection.get(path, signal), read, signal));
  }

  private async counted<T>(work: () => Promise<T>): Promise<T> {
    this.active++;
    try {
      return await work();
    } finally {
      this.active--;
    }
  }

  private async persist<T>(
    send: (connection: EndpointOptions['connection']) => Promise<unknown>,
    read: (value: unknown) => T,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { limit, connection, now = Date.now } = this.options;
    let firstFailure: number | null = null;
    for (let tries = 1; ; tries++) {
      const permit = await limit.acquire({ again: tries > 1, ...(signal && { signal }) });
      let outcome: Outcome = { kind: 'failed' };
      let failure: RequestFailure;
      try {
        const value = read(await send(connection));
        outcome = { kind: 'ok' };
        this.failingSince = null;
        this.lastAnswer = now();
        return value;
      } catch (error) {
        if (!(error instanceof RequestFailure)) throw error;
        failure = error;
        outcome = outcomeOf(failure);
      } finally {
        limit.release(permit, outcome);
      }
      if (failure.kind === 'refused') {
        this.failingSince = null;
        throw failure;
      }
      // Silence before this request was asked is not the server's.
      if (firstFailure === null && this.active === 1) this.failingSince = null;
      firstFailure ??= now();
      this.failingSince ??= now();
      this.options.onRetry?.(failure);
      const wait = this.waitAfter(failure, tries);
      this.giveUpIfHopeless(failure, tries, firstFailure, wait);
      await sleep(wait, undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
    }
  }

  private waitAfter({ details }: RequestFailure, tries: number): number {
    const { firstWait = 500, longestWait = 30_000, random = Math.random } = this.options;
    const backoff = Math.min(longestWait, firstWait * 2 ** Math.min(20, tries - 1)) * (0.5 + random());
    // A little apart, or all come back in the same instant.
    return details.retryAfter === undefined ? backoff : details.retryAfter + random() * firstWait;
  }

  private giveUpIfHopeless(failure: RequestFailure, tries: number, firstFailure: number, wait: number): void {
    const { patience, name, now = Date.now } = this.options;
    const seconds = (milliseconds: number) => `${Math.round(milliseconds / 1000)} s`;
    if (wait > patience)
      throw dependencyError(
        `${name}: the server asks to wait ${seconds(wait)}, more than patienceSeconds allows. Run the same command again later: what was made is kept.`,
        failure,
      );
    const silent = now() - (this.failingSince ?? now());
    if (silent + wait > patience)
      throw dependencyError(
        `${name}: the server ${failure.message}; nothing has been answered for ${seconds(silent)}. See whether it runs, then run the same command again: what was made is kept.`,
        failure,
      );
    if (failure.kind !== 'overload' && tries >= mostTries && this.lastAnswer >= firstFailure)
      throw dependencyError(
        `${name}: the server ${failure.message}, ${tries} times for the same request while it answers others. Look into its log, then run the same command again: what was made is kept.`,
        failure,
      );
  }

  /** One sentence for a request that the server refused. */
  refusal(failure: RequestFailure): DeliberateError {
    const { name, apiKeyEnv } = this.options;
    const advice = adviceFor(failure.details.status, apiKeyEnv);
    return inputError(`${name}: the server ${failure.message}. ${advice}`, failure);
  }
}

function outcomeOf({ kind, details }: RequestFailure): Outcome {
  if (kind !== 'overload' && kind !== 'timeout') return { kind: 'failed' };
  return { kind: 'overload', ...(details.retryAfter !== undefined && { retryAfter: details.retryAfter }) };
}

function adviceFor(status: number | undefined, apiKeyEnv: string | undefined): string {
  if (status === 401 || status === 403)
    return apiKeyEnv === undefined
      ? 'It wants a key: put it into an environment variable and name that in apiKeyEnv.'
      : `Check the key in the variable ${apiKeyEnv}.`;
  if (status === 404) return 'Check baseUrl and the name of the model there.';
  if (status === 429 || status === 402) return 'Look after the account, then run the same command again.';
  return 'Where a field is named that the model does not take, leave it out with body: {field: null}; where the text is too long, lower maxTokens or specTokens.';
}
