/** What a study was made with: code and machine, for who wants to repeat it or compare its times. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import { promisify } from 'node:util';
import { z } from 'zod';
import { packageRoot } from '../base/package-root.js';

export const Made = z.strictObject({
  /** Of the code's checkout when the process began, `-dirty` behind it where tracked code differs; null without a checkout. */
  commit: z.string().nullable(),
  cpu: z.strictObject({ model: z.string(), cores: z.int() }),
  /** Versions of packages that the numbers can depend on. */
  packages: z.record(z.string(), z.string()),
});
export type Made = z.infer<typeof Made>;

let found: Promise<Made> | undefined;

/** Found once: a colleague's commit during a long study is not the code that runs. */
export const madeWith = (): Promise<Made> => (found ??= find());

async function find(): Promise<Made> {
  const cpus = os.cpus();
  return {
    commit: await commitOf(packageRoot),
    cpu: { model: cpus[0]?.model.trim() || 'unknown', cores: cpus.length },
    packages: { 'onnxruntime-node': await versionOf('onnxruntime-node') },
  };
}

/** Commit of the checkout whose top this folder is; null where there is none: an installed package lies in somebody else's. */
export async function commitOf(folder: string): Promise<string | null> {
  const git = async (...asked: string[]) => (await promisify(execFile)('git', ['-C', folder, ...asked], { timeout: 20_000 })).stdout;
  try {
    const [prefix, commit] = (await git('rev-parse', '--show-prefix', 'HEAD')).split('\n');
    if (prefix !== '' || !commit) return null;
    // Not the whole tree: a study that writes into the checkout is no change of the code.
    const changed = await git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'package-lock.json');
    return changed === '' ? commit : `${commit}-dirty`;
  } catch {
    return null;
  }
}

/** From its package.json, for loading the runtime itself takes memory that the workers need. */
async function versionOf(name: string): Promise<string> {
  const file = createRequire(import.meta.url).resolve(`${name}/package.json`);
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}
