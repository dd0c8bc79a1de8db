/** Files of one JSON record a line: appended to, never changed, and whole again after a crash. */
import { isUtf8 } from 'node:buffer';
import { open, readFile, truncate, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { writeTextAtomically } from './atomic-text.js';
import { diskError } from './disk-error.js';
import { inputError, internalError } from './errors.js';
import { makeFolder } from './make-folder.js';

/**
 * Records of a file; none when it is missing. A last line without its line feed, or filled with NULs by a crash, does not count.
 * Only a line feed ends a line: U+2028 and the like may stand inside strings.
 * @throws input error naming file and line for any other line that is not such a record.
 */
export async function readJsonl<T>(file: string, schema: z.ZodType<T>): Promise<T[]> {
  return (await readWhole(file, schema)).records;
}

async function readWhole<T>(file: string, schema: z.ZodType<T>): Promise<{ records: T[]; wholeBytes: number; bytes: number }> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw diskError(file, error);
  });
  let end = bytes.lastIndexOf(0x0a) + 1;
  // A crash may leave a block of NULs, followed or not by a line feed: everything from the last line that holds one is lost space.
  while (end > 0) {
    // A negative offset would count from the end.
    const start = end < 2 ? 0 : bytes.lastIndexOf(0x0a, end - 2) + 1;
    if (!bytes.subarray(start, end).includes(0)) break;
    end = start;
  }
  const records: T[] = [];
  let start = 0;
  for (let line = 1; start < end; line++) {
    const stop = bytes.indexOf(0x0a, start);
    // Lines are written as UTF-8; a damaged byte would else come back as another character, unnoticed.
    if (!isUtf8(bytes.subarray(start, stop)))
      throw inputError(`${file}:${line}: is not UTF-8; the file is damaged there. Remove the line; what it held is made again.`);
    const text = bytes.toString('utf8', start, stop);
    start = stop + 1;
    if (text.trim() === '') continue;
    records.push(parseRecord(`${file}:${line}`, text, schema));
  }
  return { records, wholeBytes: end, bytes: bytes.length };
}

function parseRecord<T>(at: string, text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw inputError(`${at}: is not JSON. Remove the line; what it held is made again.`, error);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw inputError(
    `${at}: is not a record of this version (${issue?.path.join('.') || 'record'}: ${issue?.message}). Remove the line; what it held is made again.`,
    parsed.error,
  );
}

/** A record as one line. NaN and infinities have no JSON, and would come back as null: they are refused. */
function toLine(record: unknown): string {
  const json = JSON.stringify(record, (key, value: unknown) => {
    if (typeof value === 'number' && !Number.isFinite(value)) throw internalError(`a record's field ${key} is ${value}`);
    return value;
  });
  return `${json}\n`;
}

/** An open file that records are appended to. */
export class JsonlLog<T> {
  private pending: { text: string; resolve: () => void; reject: (error: unknown) => void }[] = [];
  private flushing: Promise<void> | null = null;

  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
    private size: number,
    /** What the file held when it was opened. */
    readonly records: readonly T[],
  ) {}

  /** Opens or creates the file and cuts off a torn end. @throws as `readJsonl`, and dependency error when the disk refuses. */
  static async open<T>(file: string, schema: z.ZodType<T>): Promise<JsonlLog<T>> {
    const { records, wholeBytes, bytes } = await readWhole(file, schema);
    try {
      await makeFolder(path.dirname(file));
      if (wholeBytes < bytes) await truncate(file, wholeBytes);
      return new JsonlLog(file, await open(file, 'a'), wholeBytes, records);
    } catch (error) {
      throw diskError(file, error);
    }
  }

  /** Resolves once the records are on the disk. Appends that come in meanwhile share one write and one fsync. */
  append(...records: T[]): Promise<void> {
    const text = records.map(toLine).join('');
    return new Promise((resolve, reject) => {
      this.pending.push({ text, resolve, reject });
      this.flushing ??= this.flush();
    });
  }

  private async flush(): Promise<void> {
    // The first append waits for the others of this turn of the event loop.
    await Promise.resolve();
    while (this.pending.length > 0) {
      const batch = this.pending;
      this.pending = [];
      const bytes = Buffer.from(batch.map(({ text }) => text).join(''));
      try {
        await this.handle.appendFile(bytes);
        await this.handle.datasync();
        this.size += bytes.length;
        for (const { resolve } of batch) resolve();
      } catch (error) {
        // A full disk may have taken half a line.
        await this.handle.truncate(this.size).catch(() => undefined);
        for (const { reject } of batch) reject(diskError(this.file, error));
      }
    }
    // In the same turn as the last look at `pending`: an append in between would wait for ever.
    this.flushing = null;
  }

  async close(): Promise<void> {
    while (this.flushing !== null) await this.flushing;
    await this.handle.close();
  }
}

/** Replaces the whole file in one step. */
export async function writeJsonl(file: string, records: readonly unknown[]): Promise<void> {
  await writeTextAtomically(file, records.map(toLine).join(''));
}
