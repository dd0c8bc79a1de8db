/**
 * A whole run on the scripted engine, in a process of its own, that may kill itself.
 * argv: run folder, [number of the file operation at which it kills itself, half of it done]
 * Prints `stage <name>` lines, and `operations <n>` at its end. Exit codes are those of the command line.
 */
import { writeSync } from 'node:fs';
import path from 'node:path';
import type { Progress } from '../src/base/progress.js';
import { dieAt, endBadly } from './dying.js';

const [root = '', killAt = '0'] = process.argv.slice(2);

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
  sft: { batchSize: 2, epochs: 3, checkpointEvery: 1 },
  rl: { steps: 4, promptsPerStep: 2, samplesPerPrompt: 3, maxTokens: 400, validateEvery: 1, checkpointEvery: 1 },
  eval: { plain: 1, jailbroken: 1, techniques: 2, maxTokens: 400, arms: ['base', 'sft+rl'] },
};

async function main(): Promise<void> {
  const operations = await dieAt((operation) => operation === Number(killAt));
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
  tell(`operations ${operations()}`);
}

main().catch(endBadly);
