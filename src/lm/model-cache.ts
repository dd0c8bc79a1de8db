/** Where downloaded models live. */
import path from 'node:path';
import envPaths from 'env-paths';
import { DeliberateError, dependencyError } from '../base/errors.js';
import { makeFolder } from '../base/make-folder.js';

/** `DELIBERATE_CACHE`, or the platform's cache folder for deliberate. */
export const cacheFolder = (): string => process.env['DELIBERATE_CACHE'] || envPaths('deliberate', { suffix: '' }).cache;

export const modelsFolder = (): string => path.join(cacheFolder(), 'models');

/** `<org%2Fname>/<revision>/` each. */
export const hubFolder = (): string => path.join(modelsFolder(), 'hub');

/** @throws dependency error */
export async function makeCacheFolder(folder: string): Promise<void> {
  await makeFolder(folder).catch((error: unknown) => {
    if (!(error instanceof DeliberateError)) throw error;
    throw dependencyError(`${error.message} Or set DELIBERATE_CACHE to a folder that can be written.`, error);
  });
}
