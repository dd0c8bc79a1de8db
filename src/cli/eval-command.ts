/** `eval <run> --suite NAME`: a public set out of the user's file, or one of our own, on arms of a finished run. */
import { setMaxListeners } from 'node:events';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { armNames, configDifferences, type ArmName } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { createProgress } from '../base/progress.js';
import { readRunFile, RunFolder, RunPaths } from '../base/run-folder.js';
import { inStage } from '../base/stage-scope.js';
import { specsOf } from '../align/compiled-specs.js';
import { loadSpec } from '../align/spec/parse.js';
import { finishedKey } from '../align/training-folder.js';
import type { StageContext } from '../align/stage.js';
import { techniqueHelp } from '../evals/attacks/techniques.js';
import { ratesText, scorecardText } from '../evals/scorecard.js';
import { evaluationSets, setNamed } from '../evals/sets/all-sets.js';
import { evaluateSuite, readChoice } from './evaluate-suite.js';
import { openRunWorkbench } from './open-workbench.js';
import { recordServerUsage, serverUsageTable } from './server-usage.js';
import { configOfRun, packageVersion, specFolder, type SettingFlags } from './settings.js';

export interface SuiteFlags extends SettingFlags {
  suite: string;
  file?: string;
  arm?: ArmName[];
  requests: number;
  technique?: string[];
  suffixes?: string;
}

const atLeastOne = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
};

/** Adds to the stage `eval` what it needs to ask a set. */
export function addSuiteOptions(command: Command): void {
  const widest = Math.max(...evaluationSets.map(({ name }) => name.length));
  command
    .option('--suite <name>', 'ask this set instead of the suites of the run')
    .option('--file <file>', 'the published file of a public set')
    .addOption(
      new Option('--arm <arm>', 'arm to ask; may be repeated (default: those of the settings that were trained)')
        .choices(armNames)
        .argParser((value: string, before: ArmName[] | undefined) => {
          if (!(armNames as readonly string[]).includes(value)) throw new InvalidArgumentError(`It must be one of ${armNames.join(', ')}.`);
          return [...(before ?? []), value as ArmName];
        }),
    )
    .option('--requests <n>', 'most requests of each part of the set', atLeastOne, Infinity)
    .option('--technique <name>', 'put forbidden requests into this; may be repeated', (value: string, before: string[] | undefined) => [
      ...(before ?? []),
      value,
    ])
    .option('--suffixes <file>', 'suffixes for gcg_transfer_<name>, a line "name: suffix" each')
    .addHelpText(
      'after',
      `  deliberate eval runs/demo --suite xstest --file xstest_v2_prompts.csv --requests 50
  deliberate eval runs/demo --suite strongreject --file strongreject_dataset.csv --arm base --arm sft --technique held-out --technique pap
  deliberate eval runs/demo --suite simplesafetytests --file sst.csv --technique poems+base64

Sets:
${evaluationSets.map(({ name, text, format }) => `  ${name.padEnd(widest)}  ${text}${format === null ? '' : `\n  ${' '.repeat(widest)}  ${format}`}`).join('\n')}

Techniques: ${techniqueHelp}
A judge or an attacker on a server is named with --set judge.… and --set attacker.…; docs/SERVERS.md shows how.`,
    );
}

/** Settings that may differ from the run's: they change how answers are graded and attacked, not what was trained. */
const free = /^(judge|attacker|eval)\.|^(judge|attacker)$|^engine\.(memoryGb|threads)$|^(name|spec)$/;

/** @throws input error for flags, files and settings that cannot be used, all before a model is loaded */
export async function evalSuite(root: string, flags: SuiteFlags, signal: AbortSignal): Promise<void> {
  // Each request in flight listens; hundreds are no leak.
  setMaxListeners(0, signal);
  const paths = new RunPaths(root);
  const run = await readRunFile(paths);
  if (run === null) throw inputError(`${root}: holds no run. Make one with \`deliberate run --out ${root}\` first.`);
  const config = await configOfRun(root, undefined, flags);
  const other = configDifferences(run.config, config).find((one) => !free.test(one.path));
  if (other !== undefined)
    throw inputError(
      `--set ${other.path}: the run was made with other settings; with --suite only those of judge, attacker and eval may change.`,
    );
  const choice = {
    set: setNamed(flags.suite),
    file: flags.file,
    arms: flags.arm ?? (await trainedArms(paths, config.eval.arms)),
    requests: flags.requests,
    techniques: flags.technique,
    suffixes: flags.suffixes,
  };
  await readChoice(choice, { config, paths });
  const progress = createProgress();
  const spec = await loadSpec(specFolder(config));
  const bench = await openRunWorkbench({ config, root }, { progress, signal, connect: ['judge', 'grader'] });
  try {
    const lost = new AbortController();
    const digests = { ...run.digests, ...bench.digests };
    // The run's own settings: those of this command are not the run's.
    const folder = await RunFolder.open(root, {
      config: run.config,
      digests,
      codeVersion: await packageVersion(),
      onLost: (error) => lost.abort(error),
    });
    try {
      const either = AbortSignal.any([lost.signal, signal]);
      setMaxListeners(0, either);
      const context: StageContext = { paths, config, specs: specsOf(spec, config, bench), bench, progress, signal: either };
      const card = await inStage('eval', () => evaluateSuite(context, choice));
      const rates = ratesText(card);
      console.log(`\n${scorecardText(card)}\n${rates === '' ? '' : `\n${rates}\n`}`);
      console.log(`${paths.scorecard()}: holds it beside the other suites. Next: deliberate report ${root}`);
    } finally {
      await folder.close();
    }
  } finally {
    const usage = bench.usage?.() ?? [];
    if (usage.length > 0) progress.say(`Servers:\n${serverUsageTable(usage)}`);
    await recordServerUsage(root, usage);
    await bench.close();
  }
}

/** Arms of the settings that can be asked: those that need no training, and those whose training is finished. */
async function trainedArms(paths: RunPaths, arms: readonly ArmName[]): Promise<ArmName[]> {
  const stage = { 'answer-only': 'sft', sft: 'sft', 'sft+rl': 'rl' } as const;
  const known = await Promise.all(
    arms.map(async (arm) => {
      if (arm === 'raw' || arm === 'base' || arm === 'base+spec') return true;
      return (await finishedKey(paths.training(arm, stage[arm]))) !== null;
    }),
  );
  return arms.filter((_, i) => known[i]);
}
