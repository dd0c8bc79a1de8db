/** A model repository of the Hugging Face hub, only the files that we read, into the cache. */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { downloadFile, type ListFileEntry, listFiles, modelInfo } from '@huggingface/hub';
import { type Dispatcher, fetch, type RequestInit } from 'undici';
import { z } from 'zod';
import { dependencyError, inputError } from '../base/errors.js';
import { httpAgent } from '../base/http-agent.js';
import { makeFolder } from '../base/make-folder.js';
import { redact } from '../base/redact.js';
import { writeFileAtomically } from './atomic-write.js';
import { digestHash, FileDigest, hasDigest } from './file-digest.js';
import { readJson } from './folder-checkpoint.js';
import { hubFolder, makeCacheFolder } from './model-cache.js';
import type { ResolveOptions } from './models.js';

const wanted =
  /^(config\.json|generation_config\.json|tokenizer\.json|tokenizer_config\.json|chat_template\.jinja|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json)$/;

interface HubFile extends FileDigest {
  path: string;
}

/** Lies beside the files: what the hub said they are. */
const digestsName = '.digests.json';
const Digests = z.strictObject({ commit: z.string(), files: z.record(z.string(), FileDigest) });

/**
 * A model that is in the cache is not looked up again, so that a run keeps its weights; remove its folder to get a newer one.
 * A download that was interrupted goes on at the file where it stopped. `HF_TOKEN`, `HF_ENDPOINT` and
 * the variables of proxies are honoured.
 * @param reference `org/name` or `org/name@revision`
 * @returns the folder
 * @throws dependency error when the download fails, or when a file in the cache is no longer what was downloaded
 */
export async function downloadFromHub(reference: string, { onProgress, signal }: ResolveOptions = {}): Promise<string> {
  const [name = '', revision = 'main'] = reference.split('@');
  const folder = path.join(hubFolder(), encodeURIComponent(name), encodeURIComponent(revision));
  if (existsSync(folder)) {
    await checkFolder(folder, reference, signal);
    return folder;
  }
  await makeCacheFolder(hubFolder());
  const token = process.env['HF_TOKEN'];
  const hubUrl = process.env['HF_ENDPOINT'];
  const agent = httpAgent({ connect: { timeout: 20_000 } });
  const access = {
    ...(token && { accessToken: token }),
    ...(hubUrl && { hubUrl }),
    fetch: fetchThrough(agent, signal),
  };
  const repo = { type: 'model' as const, name };
  try {
    onProgress?.(`looking up ${name}`);
    const { sha } = await modelInfo({ ...access, name, revision, additionalFields: ['sha'] });
    const files: HubFile[] = [];
    for await (const file of listFiles({ ...access, repo, revision: sha })) {
      if (file.type === 'file' && wanted.test(file.path)) files.push({ path: file.path, size: file.size, ...announced(file) });
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
      if (!(await hasDigest(target, file, signal))) {
        const blob = await downloadFile({ ...access, repo, path: file.path, revision: sha });
        if (!blob) throw dependencyError(`${name} has no ${file.path} any more.`);
        await writeFileAtomically(target, verified(blob, file, report));
      }
      before += file.size;
    }
    const digests: z.infer<typeof Digests> = {
      commit: sha,
      files: Object.fromEntries(files.map(({ path: name, ...digest }) => [name, digest])),
    };
    await writeFileAtomically(path.join(partial, digestsName), [Buffer.from(`${JSON.stringify(digests, null, 1)}\n`)]);
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
  } finally {
    await agent.destroy();
  }
}

/** Node's own fetch knows no proxies. */
const fetchThrough = (dispatcher: Dispatcher, signal: AbortSignal | undefined): typeof globalThis.fetch =>
  ((input: string | URL, init?: RequestInit) =>
    fetch(input, { ...init, dispatcher, ...(signal && { signal }) })) as unknown as typeof globalThis.fetch;

/** Files in large-file storage, which all weights are, have a SHA-256; the others git's own name of their content. */
function announced({ oid, lfs }: ListFileEntry): Omit<FileDigest, 'size'> {
  if (lfs !== undefined) return { sha256: lfs.oid };
  return oid !== undefined && /^[0-9a-f]{40}$/.test(oid) ? { gitSha1: oid } : {};
}

/** A folder that an earlier version downloaded has no digests: it is taken as it is. */
async function checkFolder(folder: string, reference: string, signal: AbortSignal | undefined): Promise<void> {
  const file = path.join(folder, digestsName);
  if (!existsSync(file)) return;
  const remedy = `Remove ${folder} and run \`deliberate models pull ${reference}\`; to use the files as they are, give the folder's path as the model.`;
  const digests = Digests.safeParse(await readJson(file).catch(() => null));
  if (!digests.success) throw dependencyError(`${file} is damaged. ${remedy}`, digests.error);
  for (const [name, digest] of Object.entries(digests.data.files))
    if (!(await hasDigest(path.join(folder, name), digest, signal)))
      throw dependencyError(`${path.join(folder, name)} is damaged: it is not the file that was downloaded from the hub. ${remedy}`);
}

/** The file's bytes as they come; fails at the end if they are not the announced ones. */
async function* verified(blob: Blob, file: HubFile, report: (done: number) => void): AsyncGenerator<Uint8Array> {
  const hash = digestHash(file);
  let done = 0;
  for await (const chunk of blob.stream() as unknown as AsyncIterable<Uint8Array>) {
    hash?.add(chunk);
    done += chunk.length;
    report(done);
    yield chunk;
  }
  if (done !== file.size || hash?.matches() === false)
    throw new Error(`${file.path} arrived damaged: ${done} of ${file.size} bytes, or another digest than announced. Try again`);
}
