/** Errors as OpenAI's API words them: `{"error": {message, type, param, code}}`, which its clients turn into exceptions. */
import type { z } from 'zod';
import { DeliberateError } from '../base/errors.js';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly status: number,
    readonly type: 'invalid_request_error' | 'authentication_error' | 'permission_error' | 'rate_limit_error' | 'server_error',
    message: string,
    /** The field at fault. */
    readonly param: string | null = null,
    readonly code: string | null = null,
  ) {
    super(message);
  }

  get body(): { error: { message: string; type: string; param: string | null; code: string | null } } {
    const { message, type, param, code } = this;
    return { error: { message, type, param, code } };
  }
}

export const badRequest = (message: string, param: string | null = null, code: string | null = null) =>
  new ApiError(400, 'invalid_request_error', message, param, code);

/** The server ends: its clients may ask again, of another one. */
export const draining = () => new ApiError(503, 'server_error', 'the server is shutting down; ask again later.', null, 'shutting_down');

/** The first thing that is wrong with a request. @param what names it in the message */
export function requestError(error: z.ZodError, what: string): ApiError {
  const [issue] = error.issues;
  const param = (issue?.path ?? []).reduce<string>(
    (path, key) => (typeof key === 'number' ? `${path}[${key}]` : path === '' ? String(key) : `${path}.${String(key)}`),
    '',
  );
  return badRequest(`${param === '' ? what : param}: ${issue?.message ?? 'not understood'}.`, param === '' ? null : param);
}

/** Any failure as an error to answer with. What is our own bug is not told to the caller: it is for the log. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DeliberateError) {
    if (error.kind === 'input') return badRequest(error.message);
    if (error.kind === 'dependency') return new ApiError(503, 'server_error', error.message);
  }
  // Fastify's own: a body that is too large, of another type, or no JSON.
  const { statusCode, message } = (error ?? {}) as { statusCode?: unknown; message?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return new ApiError(statusCode, 'invalid_request_error', String(message));
  return new ApiError(500, 'server_error', 'the server has failed; its log says why.');
}
