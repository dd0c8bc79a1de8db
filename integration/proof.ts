/** What the proofs against real software share: their lines, our own program as a process, a run of the package's reasoner. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { dependencyError } from '../src/base/errors.js';
import { packageRoot } from '../src/base/package-root.js';
import { schemaVersion } from '../src/base/records.js';

/** A line of the record; `integration/main.ts` keeps what is written to standard output. */
export const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** One thing that must hold. The others are looked at all the same; the exit code remembers. */
export function check(what: string, good: boolean): void {
  say(`${good ? 'ok    ' : 'FAILED'}  ${what}`);
  if (!good) process.exitCode = 1;
}

/** The adapter in the package that makes the demo's model a reasoner. */
export const reasoner = path.join(packageRoot, 'adapters', 'reasoner');

/** Calls with a folder that is gone afterwards; Ctrl-C and failures included. */
export async function inTemporaryFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'deliberate-integration-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Our program, as people start it. @throws dependency error with the end of what it wrote, when it fails */
export async function deliberate(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [path.join(packageRoot, 'dist', 'src', 'cli', 'main.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let written = '';
  child.stdout.on('data', (chunk: Buffer) => (written += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (written += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw dependencyError(`deliberate ${args[0]} ended with ${code}:\n${written.slice(-3000)}`);
  return written;
}

/** A run whose arm sft is the package's reasoner: what an export of it has to say is known beforehand. */
export async function makeReasonerRun(folder: string): Promise<void> {
  const arm = path.join(folder, 'arms', 'sft', 'sft');
  await mkdir(arm, { recursive: true });
  await cp(reasoner, path.join(arm, 'adapter'), { recursive: true });
  await writeFile(path.join(arm, 'training.json'), JSON.stringify({ key: 'k', step: 1, best: null, done: true }));
  const digests = { model: 'm', adapter: 'a', prompts: 'p', spec: { none: 'n' } };
  const run = { schemaVersion, name: 'reasoner', model: 'smollm2-135m-instruct', codeVersion: '0', config: { name: 'reasoner' }, digests };
  await writeFile(path.join(folder, 'run.yaml'), JSON.stringify(run)); // JSON is YAML
  await writeFile(path.join(folder, 'prompts.jsonl'), '');
}

/** A port of 127.0.0.1 that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
