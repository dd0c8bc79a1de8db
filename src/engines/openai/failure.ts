/** What can go wrong with one request, by what is to be done about it. */

/**
 * network: no or half an answer · timeout: past its deadline · overload: 429, 503 · server: 5xx and 408 ·
 * reply: 200 with something that is no completion · refused: the request itself is at fault, and so is any repetition of it.
 */
export type FailureKind = 'network' | 'timeout' | 'overload' | 'server' | 'reply' | 'refused';

export class RequestFailure extends Error {
  override readonly name = 'RequestFailure';
  constructor(
    readonly kind: FailureKind,
    /** A clause that goes on from "the server …". */
    message: string,
    readonly details: { status?: number; /** Milliseconds the server asks to wait. */ retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
  }
}

type Headers = Record<string, string | string[] | undefined>;

/** The failure that a status stands for; null for success. `text` is the answer's body. */
export function failureOfStatus(status: number, headers: Headers, text: string): RequestFailure | null {
  if (status >= 200 && status < 300) return null;
  const { message, code } = errorOf(text);
  const said = message === '' ? '' : `: ${message}`;
  const retryAfter = retryAfterOf(headers);
  const details = { status, ...(retryAfter !== undefined && { retryAfter }) };
  // Money, not speed: waiting does not help.
  if (status === 429 && code === 'insufficient_quota')
    return new RequestFailure('refused', `says that the quota is used up${said}`, details);
  if (status === 429 || status === 503 || status === 529)
    return new RequestFailure('overload', `is overloaded (${status}${said})`, details);
  if (status === 408 || status === 409 || status === 425 || (status >= 500 && status !== 501))
    return new RequestFailure('server', `failed (${status}${said})`, details);
  return new RequestFailure('refused', `refused the request (${status}${said})`, details);
}

/** Some gateways answer 200 with an error inside. */
export function failureInside(value: unknown): RequestFailure | null {
  const error = (value as { error?: unknown } | null)?.error;
  if (error === undefined || error === null) return null;
  const code = Number((error as { code?: unknown }).code);
  const status = Number.isInteger(code) && code >= 400 && code < 600 ? code : 500;
  return failureOfStatus(status, {}, JSON.stringify(value));
}

function errorOf(text: string): { message: string; code: string } {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    // A proxy's page, for example.
  }
  const error = (value as { error?: unknown } | null)?.error ?? value;
  const fields = (error ?? {}) as { message?: unknown; detail?: unknown; code?: unknown; type?: unknown };
  const said =
    [error, fields.message, fields.detail].find((one) => typeof one === 'string') ?? (value === null ? text : JSON.stringify(error));
  return { message: oneLine(said), code: [fields.code, fields.type].includes('insufficient_quota') ? 'insufficient_quota' : '' };
}

const oneLine = (text: string): string =>
  text
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim()
    .slice(0, 300);

/** Milliseconds; from retry-after-ms, or Retry-After in seconds or as a date. */
export function retryAfterOf(headers: Headers, now = Date.now()): number | undefined {
  const milliseconds = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(milliseconds) && milliseconds >= 0) return milliseconds;
  const text = headers['retry-after'];
  if (typeof text !== 'string' || text.trim() === '') return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1000 : undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
