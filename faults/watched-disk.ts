/** Tells of every operation that changes the disk, before it is done. For programs that die at a certain one. */
import fs, { writeSync } from 'node:fs';
import fsPromises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';

/** @param half does a part of the operation, as one that is cut off */
export type Watcher = (half: () => void) => void;

type Call = (...args: never[]) => unknown;
type Half = (self: unknown, args: unknown[]) => void;

const firstHalf = (data: unknown): Uint8Array => {
  const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data as Uint8Array);
  return bytes.subarray(0, bytes.length >> 1);
};

// Those of Node, whatever is put before them later.
const { rmSync, readdirSync, statSync, writeFileSync } = fs;

function removeHalf(target: string): void {
  if (statSync(target, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  const names = readdirSync(target);
  for (const name of names.slice(0, Math.ceil(names.length / 2))) rmSync(path.join(target, name), { recursive: true });
}

/** As the operation itself would fail: by its promise or its callback. */
function fail(args: readonly unknown[], error: unknown): unknown {
  const callback = args.at(-1);
  if (typeof callback !== 'function') return Promise.reject(error);
  process.nextTick(callback, error);
  return undefined;
}

/**
 * Puts the watcher before the functions through which this program changes files: a write may be done by half, and so may the
 * removal of a folder. What the watcher throws the operation fails with, and is not done.
 * @returns ends it
 */
export async function watchDisk(watcher: Watcher): Promise<() => void> {
  const restore: (() => void)[] = [];
  const watch = (owner: object, names: readonly string[], half: Half = () => undefined) => {
    const methods = owner as Record<string, Call>;
    for (const name of names) {
      const original = methods[name] as Call;
      methods[name] = function watched(this: unknown, ...args: unknown[]) {
        try {
          watcher(() => half(this, args));
        } catch (error) {
          return fail(args, error);
        }
        return Reflect.apply(original, this, args) as unknown;
      };
      restore.push(() => (methods[name] = original));
    }
  };
  const probe: FileHandle = await fsPromises.open(path.join(os.tmpdir()), 'r');
  const handles = Object.getPrototypeOf(probe) as object;
  await probe.close();
  watch(fsPromises, ['rename', 'mkdir', 'truncate', 'copyFile']);
  watch(fsPromises, ['rm'], (_self, [target]) => removeHalf(target as string));
  watch(fsPromises, ['writeFile'], (_self, [file, data]) => writeFileSync(file as string, firstHalf(data)));
  watch(handles, ['appendFile', 'writeFile', 'write'], (self, [data]) => void writeSync((self as FileHandle).fd, firstHalf(data)));
  watch(handles, ['sync', 'datasync', 'truncate']);
  // The folder's lock is taken through these.
  watch(fs, ['mkdir', 'rmdir', 'utimes']);
  syncBuiltinESMExports();
  return () => {
    for (const one of restore.reverse()) one();
    syncBuiltinESMExports();
  };
}
