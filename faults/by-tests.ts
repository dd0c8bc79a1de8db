/** Faults that are injected by tests beside the code that meets them: the tests are run, and counted. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../src/base/package-root.js';
import type { FaultOptions, Figures } from './section.js';

/** Fault, and the files whose tests inject it. */
const faults: Record<string, string[]> = {
  'DNS rebinding, requests and forms of other sites, paths out of the folder (the viewer, `serve`, in Chromium too)': [
    'src/view/server.test.ts',
    'src/serve/gate.test.ts',
    'src/serve/server.test.ts',
    'src/serve/browser.test.ts',
    'src/view/browser.test.ts',
  ],
  'A script in every field that a model or a user can fill (viewer, report and study in Chromium)': ['src/view/hostile.test.ts'],
  'Pages in Chromium: no console error, keyboard alone, two colour schemes, narrow screen': [
    'src/report/browser.test.ts',
    'src/studies/browser.test.ts',
  ],
  'Servers: 429 bursts, Retry-After, 5xx, hangs, empty and cut bodies, killed and started again, dead': [
    'src/engines/openai/faults.test.ts',
  ],
  'Tinker services killed between and within steps, or whose answers are lost': ['src/engines/tinker/tinker.test.ts'],
  'Role tokens in what users write; templates that loop, grow or reach for the host': ['src/lm/chat-template.test.ts'],
  'Unknown categories; transforms that change nothing': [
    'src/align/spec/compile.test.ts',
    'src/prompts/jailbreaks/wrap.test.ts',
    'src/evals/attacks/attacks.test.ts',
  ],
  'RL that games its reward': ['src/align/rl-alarms.test.ts'],
  'Trainings that die at every single operation': ['faults/killed-trainings.test.ts'],
};

const Results = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      message: z.string().nullish(),
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string(), fullName: z.string(), failureMessages: z.array(z.string()).nullish() })),
    }),
  ),
});
type FileResult = z.infer<typeof Results>['testResults'][number];

export async function byTests({ home, say }: FaultOptions): Promise<Figures> {
  const figures: Figures = { lines: [], failures: [] };
  const results = await runTests([...new Set(Object.values(faults).flat())], path.join(home, 'tests.json'));
  for (const [fault, files] of Object.entries(faults)) {
    const found = files.map((file) => results.find(({ name }) => path.relative(packageRoot, name) === path.normalize(file)));
    const tests = found.flatMap((file) => file?.assertionResults ?? []);
    const passed = tests.filter(({ status }) => status === 'passed').length;
    figures.lines.push(`${fault}: ${passed} of ${tests.length} tests hold (${files.map((file) => `\`${file}\``).join(', ')}).`);
    say(figures.lines.at(-1)!);
    for (const [i, file] of found.entries()) figures.failures.push(...faultsOf(files[i]!, file));
  }
  return figures;
}

function faultsOf(name: string, file: FileResult | undefined): string[] {
  if (file === undefined) return [`${name} was not run`];
  if (file.assertionResults.length === 0) return [`${name} has no tests: ${file.message ?? file.status}`];
  return file.assertionResults.flatMap(({ status, fullName, failureMessages }) => {
    if (status === 'passed') return [];
    // Pages are tested where there is a Chromium; without one nothing is known of them.
    if (status !== 'failed') return [`${name}: ${fullName}: ${status}`];
    return [`${name}: ${fullName}: ${failureMessages?.[0]?.split('\n')[0] ?? 'failed'}. See it again: npx vitest run ${name}`];
  });
}

/** @throws Error when vitest ends without its results */
async function runTests(files: readonly string[], output: string): Promise<FileResult[]> {
  const vitest = path.join(packageRoot, 'node_modules', 'vitest', 'vitest.mjs');
  const args = ['run', '--reporter=json', `--outputFile=${output}`, ...files];
  const child = spawn(process.execPath, [vitest, ...args], { cwd: packageRoot, stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (data: Buffer) => (errors = (errors + data.toString()).slice(-2000)));
  await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  const text = await readFile(output, 'utf8').catch((error: unknown) => {
    throw new Error(`vitest ended without results: ${errors.trim()}`, { cause: error });
  });
  return Results.parse(JSON.parse(text)).testResults;
}
