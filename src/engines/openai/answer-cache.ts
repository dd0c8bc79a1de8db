/**
 * Answers by the hash of their request, in one file of JSON lines that is only appended to. What a stage lost by a kill before it
 * wrote its record need not be paid for again. Only an index is in memory; a torn or foreign line is a miss, never an error.
 */
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { diskError } from '../../base/disk-error.js';
import { makeFolder } from '../../base/make-folder.js';
import { canonicalJson } from '../../base/records.js';

/** Change it when what is kept of an answer changes. */
const version = 1;

/** Hash of a request: the server's address and the whole body. */
export const answerKey = (address: string, body: unknown): string =>
  createHash('sha256')
    .update(canonicalJson([version, address, body]))
    .digest('hex')
    .slice(0, 32);

const lineStart = /^\{"key":"([0-9a-f]{32})"/;

interface Place {
  at: number;
  length: number;
}

export class AnswerCache {
  private readonly places = new Map<string, Place>();
  private handle: FileHandle | null = null;
  private opening: Promise<FileHandle> | null = null;
  private size = 0;
  private writing: Promise<unknown> = Promise.resolve();

  /** Opened with the first request, so that a folder which is locked or refused is not touched. */
  constructor(private readonly file: string) {}

  /** The answer; undefined where there is none. @throws dependency error when the disk refuses */
  async get(key: string): Promise<unknown> {
    const handle = await this.ready();
    const place = this.places.get(key);
    if (place === undefined) return undefined;
    const { buffer } = await handle.read(Buffer.alloc(place.length), 0, place.length, place.at);
    try {
      const line = JSON.parse(buffer.toString('utf8')) as { key?: unknown; value?: unknown };
      return line.key === key ? line.value : undefined;
    } catch {
      return undefined;
    }
  }

  /** Resolves when it is written. @throws dependency error when the disk refuses */
  async set(key: string, value: unknown): Promise<void> {
    const handle = await this.ready();
    const line = Buffer.from(`${JSON.stringify({ key, value })}\n`);
    const write = async () => {
      try {
        await handle.appendFile(line);
      } catch (error) {
        // A full disk may have taken half a line.
        await handle.truncate(this.size).catch(() => undefined);
        throw diskError(this.file, error);
      }
      this.places.set(key, { at: this.size, length: line.length - 1 });
      this.size += line.length;
    };
    const written = this.writing.then(write);
    this.writing = written.catch(() => undefined);
    return written;
  }

  async close(): Promise<void> {
    await this.writing;
    await this.handle?.close();
    this.handle = null;
  }

  private ready(): Promise<FileHandle> {
    this.opening ??= this.open();
    return this.opening;
  }

  private async open(): Promise<FileHandle> {
    try {
      await makeFolder(path.dirname(this.file));
      this.handle = await open(this.file, 'a+');
      await this.index();
      const { size } = await this.handle.stat();
      // A torn end gets its line feed, so that the next line stands alone.
      if (size > this.size) await this.handle.appendFile('\n');
      this.size = (await this.handle.stat()).size;
      return this.handle;
    } catch (error) {
      throw diskError(this.file, error);
    }
  }

  /** Reads the file once, a piece at a time, and notes where each whole line begins. */
  private async index(): Promise<void> {
    let rest = Buffer.alloc(0);
    for await (const piece of createReadStream(this.file) as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      let start = 0;
      for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
        const key = lineStart.exec(bytes.toString('latin1', start, Math.min(end, start + 64)))?.[1];
        if (key !== undefined) this.places.set(key, { at: this.size, length: end - start });
        this.size += end + 1 - start;
        start = end + 1;
      }
      rest = Buffer.from(bytes.subarray(start));
    }
  }
}
