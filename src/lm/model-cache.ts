/** Where downloaded models live. */
import path from 'node:path';
import envPaths from 'env-paths';

/** `DELIBERATE_CACHE`, or the platform's cache folder for deliberate. */
export const cacheFolder = (): string => process.env['DELIBERATE_CACHE'] || envPaths('deliberate', { suffix: '' }).cache;

export const modelsFolder = (): string => path.join(cacheFolder(), 'models');

/** `<org%2Fname>/<revision>/` each. */
export const hubFolder = (): string => path.join(modelsFolder(), 'hub');
