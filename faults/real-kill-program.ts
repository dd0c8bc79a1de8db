/**
 * What `deliberate demo --smoke` does, in a process of its own, that may kill itself.
 * argv: run folder, [stage=number of the file operation of that stage at which it kills itself, half of it done] …
 * Prints `stage <name> <operations so far>` as stages begin, and `end <operations>`. Exit codes are those of the command line.
 */
import { writeSync } from 'node:fs';
import type { Progress } from '../src/base/progress.js';
import { dieAt, endBadly } from './dying.js';

const [root = '', ...kills] = process.argv.slice(2);
const killAt = new Map(kills.map((kill) => kill.split('=') as [string, string]));
/** The stage that is under way, and the operations before it. */
let current = { stage: '', before: 0 };
const operations = await dieAt((operation) => operation - current.before === Number(killAt.get(current.stage)));

const tell = (line: string) => void writeSync(1, `${line}\n`);

function begin(stage: string): void {
  if (stage !== current.stage) current = { stage, before: operations() };
  tell(`stage ${stage} ${operations()}`);
}

const progress: Progress = {
  task: (title) => {
    begin(title.split(' ')[0] as string);
    return { advance: () => undefined, done: () => undefined };
  },
  say: (line) => tell(`said ${line.split('\n')[0]}`),
};

async function main(): Promise<void> {
  const { loadSpec } = await import('../src/align/spec/parse.js');
  const { openWorkbench } = await import('../src/cli/open-workbench.js');
  const { runStages } = await import('../src/cli/run.js');
  const { loadConfig, packageVersion, promptsFile, specFolder } = await import('../src/cli/settings.js');
  const { loadPrompts } = await import('../src/prompts/load.js');
  const config = await loadConfig(undefined, { smoke: true });
  const spec = await loadSpec(specFolder(config));
  const prompts = await loadPrompts(promptsFile(config));
  begin('start');
  const bench = await openWorkbench({ engine: config.engine, seed: config.seed, progress });
  try {
    await runStages({ root, config, spec, prompts, bench, progress, codeVersion: await packageVersion() });
  } finally {
    await bench.close();
  }
  tell(`end ${operations()}`);
}

main().catch(endBadly);
