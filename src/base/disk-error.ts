import { DeliberateError, dependencyError } from './errors.js';

/** One sentence for a full disk, missing rights and the like; what has its sentence already keeps it. */
export function diskError(file: string, error: unknown): DeliberateError {
  if (error instanceof DeliberateError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const advice =
    code === 'ENOSPC'
      ? 'The disk is full: make room, then run the same command again.'
      : "Check the folder's rights and the free space, then run the same command again.";
  return dependencyError(`${file}: cannot be read or written (${code}). ${advice} Nothing that was written before is lost.`, error);
}
