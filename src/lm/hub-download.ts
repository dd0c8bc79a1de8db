/** A model repository of the Hugging Face hub, only the files that we read, into the cache. */
import path from 'node:path';
import { downloadFileToCacheDir, listFiles, modelInfo } from '@huggingface/hub';
import { dependencyError, inputError } from '../base/errors.js';
import { modelsFolder } from './model-cache.js';
import type { ResolveOptions } from './models.js';

const wanted = /^(config\.json|generation_config\.json|tokenizer\.json|tokenizer_config\.json|chat_template\.jinja|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json)$/;

/**
 * @param reference `org/name` or `org/name@revision`
 * @returns the snapshot's folder. `HF_TOKEN` and `HF_ENDPOINT` are honoured.
 */
export async function downloadFromHub(reference: string, { onProgress, signal }: ResolveOptions = {}): Promise<string> {
  const [name = '', revision = 'main'] = reference.split('@');
  const token = process.env['HF_TOKEN'];
  const hubUrl = process.env['HF_ENDPOINT'];
  const common = {
    ...(token && { accessToken: token }),
    ...(hubUrl && { hubUrl }),
    ...(signal && { fetch: (input: string | URL | Request, init?: RequestInit) => fetch(input, { ...init, signal }) }),
  };
  const repo = { type: 'model' as const, name };
  try {
    onProgress?.(`looking up ${name}`);
    const { sha } = await modelInfo({ ...common, name, revision, additionalFields: ['sha'] });
    const files: { path: string; size: number }[] = [];
    for await (const file of listFiles({ ...common, repo, revision: sha })) {
      if (file.type === 'file' && wanted.test(file.path)) files.push({ path: file.path, size: file.size });
    }
    if (!files.some((file) => file.path.endsWith('.safetensors'))) throw inputError(`${name} has no safetensors weights. Choose a repository that has them.`);
    const total = files.reduce((sum, file) => sum + file.size, 0);
    let done = 0;
    let folder = '';
    for (const file of files) {
      onProgress?.(`downloading ${file.path} of ${name}`, { done, total });
      const local = await downloadFileToCacheDir({ ...common, repo, path: file.path, revision: sha, cacheDir: path.join(modelsFolder(), 'hub') });
      folder = path.dirname(local);
      done += file.size;
    }
    onProgress?.(`downloaded ${name}`, { done, total });
    return folder;
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof Error && cause.name === 'DeliberateError') throw cause;
    throw dependencyError(`cannot download ${reference} from the Hugging Face hub: ${(cause as Error).message}. Check the name, the network and HF_TOKEN, or name a local folder.`, cause);
  }
}
