/** `run`, `demo`, and each stage by name. */
import path from 'node:path';
import type { Config } from '../base/config.js';
import { createProgress } from '../base/progress.js';
import type { ModelRole } from '../base/server-settings.js';
import { stageNames, type StageName } from '../base/run-folder.js';
import { loadSpec } from '../align/spec/parse.js';
import { scorecardText } from '../evals/scorecard.js';
import { loadPrompts } from '../prompts/load.js';
import { openWorkbench } from './open-workbench.js';
import { runStages, writeReport, type RunResult } from './run.js';
import { recordServerUsage, serverUsageTable } from './server-usage.js';
import { packageVersion, promptsFile, specFolder } from './settings.js';

export interface RunCommand {
  root: string;
  config: Config;
  stages?: readonly StageName[];
  redo?: StageName;
  signal: AbortSignal;
}

/** Reads specification and prompts first: a mistake in them shows before a model is loaded. Prints the table at the end. */
export async function runCommand({ root, config, stages = stageNames, redo, signal }: RunCommand): Promise<void> {
  const progress = createProgress();
  const started = performance.now();
  const spec = await loadSpec(specFolder(config));
  if (stages.length === 1 && stages[0] === 'report') {
    console.log(`Report: ${path.resolve(await writeReport(root, spec))}`);
    return;
  }
  const prompts = await loadPrompts(promptsFile(config));
  const bench = await openWorkbench({
    engine: config.engine,
    seed: config.seed,
    progress,
    signal,
    servers: config,
    cacheFolder: path.join(root, 'cache'),
    connect: rolesOf(stages),
  });
  try {
    const result = await runStages({
      root,
      config,
      spec,
      prompts,
      bench,
      progress,
      codeVersion: await packageVersion(),
      stages,
      signal,
      ...(redo && { redo }),
    });
    tell(result, root, (performance.now() - started) / 60_000);
  } finally {
    const usage = bench.usage?.() ?? [];
    if (usage.length > 0) progress.say(`Servers:\n${serverUsageTable(usage)}`);
    await recordServerUsage(root, usage);
    await bench.close();
  }
}

/** Whose servers these stages are sure to ask. */
const rolesOf = (stages: readonly StageName[]): ModelRole[] => [
  ...(stages.includes('generate') ? (['generator'] as const) : []),
  ...(stages.includes('judge') || stages.includes('rl') ? (['judge'] as const) : []),
];

function tell({ scorecard, report }: RunResult, root: string, minutes: number): void {
  if (scorecard !== null) console.log(`\n${scorecardText(scorecard)}\n`);
  if (report !== null) console.log(`Report: ${path.resolve(report)}`);
  console.log(`${root}: done in ${minutes.toFixed(1)} minutes.${report === null ? '' : ` Talk to it: deliberate chat ${root}`}`);
}
