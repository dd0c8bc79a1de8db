/** `run`, `demo`, and each stage by name. */
import path from 'node:path';
import type { Config } from '../base/config.js';
import { createProgress } from '../base/progress.js';
import type { ModelRole } from '../base/server-settings.js';
import { readRunFile, RunPaths, stageNames, type StageName } from '../base/run-folder.js';
import { shardText, type Shard } from '../base/shard.js';
import { loadSpec } from '../align/spec/parse.js';
import { scorecardText } from '../evals/scorecard.js';
import { loadPrompts } from '../prompts/load.js';
import { openRunWorkbench } from './open-workbench.js';
import { runStages, shardStages, writeReport, type RunResult } from './run.js';
import { saySpecErrors } from './say-inputs.js';
import { recordServerUsage, serverUsageTable } from './server-usage.js';
import { packageVersion, promptsFile, specFolder } from './settings.js';

export interface RunCommand {
  root: string;
  config: Config;
  stages?: readonly StageName[];
  redo?: StageName;
  shard?: Shard;
  signal: AbortSignal;
}

/** Reads specification and prompts first: a mistake in them shows before a model is loaded. Prints the table at the end. */
export async function runCommand({ root, config, redo, signal, ...given }: RunCommand): Promise<void> {
  const before = await readRunFile(new RunPaths(root));
  // `deliberate judge FOLDER` goes on with the shard that the folder is; `run` wants to be told.
  const shard = given.shard ?? (given.stages === undefined ? undefined : before?.shard);
  const stages = given.stages ?? (shard === undefined ? stageNames : shardStages);
  const progress = createProgress();
  const started = performance.now();
  const spec = await loadSpec(specFolder(config));
  if (stages.length === 1 && stages[0] === 'report') {
    console.log(`Report: ${path.resolve(await writeReport(root, spec))}`);
    return;
  }
  const prompts = await loadPrompts(promptsFile(config), { categories: spec.categories.map(({ name }) => name) });
  saySpecErrors(spec, progress);
  // A run that has begun may have all that the generator gives: a merged one has.
  const connect = rolesOf(stages).filter((role) => role !== 'generator' || before === null);
  const bench = await openRunWorkbench({ config, root }, { progress, signal, connect });
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
      ...(shard && { shard }),
    });
    if (shard !== undefined) tellShard(shard, root, config);
    else tell(result, root, (performance.now() - started) / 60_000);
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
  ...(stages.includes('eval') ? (['grader'] as const) : []),
];

function tellShard(shard: Shard, root: string, { name }: Config): void {
  const all = shard.of === 1 ? root : `${shardRoot(name, { ...shard, index: 1 })} … ${shardRoot(name, { ...shard, index: shard.of })}`;
  console.log(`${root}: shard ${shardText(shard)} is done. When all are here: deliberate merge ${path.join('runs', name)} ${all}`);
}

/** Where a shard goes when nobody says. */
export const shardRoot = (name: string, { index, of }: Shard): string => path.join('runs', `${name}-${index}of${of}`);

function tell({ scorecard, report }: RunResult, root: string, minutes: number): void {
  if (scorecard !== null) console.log(`\n${scorecardText(scorecard)}\n`);
  if (report !== null) console.log(`Report: ${path.resolve(report)}`);
  console.log(`${root}: done in ${minutes.toFixed(1)} minutes.${report === null ? '' : ` Talk to it: deliberate chat ${root}`}`);
}
