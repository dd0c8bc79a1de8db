/**
 * Proofs against the real software: runs a script of this folder by name, passes its exit code on, and writes down what it ran against.
 * Usage: npm run integration -- NAME [--no-record] [arguments of the script]; npm run integration -- --help names them all
 */
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { writeTextAtomically } from '../src/base/atomic-text.js';
import { DeliberateError, exitCodes, inputError } from '../src/base/errors.js';
import { didYouMean } from '../src/base/nearest.js';
import { packageRoot } from '../src/base/package-root.js';
import { describeMachine } from '../faults/save-figures.js';
import { indexPage, type ProofRecord, versionIn } from './record.js';

const folder = path.join(packageRoot, 'integration');
const results = path.join(folder, 'results');

interface Proof {
  name: string;
  file: string;
  /** The first line of its head. */
  text: string;
}

/** A `.sh` stands for the program that it starts, a `.py` alone runs among Hugging Face's libraries; names with an underscore are shared parts. */
async function proofs(): Promise<Proof[]> {
  const files = (await readdir(folder)).filter((file) => /^[a-z0-9-]+\.(sh|py)$/.test(file));
  const ours = files.filter((file) => file.endsWith('.sh') || !files.includes(file.replace(/\.py$/, '.sh')));
  return Promise.all(ours.toSorted().map(async (file) => ({ name: path.parse(file).name, file, text: await firstLine(file) })));
}

async function firstLine(file: string): Promise<string> {
  const lines = (await readFile(path.join(folder, file), 'utf8')).split('\n');
  const line = lines.find((one) => one !== '' && !one.startsWith('#!')) ?? '';
  return line.replace(/^(# |""")/, '').replace(/"""$/, '');
}

interface Outcome {
  exitCode: number;
  seconds: number;
  versions: Record<string, string>;
  lines: string[];
}

/** What the script writes to standard output is shown and kept; standard error is shown. @throws input error when it cannot be started */
async function run({ file }: Proof, args: readonly string[]): Promise<Outcome> {
  const start = performance.now();
  const script = path.join(folder, file);
  const started = file.endsWith('.py') ? [path.join(folder, 'with_peers.sh'), script] : [script];
  const child = spawn('sh', [...started, ...args], { cwd: packageRoot, stdio: ['inherit', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const versions: Record<string, string> = {};
  createInterface({ input: child.stdout }).on('line', (line) => {
    console.log(line);
    const version = versionIn(line);
    if (version !== null) Object.assign(versions, version);
    // No machine's paths in the record.
    else if (line.trim() !== '')
      lines.push(
        line
          .trimEnd()
          .replaceAll(packageRoot, '.')
          .replaceAll(os.tmpdir(), () => '$TMPDIR'),
      );
  });
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', (error) => reject(inputError('sh: cannot be started; a proof needs a POSIX shell.', error)));
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
  return { exitCode, seconds: (performance.now() - start) / 1000, versions, lines };
}

/** Results are files of their own, so that two proofs do not meet; the page is made of all of them. */
async function record(proof: Proof, { exitCode, seconds, versions, lines }: Outcome): Promise<void> {
  const outcome: ProofRecord = {
    name: proof.name,
    date: new Date().toISOString().slice(0, 10),
    outcome: exitCode === 0 ? 'holds' : `failed (exit code ${exitCode})`,
    seconds: Math.round(seconds),
    machine: await describeMachine(),
    versions,
    lines: lines.slice(-60),
  };
  await mkdir(results, { recursive: true });
  await writeTextAtomically(path.join(results, `${proof.name}.json`), `${JSON.stringify(outcome, null, 2)}\n`);
  const known = await proofs();
  const records = new Map<string, ProofRecord>();
  for (const file of (await readdir(results)).filter((name) => name.endsWith('.json'))) {
    const stored = JSON.parse(await readFile(path.join(results, file), 'utf8')) as ProofRecord;
    records.set(stored.name, stored);
  }
  await writeTextAtomically(path.join(packageRoot, 'docs', 'INTEGRATION.md'), indexPage(known, records));
}

function help(known: readonly Proof[]): string {
  const widest = Math.max(...known.map(({ name }) => name.length));
  return [
    'npm run integration -- NAME [--no-record] [arguments of the script]',
    '',
    ...known.map(({ name, text }) => `  ${name.padEnd(widest)}  ${text}`),
    '',
    'Each installs what it runs against into .cache; the head of integration/NAME.sh or NAME.py says what it needs. PEERS_PYTHON names a Python',
    'that has torch, transformers, peft, trl, datasets and gguf already.',
    'Versions, date and outcome are written into integration/results and docs/INTEGRATION.md, unless --no-record stands first.',
  ].join('\n');
}

async function main(): Promise<void> {
  const [name, ...rest] = process.argv.slice(2);
  const known = await proofs();
  if (name === undefined || name === '--help' || name === '-h') {
    console.log(help(known));
    return;
  }
  const names = known.map((one) => one.name);
  const proof = known.find((one) => one.name === name);
  if (proof === undefined) throw inputError(`there is no proof ${name}${didYouMean(name, names)}; there are ${names.join(', ')}.`);
  const keep = rest[0] !== '--no-record';
  const outcome = await run(proof, keep ? rest : rest.slice(1));
  process.exitCode = outcome.exitCode;
  // A proof that was interrupted, or ended before it could look at anything, says nothing; an earlier record stands.
  if (keep && outcome.exitCode !== 130 && (outcome.exitCode === 0 || outcome.lines.length > 0)) await record(proof, outcome);
  else if (keep) console.error(`${proof.name}: nothing was found out, so nothing is recorded.`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = exitCodes[error instanceof DeliberateError ? error.kind : 'internal'];
});
