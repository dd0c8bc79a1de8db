/** Folders for what we write. Not Node's recursive mkdir: below /proc it tries without end, and no signal stops it. */
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { diskError } from './disk-error.js';

/** Makes the folder and what is missing above it. @throws dependency error that names the folder which cannot be made */
export async function makeFolder(folder: string): Promise<void> {
  const whole = path.resolve(folder);
  const failure = await tryToMake(whole);
  if (failure === null) return;
  const above = path.dirname(whole);
  if (failure.code !== 'ENOENT' || above === whole) throw diskError(whole, failure);
  await makeFolder(above);
  // Once: a folder that is there and still takes none, such as /proc, never will.
  const again = await tryToMake(whole);
  if (again !== null) throw diskError(whole, again);
}

/** Null where the folder is there, made by us or by another. */
async function tryToMake(folder: string): Promise<NodeJS.ErrnoException | null> {
  try {
    await mkdir(folder);
    return null;
  } catch (error) {
    // Systems differ in what they say of a folder that exists, above all of a root.
    const isThere = await stat(folder).then(
      (found) => found.isDirectory(),
      () => false,
    );
    return isThere ? null : (error as NodeJS.ErrnoException);
  }
}
