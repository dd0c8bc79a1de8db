/** Starts kill-program.ts and looks at what it left. */
import { spawn } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { compiled } from './section.js';

export interface Ended {
  /** null: killed. */
  code: number | null;
  /** The last stage it spoke of. */
  stage: string;
  operations: number;
  milliseconds: number;
  errors: string;
}

const program = compiled('kill-program');

export interface Kill {
  /** Milliseconds after its start. */
  after?: number;
  /** Or at this file operation. */
  at?: number;
}

/** Runs all stages in the folder, or as many as it gets to. */
export function scriptedRun(root: string, { after, at }: Kill = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(process.execPath, [program, root, String(at ?? 0)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    const timer = after === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), after);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      const stages = [...output.matchAll(/^stage (.+)$/gm)].map(([, name]) => name as string);
      resolve({
        code,
        stage: stages.at(-1) ?? 'loading',
        operations: Number(/^operations (\d+)$/m.exec(output)?.[1] ?? 0),
        milliseconds: performance.now() - start,
        errors,
      });
    });
  });
}

/** Every file of a folder, by its name in it. */
export async function* filesIn(root: string): AsyncGenerator<[string, Buffer]> {
  for (const name of (await readdir(root, { recursive: true })).sort()) {
    const file = path.join(root, name);
    if ((await stat(file)).isFile()) yield [name, await readFile(file)];
  }
}

/** The seconds that things took are set to 0, nothing else is touched. */
export const withoutSeconds = (text: string): string => text.replace(/"seconds":[\d.e-]+/g, '"seconds":0');

export async function contentsOf(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const [name, bytes] of filesIn(root)) files.set(name, withoutSeconds(bytes.toString()));
  return files;
}

const sorted = (text: string) => text.split('\n').sort().join('\n');

/** Names of files that differ. `reordered` are append-only files with the same lines in another order. */
export function differences(
  expected: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): { differ: string[]; reordered: string[] } {
  const [differ, reordered]: [string[], string[]] = [[], []];
  for (const name of new Set([...expected.keys(), ...found.keys()])) {
    const [before, after] = [expected.get(name), found.get(name)];
    if (before === after) continue;
    if (before === undefined) differ.push(`${name} is left over`);
    else if (after === undefined) differ.push(`${name} is missing`);
    else if (name.endsWith('.jsonl') && sorted(before) === sorted(after)) reordered.push(name);
    else differ.push(`${name} differs`);
  }
  return { differ, reordered };
}
