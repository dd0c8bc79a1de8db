/** What programs share that kill themselves at a certain operation on the disk. */
import { DeliberateError, exitCodes } from '../src/base/errors.js';
import { watchDisk } from './watched-disk.js';

/**
 * Counts the operations on the disk; at the one that is chosen the process ends as by a power cut, half of it done. Modules take the
 * watched functions when they are loaded: what works on the disk is imported after this.
 * @returns the operations so far
 */
export async function dieAt(isChosen: (operation: number) => boolean): Promise<() => number> {
  let operations = 0;
  await watchDisk((half) => {
    if (!isChosen(++operations)) return;
    half();
    process.kill(process.pid, 'SIGKILL');
  });
  return () => operations;
}

/** Says what went wrong; exit codes are those of the command line. */
export function endBadly(error: unknown): void {
  const known = error instanceof DeliberateError;
  console.error(known ? error.message : (error as Error).stack);
  process.exitCode = exitCodes[known ? error.kind : 'internal'];
}
