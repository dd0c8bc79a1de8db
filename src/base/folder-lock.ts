/** One writer a folder. */
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import lockfile from 'proper-lockfile';
import { writeTextAtomically } from './atomic-text.js';
import { diskError } from './disk-error.js';
import { dependencyError, inputError } from './errors.js';
import { makeFolder } from './make-folder.js';

export interface FolderLock {
  release(): Promise<void>;
}

/** Writers renew their lock this often, in ms. */
const renewal = 3_000;
/** A lock without its owner's name that is not renewed for this long, in ms, is of a process that died before it wrote its name. */
const nameless = 3 * renewal;

/** A lock that was not renewed for this long, in ms, belongs to a process that is gone (or to a machine that is). */
const stale = 60_000;

/**
 * Takes the folder, creating it. A lock left by a process of this machine that is dead (kill −9) is taken over at once,
 * one of another machine after a minute, one without a name when it has shown no sign of life for `patience` ms.
 * @throws input error that names the process which writes there; dependency error when the folder is not writable
 */
export async function lockFolder(
  folder: string,
  onLost: (error: Error) => void = () => undefined,
  patience = nameless,
): Promise<FolderLock> {
  const lockPath = path.join(folder, '.lock');
  const owner = path.join(folder, '.writer.json');
  await makeFolder(folder);
  const take = () =>
    lockfile.lock(folder, {
      lockfilePath: lockPath,
      stale,
      update: renewal,
      realpath: false,
      onCompromised: (error) =>
        onLost(dependencyError(`${folder}: another process took this run over (${error.message}). Run again when it has ended.`, error)),
    });
  const release = await take().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ELOCKED') throw diskError(folder, error);
    if (!(await removeDeadLock(lockPath, owner)) && !(await removeNamelessLock(lockPath, owner, patience))) {
      const writer = await readOwner(owner);
      throw inputError(
        `${folder}: another process${writer === null ? '' : ` (${writer.pid} on ${writer.host})`} is writing this run. Wait until it ends, or stop it; two writers would mix their records.`,
      );
    }
    return take().catch((again) => {
      throw inputError(`${folder}: another process took this run at the same moment. Wait until it ends.`, again);
    });
  });
  await writeTextAtomically(owner, `${JSON.stringify({ pid: process.pid, host: os.hostname() })}\n`).catch(async (error: unknown) => {
    await release();
    throw error;
  });
  await removeClaims(folder);
  return {
    release: async () => {
      await rm(owner, { force: true });
      await release().catch(() => undefined);
    },
  };
}

interface Owner {
  pid: number;
  host: string;
}

async function readOwner(file: string): Promise<Owner | null> {
  try {
    const { pid, host } = JSON.parse(await readFile(file, 'utf8')) as Owner;
    return typeof pid === 'number' && typeof host === 'string' ? { pid, host } : null;
  } catch {
    return null;
  }
}

/** Removes the lock of a dead process of this machine. Claiming its owner file by a rename lets one of several do it. */
async function removeDeadLock(lockPath: string, owner: string): Promise<boolean> {
  const claimed = `${owner}.${process.pid}`;
  const before = await readOwner(owner);
  if (before === null || !isDead(before)) return false;
  try {
    await rename(owner, claimed);
  } catch {
    return false;
  }
  const writer = await readOwner(claimed);
  if (writer === null || !isDead(writer)) {
    await rename(claimed, owner).catch(() => undefined);
    return false;
  }
  await rm(lockPath, { recursive: true, force: true });
  await rm(claimed, { force: true });
  return true;
}

/**
 * A lock is taken first and gets its owner's name next; whoever died in between (or while taking over a dead one's) left it
 * without. It is waited for, and removed if neither name nor sign of life comes.
 */
async function removeNamelessLock(lockPath: string, owner: string, patience: number): Promise<boolean> {
  const sign = async () =>
    stat(lockPath).then(
      ({ ino, mtimeMs }) => `${ino} ${mtimeMs}`,
      () => null,
    );
  const before = await sign();
  for (let waited = 0; waited < patience; waited += 100) {
    if ((await readOwner(owner)) !== null) return false;
    if ((await sign()) === null) return true;
    await wait(100);
  }
  if ((await sign()) !== before) return false;
  const removed = `${lockPath}.${process.pid}`;
  // By a rename, so that of several who waited one takes it.
  const mine = await rename(lockPath, removed).then(
    () => true,
    () => false,
  );
  await rm(removed, { recursive: true, force: true });
  return mine;
}

/** Removes the traces of processes that died while they took over a dead one's lock. */
async function removeClaims(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /^\.(?:writer\.json|lock)\.(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && isDead({ pid: Number(pid), host: os.hostname() }))
      await rm(path.join(folder, name), { recursive: true, force: true });
  }
}

function isDead({ pid, host }: Owner): boolean {
  if (host !== os.hostname()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
