/** Files and folders that appear whole or not at all: temporary name, fsync, rename. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { dependencyError } from '../base/errors.js';
import { makeFolder } from '../base/make-folder.js';

const temporaryName = (target: string) =>
  path.join(path.dirname(target), `.${path.basename(target)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);

/** Makes renames in a folder survive a power cut; Windows cannot open folders and needs no such thing. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @throws dependency error (full disk, no permission); then the target is as it was */
export async function writeFileAtomically(target: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = temporaryName(target);
  try {
    const handle = await open(temporary, 'wx');
    try {
      for await (const chunk of chunks) {
        for (let done = 0; done < chunk.length;)
          done += (await handle.write(chunk, done, Math.min(chunk.length - done, 1 << 28))).bytesWritten;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
    await syncFolder(path.dirname(target));
  } catch (cause) {
    await rm(temporary, { force: true });
    throw dependencyError(`cannot write ${target}: ${(cause as Error).message}`, cause);
  }
}

const previousName = (folder: string) => path.join(path.dirname(folder), `.${path.basename(folder)}.previous`);

/**
 * Replaces a folder by what `write` puts into an empty one. A folder cannot be swapped in one step, so the old one
 * is set aside for an instant; `recoverFolder` brings it back if the process died in that instant.
 */
export async function replaceFolder(folder: string, write: (temporary: string) => Promise<void>): Promise<void> {
  await recoverFolder(folder);
  const temporary = temporaryName(folder);
  const previous = previousName(folder);
  await makeFolder(temporary);
  try {
    await write(temporary);
    await syncFolder(temporary);
    await rm(previous, { recursive: true, force: true });
    if (existsSync(folder)) await rename(folder, previous);
    await rename(temporary, folder);
    await syncFolder(path.dirname(folder));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    await recoverFolder(folder);
    throw error;
  }
  await rm(previous, { recursive: true, force: true });
}

/** Brings back the folder that an interrupted `replaceFolder` had set aside. */
export async function recoverFolder(folder: string): Promise<void> {
  const previous = previousName(folder);
  if (!existsSync(folder) && existsSync(previous)) await rename(previous, folder);
}
