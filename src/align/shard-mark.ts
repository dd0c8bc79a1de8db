/** What a shard leaves when it is done: shard.json says under which settings, and the digest of each file, so that a merge knows it whole. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeTextAtomically } from '../base/atomic-text.js';
import { diskError } from '../base/disk-error.js';
import { inputError } from '../base/errors.js';
import { jsonOrNull } from '../base/parse-json.js';
import { runKey, type RunPaths, type StoredRun } from '../base/run-folder.js';
import { shardText, type Shard } from '../base/shard.js';

const Mark = z.strictObject({
  shard: z.string(),
  /** Of the settings and digests that its records depend on. */
  run: z.string(),
  /** sha-256 of each file; null where there is none. */
  files: z.record(z.string(), z.string().nullable()),
});

const markFile = (root: string) => path.join(root, 'shard.json');

/** The files that a shard makes, and that a merge takes. */
export const shardFiles = ({ prompts, categories, completions, judgements }: RunPaths): string[] => [
  prompts(),
  categories(),
  completions(),
  judgements(),
];

export async function markFinished(paths: RunPaths, shard: Shard, run: StoredRun): Promise<void> {
  const files = Object.fromEntries(await digests(paths));
  await writeTextAtomically(markFile(paths.root), `${JSON.stringify({ shard: shardText(shard), run: runKey(run), files }, null, 1)}\n`);
}

/** Why a shard cannot be merged yet; null when it is whole and as it was left. @throws dependency error when the disk refuses */
export async function whyUnfinished(paths: RunPaths, shard: Shard, run: StoredRun): Promise<string | null> {
  const text = await readFile(markFile(paths.root), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw diskError(markFile(paths.root), error);
  });
  if (text === null) return 'is not done';
  const mark = Mark.safeParse(jsonOrNull(text));
  if (!mark.success) throw inputError(`${markFile(paths.root)}: is not what this program wrote. Remove it and run the shard again.`);
  if (mark.data.shard !== shardText(shard) || mark.data.run !== runKey(run))
    return 'is not done under its present settings and specification';
  for (const [name, digest] of await digests(paths))
    if (mark.data.files[name] !== digest) return `has another ${name} than it was done with (copied in part, or changed since)`;
  return null;
}

async function digests(paths: RunPaths): Promise<[string, string | null][]> {
  return Promise.all(shardFiles(paths).map(async (file) => [path.basename(file), await fileDigest(file)] as [string, string | null]));
}

/** sha-256 of a file of any size; null where there is none. @throws dependency error when the disk refuses */
export async function fileDigest(file: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) hash.update(piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw diskError(file, error);
  }
  return hash.digest('hex');
}
