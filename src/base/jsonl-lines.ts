/** The lines of a file that is too large to be in memory, with where each lies. */
import { createReadStream } from 'node:fs';
import { diskError } from './disk-error.js';

export interface Line {
  /** From 1. */
  number: number;
  /** First byte in the file. */
  at: number;
  /** Without the line feed. */
  bytes: Buffer;
}

/** Lines that end on a line feed; none where the file is missing. @throws dependency error when the disk refuses */
export async function* jsonlLines(file: string): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0);
  let [at, number] = [0, 0];
  try {
    for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      let start = 0;
      for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
        yield { number: ++number, at: at + start, bytes: bytes.subarray(start, end) };
        start = end + 1;
      }
      at += start;
      rest = bytes.subarray(start);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw (error as NodeJS.ErrnoException).code === undefined ? error : diskError(file, error);
  }
}
