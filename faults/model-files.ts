/** Thousands of damaged model files, each opened in a process with little memory and a deadline. */
import { spawn } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { packageRoot } from '../src/base/package-root.js';
import { openCheckpoint } from '../src/lm/checkpoint.js';
import { writeGgufModel } from '../src/lm/gguf-model.js';
import { writeSpellingModel } from '../src/lm/spelling-model.js';
import { bombs } from './bombs.js';
import { compiled, times, type FaultOptions, type Figures } from './section.js';

/** How many of each kind. Templates cost a process each. */
export const fullMutations = { gguf: 3000, safetensors: 3000, config: 1000, tokenizer: 2000, adapter: 1000, template: 1000 } as const;

/** A GGUF file, a folder with its template, an adapter. */
const soundFiles = 3;

/** For JavaScript's objects; buffers lie beside them. */
const heapMegabytes = 256;
/** Of the whole process, buffers and code included. */
const residentMegabytes = 768;
/** One file; generous, for machines that do other things as well. */
const deadline = 90_000;

export async function modelFiles(options: FaultOptions): Promise<Figures> {
  const samples = await writeSamples(options.home);
  const figures: Figures = { lines: [], failures: [] };
  // Undamaged: were they refused, the refusals below would show nothing.
  const sound = await openAll('sound', soundFiles, samples, options);
  if (sound.opened < soundFiles) figures.failures.push(`of the ${soundFiles} undamaged files ${sound.opened} open`, ...sound.failures);
  const kinds = Object.entries(fullMutations).map(([kind, full]) => [kind, times(full, options)] as const);
  for (const [kind, count] of [...kinds, ['bombs', Math.min(bombs.length, times(10 * bombs.length, options))] as const]) {
    if (options.only !== undefined && options.only.split('/')[0] !== kind) continue;
    const found = await openAll(kind, count, samples, options);
    figures.lines.push(found.line);
    figures.failures.push(...found.failures);
    options.say(found.line);
  }
  return figures;
}

async function writeSamples(home: string): Promise<string> {
  const samples = path.join(home, 'samples');
  await mkdir(samples, { recursive: true });
  await writeSpellingModel(path.join(samples, 'folder'), 'llama-tied');
  await cp(path.join(packageRoot, 'fixtures', 'llama-tied', 'adapter'), path.join(samples, 'adapter'), { recursive: true });
  const checkpoint = await openCheckpoint(path.join(samples, 'folder'));
  await writeGgufModel(path.join(samples, 'model.gguf'), { checkpoint, adapter: null, name: 'tiny', type: 'f16' });
  await checkpoint.close();
  return samples;
}

interface Outcome {
  outcome: string;
  milliseconds: number;
  /** Kilobytes. */
  resident: number;
  /** What the process wrote of it. */
  text: string;
}

async function openAll(kind: string, count: number, samples: string, { home, seed, only, say }: FaultOptions) {
  const outcomes = new Map<number, Outcome>();
  const one = kind === 'sound' ? undefined : only?.split('/')[1];
  const last = one === undefined ? count - 1 : Number(one);
  // A process that dies or hangs takes one file with it; the next goes on behind it.
  for (let next = one === undefined ? 0 : last; next <= last;) {
    const work = path.join(home, 'work');
    next = await openSome([kind, samples, work, String(seed), String(next), String(last)], outcomes);
    say(`${kind}: ${Math.min(next, count)}/${count}`);
  }
  const failures: string[] = [];
  const tally = (outcome: string) => [...outcomes.values()].filter((found) => found.outcome === outcome).length;
  for (const [n, { outcome, text }] of outcomes) {
    if (outcome === 'opened' || outcome === 'refused') continue;
    const what = kind === 'bombs' ? bombs[n]!.name : `${kind} ${n}`;
    failures.push(`${what}: ${outcome}. See it again: npm run faults -- --only models --seed ${seed} --case ${kind}/${n}\n${text.trim()}`);
  }
  const resident = Math.max(...[...outcomes.values()].map((found) => found.resident)) / 1024;
  if (resident > residentMegabytes) failures.push(`${kind}: ${Math.round(resident)} MB resident, more than ${residentMegabytes}`);
  const slowest = Math.max(...[...outcomes.values()].map((found) => found.milliseconds)) / 1000;
  const line = `${kind}: ${outcomes.size} files, ${tally('refused')} refused with a sentence, ${tally('opened')} still sound, ${outcomes.size - tally('refused') - tally('opened')} crashed, hung or failed otherwise; at most ${Math.round(resident)} MB resident, ${slowest.toFixed(1)} s.`;
  return { line, failures, opened: tally('opened') };
}

const program = compiled('model-files-child');

/** @returns the number to go on with */
function openSome(args: readonly string[], outcomes: Map<number, Outcome>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`--max-old-space-size=${heapMegabytes}`, program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [rest, text, errors] = ['', '', ''];
    let current = Number(args[4]);
    let open = true;
    let hung = false;
    const hang = () => {
      hung = true;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(hang, deadline);
    child.stdout.on('data', (data: Buffer) => {
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const end = /^end (\d+) (\w+) (\d+) (\d+)$/.exec(line);
        const begin = /^begin (\d+)$/.exec(line);
        clearTimeout(timer);
        timer = setTimeout(hang, deadline);
        if (begin) [current, text, open] = [Number(begin[1]), '', true];
        else if (end) {
          outcomes.set(Number(end[1]), { outcome: end[2] as string, milliseconds: Number(end[3]), resident: Number(end[4]), text });
          [current, open] = [Number(end[1]) + 1, false];
        } else text += `${line}\n`;
      }
    });
    child.stderr.on('data', (data: Buffer) => (errors = (errors + data.toString()).slice(-2000)));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve(Number(args[5]) + 1);
      const how = hung ? `hung for ${deadline / 1000} s` : `ended the process (${signal ?? `code ${code}`})`;
      if (open) outcomes.set(current, { outcome: how, milliseconds: 0, resident: 0, text: text + errors });
      resolve(open ? current + 1 : current);
    });
  });
}
