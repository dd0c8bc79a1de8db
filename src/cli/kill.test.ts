/** kill −9 of a real process, at any instant, then the same command again. Runs the compiled code. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packageRoot } from '../base/package-root.js';

let home: string;
let program: string;
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-kill-'));
  program = path.join(home, 'run.mjs');
  const from = (module: string) => JSON.stringify(pathToFileURL(path.join(packageRoot, 'dist', 'src', module)).href);
  await writeFile(
    program,
    `import { parseConfig } from ${from('base/config.js')};
import { silent } from ${from('base/progress.js')};
import { loadSpec } from ${from('align/spec/parse.js')};
import { createScriptedWorkbench } from ${from('engines/scripted.js')};
import { loadPrompts } from ${from('prompts/load.js')};
import { runStages } from ${from('cli/run.js')};
const [root, spec, prompts] = process.argv.slice(2);
const config = parseConfig({
  prompts: { train: 16, ordinary: 4, validation: 4 }, generate: { samples: 2, maxTokens: 400 }, judge: { maxTokens: 400 }, filter: { threshold: 0.5 },
  sft: { batchSize: 2, checkpointEvery: 1 }, rl: { steps: 4, promptsPerStep: 2, samplesPerPrompt: 3, maxTokens: 400, validateEvery: 1, checkpointEvery: 1 },
  eval: { plain: 1, jailbroken: 1, techniques: 2, maxTokens: 400, arms: ['base', 'sft+rl'] },
}, 'test');
const given = { root, config, spec: await loadSpec(spec), prompts: await loadPrompts(prompts), bench: createScriptedWorkbench(), progress: silent, codeVersion: '1' };
process.stdout.write('ready');
await runStages(given);
`,
  );
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** Runs the program; kills it so many ms after it began to work. @returns whether it came to its end, in how many ms */
function run(root: string, killAfter?: number): Promise<{ ended: boolean; ms: number }> {
  return new Promise((resolve, reject) => {
    const args = [program, root, path.join(packageRoot, 'spec'), path.join(packageRoot, 'data', 'prompts.jsonl')];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let start = 0;
    let errors = '';
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    child.stdout.on('data', () => {
      start = performance.now();
      if (killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfter);
    });
    child.on('exit', (code, signal) =>
      code === 0 || signal === 'SIGKILL' ? resolve({ ended: code === 0, ms: performance.now() - start }) : reject(new Error(errors)),
    );
  });
}

async function contents(root: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(root, { recursive: true })).sort()) {
    if (!(await stat(path.join(root, name))).isFile()) continue;
    const text = (await readFile(path.join(root, name), 'utf8')).replace(/"seconds":[\d.e-]+/g, '"seconds":0');
    files[name] = name.endsWith('.jsonl') ? text.split('\n').sort().join('\n') : text;
  }
  return files;
}

it('loses and doubles nothing', async () => {
  const whole = path.join(home, 'whole', 'run');
  const { ms } = await run(whole);
  const expected = await contents(whole);
  expect(Object.keys(expected).length).toBeGreaterThan(25);
  const root = path.join(home, 'killed', 'run');
  let kills = 0;
  for (const share of [0.1, 0.3, 0.35, 0.5]) if (!(await run(root, share * ms)).ended) kills++;
  expect(kills).toBeGreaterThan(1);
  expect((await run(root)).ended).toBe(true);
  const after = await contents(root);
  // Half-written files that a later write under the same name did not sweep away carry the dead process's id.
  for (const name of Object.keys(after)) if (/(^|[\\/])\.[^\\/]+\.\d+\.new$/.test(name)) delete after[name];
  expect(after).toEqual(expected);
}, 60_000);
