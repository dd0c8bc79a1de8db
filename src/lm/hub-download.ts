/** A model repository of the Hugging Face hub, only the files that we read, into the cache. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { downloadFile, listFiles, modelInfo } from '@huggingface/hub';
import { dependencyError, inputError } from '../base/errors.js';
import { makeFolder } from '../base/make-folder.js';
import { redact } from '../base/redact.js';
import { writeFileAtomically } from './atomic-write.js';
import { hubFolder } from './model-cache.js';
import type { ResolveOptions } from './models.js';

const wanted =
  /^(config\.json|generation_config\.json|tokenizer\.json|tokenizer_config\.json|chat_template\.jinja|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json)$/;

interface HubFile {
  path: string;
  size: number;
  /** Of files kept in large-file storage, which all weights are. */
  sha256: string | undefined;
}

/**
 * A model that is in the cache is not looked up again, so that a run keeps its weights; remove its folder to get a newer one.
 * A download that was interrupted goes on at the file where it stopped. `HF_TOKEN` and `HF_ENDPOINT` are honoured.
 * @param reference `org/name` or `org/name@revision`
 * @returns the folder
 */
export async function downloadFromHub(reference: string, { onProgress, signal }: ResolveOptions = {}): Promise<string> {
  const [name = '', revision = 'main'] = reference.split('@');
  const folder = path.join(hubFolder(), encodeURIComponent(name), encodeURIComponent(revision));
  if (existsSync(folder)) return folder;
  const token = process.env['HF_TOKEN'];
  const hubUrl = process.env['HF_ENDPOINT'];
  const access = {
    ...(token && { accessToken: token }),
    ...(hubUrl && { hubUrl }),
    ...(signal && { fetch: (input: string | URL | Request, init?: RequestInit) => fetch(input, { ...init, signal }) }),
  };
  const repo = { type: 'model' as const, name };
  try {
    onProgress?.(`looking up ${name}`);
    const { sha } = await modelInfo({ ...access, name, revision, additionalFields: ['sha'] });
    const files: HubFile[] = [];
    for await (const file of listFiles({ ...access, repo, revision: sha })) {
      if (file.type === 'file' && wanted.test(file.path)) files.push({ path: file.path, size: file.size, sha256: file.lfs?.oid });
    }
    if (!files.some((file) => file.path.endsWith('.safetensors')))
      throw inputError(`${name} has no safetensors weights. Choose a repository that has them.`);

    // Named after the commit: files of two commits never mix.
    const partial = `${folder}.${sha}.partial`;
    await makeFolder(partial);
    const total = files.reduce((sum, file) => sum + file.size, 0);
    let before = 0;
    for (const file of files) {
      const target = path.join(partial, file.path);
      const report = (done: number) => onProgress?.(`downloading ${file.path} of ${name}`, { done: before + done, total });
      if (
        !(await stat(target).then(
          ({ size }) => size === file.size,
          () => false,
        ))
      ) {
        const blob = await downloadFile({ ...access, repo, path: file.path, revision: sha });
        if (!blob) throw dependencyError(`${name} has no ${file.path} any more.`);
        await writeFileAtomically(target, verified(blob, file, report));
      }
      before += file.size;
    }
    await rename(partial, folder).catch(async (error: unknown) => {
      // Another process may have been faster.
      if (!existsSync(folder)) throw error;
      await rm(partial, { recursive: true, force: true });
    });
    onProgress?.(`downloaded ${name}`, { done: total, total });
    return folder;
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof Error && cause.name === 'DeliberateError' && (cause as { kind?: unknown }).kind === 'input') throw cause;
    throw dependencyError(
      `cannot download ${reference} from the Hugging Face hub: ${redact((cause as Error).message, token)}. Check the name, the network and HF_TOKEN, or name a local folder.`,
      cause,
    );
  }
}

/** The file's bytes as they come; fails at the end if they are not the announced ones. */
async function* verified(blob: Blob, file: HubFile, report: (done: number) => void): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let done = 0;
  for await (const chunk of blob.stream() as unknown as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    done += chunk.length;
    report(done);
    yield chunk;
  }
  if (done !== file.size || (file.sha256 !== undefined && hash.digest('hex') !== file.sha256)) {
    throw new Error(`${file.path} arrived damaged: ${done} of ${file.size} bytes, or another SHA-256 than announced. Try again`);
  }
}
