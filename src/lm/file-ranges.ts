/** Reading byte ranges of large files without taking the whole file into memory. */
import { type FileHandle, open } from 'node:fs/promises';
import { dependencyError, inputError } from '../base/errors.js';
import { needingMemory } from '../base/memory.js';

/** One read call moves at most this much; the kernel's own limit is near 2 GiB. */
const chunkBytes = 1 << 28;

export class FileRanges {
  private constructor(
    readonly path: string,
    readonly size: number,
    private readonly handle: FileHandle,
  ) {}

  /** @throws input error when the file is missing, unreadable, or not a plain file */
  static async open(path: string): Promise<FileRanges> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (cause) {
      throw inputError(`cannot open ${path}: ${(cause as Error).message}`, cause);
    }
    const stat = await handle.stat();
    if (!stat.isFile()) {
      await handle.close();
      throw inputError(`${path} is not a file.`);
    }
    return new FileRanges(path, stat.size, handle);
  }

  /** Bytes [start, start + length) in an ArrayBuffer of their own. @throws input error for a file that is cut off; dependency error without memory */
  async read(start: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (start + length > this.size)
      throw inputError(`${this.path} ends at byte ${this.size}, before byte ${start + length}. It is cut off.`);
    const bytes = await needingMemory(length, `reading ${this.path}`, () => new Uint8Array(length));
    for (let done = 0; done < length;) {
      const { bytesRead } = await this.handle.read(bytes, done, Math.min(chunkBytes, length - done), start + done);
      if (bytesRead === 0) throw dependencyError(`${this.path} became shorter while it was being read.`);
      done += bytesRead;
    }
    return bytes;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}
