/** Text files that appear whole or not at all: temporary name, fsync, rename. */
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { diskError } from './disk-error.js';
import { makeFolder } from './make-folder.js';

/** @throws dependency error when the disk refuses; the file is then as it was. */
export async function writeTextAtomically(file: string, text: string | Uint8Array): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.new`);
  try {
    await makeFolder(path.dirname(file));
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw diskError(file, error);
  }
}
