/** Whose mistake an error is; decides the exit code of the command line. */
export type ErrorKind = 'failed' | 'input' | 'dependency' | 'internal';

export const exitCodes: Record<ErrorKind, number> = { failed: 1, input: 2, dependency: 3, internal: 70 };

/** An error whose message says what happened, where, and what to do next. */
export class DeliberateError extends Error {
  override readonly name = 'DeliberateError';
  constructor(
    readonly kind: ErrorKind,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** A test that was asked for did not pass: nobody's mistake, but what calls us must see it. */
export const failedTest = (message: string) => new DeliberateError('failed', message);

/** The user gave something we cannot use: a file, a flag, a setting. */
export const inputError = (message: string, cause?: unknown) => new DeliberateError('input', message, { cause });

/** Something we depend on failed: a server, a download, the disk, the memory. */
export const dependencyError = (message: string, cause?: unknown) => new DeliberateError('dependency', message, { cause });

/** Our own bug. */
export const internalError = (message: string, cause?: unknown) => new DeliberateError('internal', `internal: ${message}`, { cause });
