/** `study`: every study of the paper over runs that share their data, and a scorecard. */
import type { Command } from 'commander';
import { Option } from 'commander';
import path from 'node:path';
import { mergeSettings, parseConfig, smokeSettings } from '../base/config.js';
import { createProgress } from '../base/progress.js';
import { choosePrompts } from '../align/prepare.js';
import { loadSpec } from '../align/spec/parse.js';
import { loadPrompts } from '../prompts/load.js';
import { parseStudySettings, quickStudySettings } from '../studies/config.js';
import { studyText } from '../studies/results.js';
import { runStudies } from '../studies/run-studies.js';
import { studyNames, type StudyName } from '../studies/study.js';
import { chosenSets, withFiles } from '../studies/suites-study.js';
import { openArm } from './arms.js';
import { suiteSizesOf } from './evaluate-arms.js';
import { openRunWorkbench } from './open-workbench.js';
import { setOption } from './options.js';
import { runStages } from './run.js';
import { recordServerUsage, serverUsageTable } from './server-usage.js';
import { packageVersion, promptsFile, readSettings, setsOf, specFolder } from './settings.js';

export interface StudyFlags {
  out?: string;
  quick?: boolean;
  only?: StudyName[];
  set?: string[];
}

/** Adds the command to the program. */
export function addStudyCommand(program: Command, signal: AbortSignal): void {
  program
    .command('study')
    .description(
      'run the studies of the paper: headline arms over seeds, ablations, generalisation, compute, a policy change, faithfulness, judge, further suites',
    )
    .argument('[config.yaml]', 'settings of a run, with a section `study`; see docs/STUDIES.md')
    .option('--out <folder>', 'folder of the study (default: runs/<name>-study)')
    .option('--quick', 'small sizes and one seed: everything once')
    .addOption(new Option('--only <name...>', 'these studies alone; the others keep what they have found').choices(studyNames))
    .addOption(setOption())
    .addHelpText(
      'after',
      '\nExamples:\n  deliberate study --quick\n  deliberate study mine.yaml --only headline\n  deliberate study mine.yaml --set study.seeds=[0] --set eval.plain=24\n\nA study that was stopped goes on when the same command is given again. study.html, study.json and study.csv are written after each study.',
    )
    .action((file: string | undefined, flags: StudyFlags) => studyCommand(file, flags, signal));
}

/** @throws input error naming the setting that cannot be used */
export async function studyCommand(file: string | undefined, flags: StudyFlags, signal: AbortSignal): Promise<void> {
  const source = file ?? (flags.set?.length ? '--set' : 'settings');
  const { config, settings } = await studySettings(file, flags, source);
  const root = flags.out ?? path.join('runs', `${config.name}-study${flags.quick === true ? '-quick' : ''}`);
  const progress = createProgress();
  const spec = await loadSpec(specFolder(config));
  const prompts = await loadPrompts(promptsFile(config));
  if (flags.only?.includes('suites') !== false) {
    const first = { ...config, seed: settings.seeds[0]! };
    await chosenSets(settings, first, choosePrompts(prompts, config.prompts, first.seed).test);
  }
  const bench = await openRunWorkbench({ config, root }, { seed: settings.seeds[0]!, progress, signal, connect: ['generator', 'judge'] });
  try {
    const card = await runStudies({
      root,
      config,
      settings,
      quick: flags.quick === true,
      spec,
      prompts,
      bench,
      progress,
      codeVersion: await packageVersion(),
      pipeline: { run: runStages, openArm, suiteSizes: suiteSizesOf },
      signal,
      ...(flags.only && { only: flags.only }),
    });
    console.log(`\n${studyText(card)}\n\nScorecard: ${path.resolve(root, 'study.html')}`);
  } finally {
    const usage = bench.usage?.() ?? [];
    if (usage.length > 0) progress.say(`Servers:\n${serverUsageTable(usage)}`);
    await recordServerUsage(root, usage);
    await bench.close();
  }
}

/** Defaults, then the file, then --quick, then --set; the section `study` apart. */
async function studySettings(file: string | undefined, flags: StudyFlags, source: string) {
  const given = file === undefined ? {} : ((await readSettings(file)) as { name?: unknown });
  // The sizes of --quick hold against a file's, which are those of the whole study.
  const quick = flags.quick === true ? { ...smokeSettings, name: given.name ?? 'demo', study: quickStudySettings } : {};
  const merged = mergeSettings(mergeSettings(given, quick), setsOf(flags)) as Record<string, unknown>;
  const { study, ...run } = merged;
  const settings = parseStudySettings(study, source);
  const labels = settings.judge.labels;
  const folder = file === undefined ? process.cwd() : path.dirname(path.resolve(file));
  return {
    config: parseConfig(run, source),
    settings: {
      ...settings,
      suites: await withFiles(settings.suites, folder),
      ...(labels !== undefined && { judge: { ...settings.judge, labels: path.resolve(folder, labels) } }),
    },
  };
}
