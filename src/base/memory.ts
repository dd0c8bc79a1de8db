/** Memory that the machine does not have: one sentence in place of the RangeError that the runtime throws wherever it happens to be. */
import os from 'node:os';
import { DeliberateError, dependencyError } from './errors.js';

/** What V8 and C++ say of it. A negative length is a bug and no want of memory. */
const signs = /array buffer allocation failed|invalid typed array length: \d|invalid array buffer length|bad_alloc|bad allocation/i;

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;

/** What this process may still take, the limit of its container included where this Node can tell. */
const freeBytes = (): number => (process as { availableMemory?: () => number }).availableMemory?.() ?? os.freemem();

/**
 * The sentence for an error that means want of memory; null for any other.
 * @param asked how much was asked for and what it was for, where that is known
 */
export function memoryError(error: unknown, asked?: { bytes: number; what: string }): DeliberateError | null {
  if (!(error instanceof Error) || error instanceof DeliberateError || !signs.test(error.message)) return null;
  const wanted = asked === undefined ? error.message : `${asked.what} needs ${gigabytes(asked.bytes)}`;
  return dependencyError(
    `there is not enough memory: ${wanted}, and ${gigabytes(freeBytes())} of this machine's ${gigabytes(os.totalmem())} are free. End other programs, set engine.memoryGb lower, or choose a smaller model; what was written before is kept.`,
    error,
  );
}

/** Runs what needs that many bytes. @throws dependency error when they are not to be had */
export async function needingMemory<T>(bytes: number, what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw memoryError(error, { bytes, what }) ?? error;
  }
}
