/**
 * A whole run on the scripted engine, in a process of its own, that may kill itself.
 * argv: run folder, [number of the file operation at which it kills itself; a write is cut in half first]
 * Prints `stage <name>` lines, and `operations <n>` at its end. Exit codes are those of the command line.
 */
import fs, { writeSync } from 'node:fs';
import fsPromises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import type { Progress } from '../src/base/progress.js';

const [root = '', killAt = '0'] = process.argv.slice(2);
let operations = 0;

/** Counts an operation; at the chosen one the process ends as by a power cut. `half` leaves half of what was to be written. */
function count(half: () => void = () => undefined): void {
  if (++operations !== Number(killAt)) return;
  half();
  process.kill(process.pid, 'SIGKILL');
}

type Call = (...args: never[]) => unknown;

/** Puts the count before methods that change the disk. */
function watch(owner: object, names: readonly string[], half?: (self: unknown, args: unknown[]) => void): void {
  const methods = owner as Record<string, Call>;
  for (const name of names) {
    const original = methods[name] as Call;
    methods[name] = function watched(this: unknown, ...args: unknown[]) {
      count(half && (() => half(this, args)));
      return Reflect.apply(original, this, args) as unknown;
    };
  }
}

const firstHalf = (data: unknown): Uint8Array => {
  const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data as Uint8Array);
  return bytes.subarray(0, bytes.length >> 1);
};

async function watchDisk(): Promise<void> {
  const probe: FileHandle = await fsPromises.open(path.join(os.tmpdir()), 'r');
  const handles = Object.getPrototypeOf(probe) as object;
  await probe.close();
  watch(fsPromises, ['rename', 'rm', 'mkdir', 'truncate', 'copyFile']);
  watch(fsPromises, ['writeFile'], (_self, [file, data]) => fs.writeFileSync(file as string, firstHalf(data)));
  watch(handles, ['appendFile', 'writeFile'], (self, [data]) => void writeSync((self as FileHandle).fd, firstHalf(data)));
  watch(handles, ['sync', 'datasync', 'truncate']);
  // The folder's lock is taken through these.
  watch(fs, ['mkdir', 'rmdir', 'utimes']);
  syncBuiltinESMExports();
}

const tell = (line: string) => void writeSync(1, `${line}\n`);
const progress: Progress = {
  task: (title) => {
    tell(`stage ${title.split(' ')[0]}`);
    return { advance: () => undefined, done: () => undefined };
  },
  say: (line) => tell(line.startsWith('filter') ? 'stage filter' : `said ${line.split('\n')[0]}`),
};

/** Small sizes, with a checkpoint at every step. */
const settings = {
  prompts: { train: 16, ordinary: 4, validation: 4 },
  generate: { samples: 2, maxTokens: 400 },
  judge: { maxTokens: 400 },
  filter: { threshold: 0.5 },
  sft: { batchSize: 2, checkpointEvery: 1 },
  rl: { steps: 4, promptsPerStep: 2, samplesPerPrompt: 3, maxTokens: 400, validateEvery: 1, checkpointEvery: 1 },
  eval: { plain: 1, jailbroken: 1, techniques: 2, maxTokens: 400, arms: ['base', 'sft+rl'] },
};

async function main(): Promise<void> {
  await watchDisk();
  // Only now: modules take the watched functions when they are loaded.
  const { parseConfig } = await import('../src/base/config.js');
  const { packageRoot } = await import('../src/base/package-root.js');
  const { loadSpec } = await import('../src/align/spec/parse.js');
  const { createScriptedWorkbench } = await import('../src/engines/scripted.js');
  const { loadPrompts } = await import('../src/prompts/load.js');
  const { runStages } = await import('../src/cli/run.js');
  const spec = await loadSpec(path.join(packageRoot, 'spec'));
  const prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
  tell('stage start');
  const bench = createScriptedWorkbench();
  await runStages({ root, config: parseConfig(settings, 'faults'), spec, prompts, bench, progress, codeVersion: 'faults' });
  tell(`operations ${operations}`);
}

main().catch(async (error: unknown) => {
  const { DeliberateError, exitCodes } = await import('../src/base/errors.js');
  const known = error instanceof DeliberateError;
  console.error(known ? error.message : (error as Error).stack);
  process.exitCode = exitCodes[known ? error.kind : 'internal'];
});
