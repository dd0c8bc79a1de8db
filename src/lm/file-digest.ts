/** Whether a downloaded file still is what was downloaded: a cache may be damaged where it lies, at equal length. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { diskError } from '../base/disk-error.js';

/** What a file must be. `gitSha1` is the name git has for its content: the hub gives no other digest of small files. */
export const FileDigest = z.strictObject({ size: z.int().min(0), sha256: z.string().optional(), gitSha1: z.string().optional() });
export type FileDigest = z.infer<typeof FileDigest>;

/** What this process has read, and whether it was genuine. A file that is changed later has another time. */
const known = new Map<string, boolean>();

/** Reads the whole file, once a process. False where it is missing, too. @throws dependency error when the disk refuses */
export async function hasDigest(file: string, expected: FileDigest, signal?: AbortSignal): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  if (found === null || found.size !== expected.size) return false;
  const hash = digestHash(expected);
  if (hash === null) return true;
  const mark = JSON.stringify([file, found.ino, found.mtimeMs, expected]);
  const before = known.get(mark);
  if (before !== undefined) return before;
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, signal })) hash.add(chunk as Buffer);
  } catch (error) {
    signal?.throwIfAborted();
    throw diskError(file, error);
  }
  const genuine = hash.matches();
  known.set(mark, genuine);
  return genuine;
}

/** Takes the bytes as they come; null where there is no digest to hold them against. */
export function digestHash({ size, sha256, gitSha1 }: FileDigest): { add: (bytes: Uint8Array) => void; matches: () => boolean } | null {
  const expected = sha256 ?? gitSha1;
  if (expected === undefined) return null;
  const hash = createHash(sha256 === undefined ? 'sha1' : 'sha256');
  if (sha256 === undefined) hash.update(`blob ${size}\0`);
  return { add: (bytes) => void hash.update(bytes), matches: () => hash.digest('hex') === expected };
}
