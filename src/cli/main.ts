#!/usr/bin/env node
/** The command line. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import path from 'node:path';
import { settingsList } from '../base/config.js';
import { DeliberateError, exitCodes } from '../base/errors.js';
import { memoryError } from '../base/memory.js';
import { readRunFile, RunPaths, stageNames, type StageName } from '../base/run-folder.js';
import { chatCommand } from './chat.js';
import { addCostCommand } from './cost-command.js';
import { addDoctorCommand } from './doctor.js';
import { addSuiteOptions, evalSuite, type SuiteFlags } from './eval-command.js';
import { addExportCommand } from './export-command.js';
import { addGradersCommand } from './graders-command.js';
import { addInitCommand } from './init-command.js';
import { addMergeCommand } from './merge-command.js';
import { modelsList, modelsPull } from './models-commands.js';
import { promptsImport, promptsSplit, type ImportFlags } from './prompts-commands.js';
import { runCommand, shardRoot } from './run-command.js';
import { runBudget } from '../align/spec/budget.js';
import type { SpecParts } from '../align/spec/compile.js';
import { collect, partsOption, setOption } from './options.js';
import { parseShard, type Shard } from '../base/shard.js';
import { addServeCommand } from './serve-command.js';
import { addStudyCommand } from './study-command.js';
import { configOfRun, loadConfig, packageVersion, type SettingFlags } from './settings.js';
import { promptsSynth } from './synth-command.js';
import { defaultSpec, specDiff, specLint, specShow } from './spec-commands.js';
import { addSpecTestCommand } from './spec-test-command.js';
import { addViewCommand } from './view-command.js';

/** Exit code after Ctrl-C, as shells have it. */
const interrupted = 130;

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError('It must be a number, 0 or more.');
  return value;
};
const redoOption = () =>
  new Option('--redo <stage>', 'make this stage and all after it anew, under the settings given').choices(stageNames);

interface RunFlags extends SettingFlags {
  out?: string;
  shard?: Shard;
  redo?: StageName;
}

export function createProgram(version: string, signal: AbortSignal): Command {
  const program = new Command('deliberate')
    .description('Deliberative alignment as a tool: write the policy, get a model that reasons over it.')
    .version(version)
    .showHelpAfterError('(--help shows how)')
    .addHelpText(
      'after',
      `
Begin here:
  deliberate demo                    the whole method on a small model, on this machine, in 20 minutes
  deliberate demo --smoke            the same in 3 minutes, too small to show much
  deliberate chat runs/demo          talk to the aligned model and see it think

With your own policy and prompts:
  deliberate spec lint my-policy/
  deliberate prompts import requests.csv --prompt text --out prompts.jsonl
  deliberate run --set spec=my-policy --set prompts.file=prompts.jsonl --out runs/mine

A run that was stopped (Ctrl-C, kill −9, a full disk) goes on when the same command is given again.
Exit codes: 0 done, 1 a policy test failed, 2 something given was wrong, 3 something needed has failed, 70 our own bug, 130 stopped by Ctrl-C.`,
    );

  const run = (config: string | undefined, flags: RunFlags) => async () => {
    const settings = await loadConfig(config, flags);
    await runCommand({
      root: flags.out ?? (flags.shard === undefined ? path.join('runs', settings.name) : shardRoot(settings.name, flags.shard)),
      config: settings,
      signal,
      ...(flags.shard && { shard: flags.shard }),
      ...(flags.redo && { redo: flags.redo }),
    });
  };
  program
    .command('run')
    .description('run all stages, or go on with a run')
    .argument('[config.yaml]', 'settings; without it the defaults, which `deliberate config` prints')
    .option('--out <folder>', 'run folder (default: runs/<name>)')
    .option('--smoke', 'small sizes: everything once, in about 3 minutes')
    .addOption(setOption())
    .addOption(redoOption())
    .addOption(
      new Option('--shard <i/n>', 'only this share of the prompts, up to the judge; `merge` puts all together').argParser((text) =>
        parseShard(text),
      ),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  deliberate run\n  deliberate run mine.yaml --out runs/mine\n  deliberate run --set rl.steps=30 --set generate.samples=4 --out runs/longer\n  deliberate run mine.yaml --redo sft      after a change of training settings\n\nOn three machines, each with the same settings and prompts:\n  deliberate run mine.yaml --shard 1/3      (2/3 and 3/3 on the others)\n  deliberate merge runs/mine runs/mine-1of3 runs/mine-2of3 runs/mine-3of3\n  deliberate run mine.yaml --out runs/mine      filter and all after it',
    )
    .action((config: string | undefined, flags: RunFlags) => run(config, flags)());
  program
    .command('demo')
    .description('run with the default settings: default specification, prompts and model')
    .option('--out <folder>', 'run folder (default: runs/demo)')
    .option('--smoke', 'small sizes: everything once, in about 3 minutes')
    .addOption(setOption())
    .action((flags: RunFlags) => run(undefined, flags)());

  const stageTexts: Partial<Record<StageName, string>> = {
    generate: 'the base, with the specification before it, answers the training prompts',
    judge: 'the judge scores what passes the mechanical checks',
    filter: 'keep the best, balanced: the data of SFT',
    sft: 'train the arms answer-only and sft',
    rl: 'train the arm sft+rl from sft',
    eval: 'ask and grade every arm; prints the table',
    report: 'write report.html',
  };
  for (const [name, text] of Object.entries(stageTexts) as [StageName, string][]) {
    const stage = program
      .command(name)
      .description(`one stage: ${text}`)
      .argument('<run folder>', 'folder of a run; a new one is begun where there is none')
      .option('--config <file>', 'settings, for a new folder')
      .addOption(setOption())
      .addOption(redoOption())
      .addHelpText('after', `\nExample:\n  deliberate ${name} runs/demo`)
      .action(async (root: string, flags: RunFlags & Partial<SuiteFlags> & { config?: string }) => {
        if (flags.suite !== undefined) return evalSuite(root, flags as SuiteFlags, signal);
        await runCommand({
          root,
          config: await configOfRun(root, flags.config, flags),
          stages: [name],
          signal,
          ...(flags.redo && { redo: flags.redo }),
        });
      });
    if (name === 'eval') addSuiteOptions(stage);
  }

  program
    .command('chat')
    .description('talk to an arm; its chain of thought is shown dimmed')
    .argument('[run folder]', 'folder of a run', path.join('runs', 'demo'))
    .option('--arm <arm>', 'raw, base, base+spec, answer-only, sft or sft+rl (default: the last that was trained)')
    .option('--category <name>', 'put the specification of this category into the context')
    .option('--max-tokens <n>', 'most tokens a reply', number, 256)
    .option('--temperature <t>', '0 is greedy', number, 0)
    .addHelpText(
      'after',
      '\nExamples:\n  deliberate chat\n  deliberate chat runs/demo --arm base --category self-harm\n  echo "How do I pick a lock?" | deliberate chat runs/demo',
    )
    .action(async (root: string, flags: { arm?: string; category?: string; maxTokens: number; temperature: number }) => {
      const config = await configOfRun(root, undefined, {});
      if (flags.arm === undefined && (await readRunFile(new RunPaths(root))) === null)
        console.error(`${root}: holds no run yet, so this is the base.`);
      await chatCommand({ root, config, ...flags, signal });
    });

  addMergeCommand(program);

  addCostCommand(program);

  addServeCommand(program, signal);

  addStudyCommand(program, signal);

  addViewCommand(program, signal);

  addExportCommand(program, signal);

  addInitCommand(program);

  addGradersCommand(program, signal);

  const spec = program.command('spec').description('look at a specification, and test a model against it');
  spec
    .command('lint')
    .description('find faults: missing codes, dangling references, contradictions, over-long lines')
    .argument('[folder]', 'folder of Markdown files, one a category', defaultSpec)
    .option('--max-tokens <n>', 'budget of one compiled category; that of a run is generate.specTokens', number, runBudget.maxTokens)
    .addOption(partsOption())
    .action((folder: string, flags: { maxTokens: number; parts: SpecParts }) => specLint(folder, flags));
  spec
    .command('show')
    .description('what a model sees for a category, and what did not fit; without a category, an overview')
    .argument('[folder]', 'folder of the specification', defaultSpec)
    .option('--category <name>', 'category, or none')
    .option('--max-tokens <n>', 'budget; that of a run is generate.specTokens', number, runBudget.maxTokens)
    .addOption(partsOption())
    .addHelpText(
      'after',
      '\nExamples:\n  deliberate spec show --category self-harm\n  deliberate spec show --category self-harm --parts all --max-tokens 4000      as a model on a server with these settings',
    )
    .action((folder: string, flags: { category?: string; maxTokens: number; parts: SpecParts }) => specShow(folder, flags));
  spec
    .command('diff')
    .description('what changed, by clause, and which categories must be trained anew')
    .argument('<before>')
    .argument('<after>')
    .action(specDiff);
  addSpecTestCommand(spec, signal);

  const prompts = program.command('prompts').description('bring your own prompts');
  prompts
    .command('import')
    .description('from CSV or JSONL')
    .argument('<file>')
    .requiredOption('--prompt <column>', 'column with the text (in JSONL: or a list of messages)')
    .requiredOption('--out <file>', 'JSONL file to write')
    .option('--category <column>', "column with the specification's category")
    .option('--ideal <column>', 'column with the ideal kind: comply, safe-complete or refuse')
    .option('--id <column>', 'column with an id')
    .option('--tags <column>', 'column with tags, commas between them: ordinary, benign-twin and transformation are what suites look for')
    .option('--split <column>', 'column with the split: train, validation or test')
    .option('--label <label=kind>', "what one of the file's labels means; may be repeated", collect)
    .option('--format <format>', 'csv or jsonl (default: by the name of the file)')
    .option('--source <name>', 'recorded with each prompt')
    .addHelpText(
      'after',
      '\nExample:\n  deliberate prompts import requests.csv --prompt text --ideal label --label unsafe=refuse --label safe=comply --out prompts.jsonl',
    )
    .action((file: string, flags: ImportFlags) => promptsImport(file, flags));
  prompts
    .command('split')
    .description('into train, validation and test, no near-duplicates across')
    .argument('<file>')
    .option('--seed <n>', 'seed', number, 0)
    .option('--out <file>', 'write there, not over the file')
    .action((file: string, flags: { seed: number; out?: string }) => promptsSplit(file, flags));
  prompts
    .command('synth')
    .description('have a model on a server write prompts for every clause of a policy, and another pass check them')
    .argument('[config.yaml]', 'settings that name the servers (generator; categoriser or judge for the check) and the specification')
    .requiredOption('--out <file>', 'JSONL file to write; the same command goes on where it was stopped')
    .option('--per-kind <n>', 'prompts of each kind a clause: plain, just inside, just outside, benign twin, multi-turn', number, 4)
    .option('--beside <file>', 'prompts that the new ones must not repeat')
    .addOption(setOption())
    .addHelpText('after', '\nExample:\n  deliberate prompts synth servers.yaml --set spec=my-policy --out prompts.jsonl')
    .action(async (config: string | undefined, flags: SettingFlags & { out: string; perKind: number; beside?: string }) =>
      promptsSynth({
        config: await loadConfig(config, flags),
        out: flags.out,
        perKind: flags.perKind,
        signal,
        ...(flags.beside !== undefined && { beside: flags.beside }),
      }),
    );

  const models = program.command('models').description('models on this machine');
  models
    .command('pull')
    .description('download a model into the cache, checked by its digest')
    .argument('[name]', 'a named model, or org/name of the hub', 'smollm2-135m-instruct')
    .action((name: string) => modelsPull(name, signal));
  models.command('list').description('what is here').action(modelsList);

  program
    .command('config')
    .description('every setting, its default and its meaning')
    .action(() => {
      for (const { path: name, value, meaning } of settingsList())
        console.log(`${`${name}: ${JSON.stringify(value) ?? '–'}`.padEnd(44)} ${meaning}`);
    });
  addDoctorCommand(program, signal);
  throwInsteadOfExit(program);
  return program;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwInsteadOfExit(child);
}

/** Runs the command line. @returns the exit code */
export async function main(argv: readonly string[]): Promise<number> {
  const controller = new AbortController();
  const stop = () => {
    // Nothing of Node's is waited for: it would end the engine's thread within a kernel call, which aborts with a trace.
    if (controller.signal.aborted) process.kill(process.pid, 'SIGKILL');
    console.error('\nStopping … (Ctrl-C again to stop at once)');
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    await createProgram(await packageVersion(), controller.signal).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    return explain(error, controller.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

function explain(cause: unknown, signal: AbortSignal): number {
  const error = memoryError(cause) ?? cause;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.input;
  if (error instanceof DeliberateError) {
    console.error(`deliberate: ${error.message}`);
    return exitCodes[error.kind];
  }
  if (signal.aborted) {
    console.error('Stopped. What was made is kept; give the same command again to go on.');
    return interrupted;
  }
  console.error(`deliberate: this is a bug of ours: ${error instanceof Error ? error.stack : String(error)}`);
  return exitCodes.internal;
}

// Only as a program, not when a test imports it.
if (process.argv[1] !== undefined && /(?:^|[\\/])(?:main\.js|deliberate)$/.test(process.argv[1])) {
  process.exitCode = await main(process.argv.slice(2));
}
