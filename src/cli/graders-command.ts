/** `graders`: how far the graders of kinds and styles agree with each other and with labelled outputs. */
import { setMaxListeners } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { writeTextAtomically } from '../base/atomic-text.js';
import { roleSections, type Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { createProgress, type Progress } from '../base/progress.js';
import { loadSpec } from '../align/spec/parse.js';
import { namedServers } from '../engines/openai/servers.js';
import { agreementText, compareGraders, labelledOutputsFile, readLabelled, type Comparison } from '../evals/grader-agreement.js';
import { openEvalJudge } from '../evals/judged/eval-judge.js';
import { compareStyles, labelledStylesFile, readStyles } from '../evals/style-agreement.js';
import { serverUsageTable } from './server-usage.js';
import { setOption } from './options.js';
import { loadConfig, specFolder, type SettingFlags } from './settings.js';

interface GradersFlags extends SettingFlags {
  labels: string;
  styles: string;
  out?: string;
}

export function addGradersCommand(program: Command, signal: AbortSignal): void {
  program
    .command('graders')
    .description('agreement of the rules, a judge and labels given by hand on kind and style of answers (Cohen’s kappa)')
    .argument('[config.yaml]', 'settings that name a judge on a server (eval.judge, else judge); without one: rules and labels alone')
    .option('--labels <file>', 'JSONL of {prompt, output, kind, rationale}', labelledOutputsFile)
    .option('--styles <file>', 'JSONL of {prompt, output, style, follows, rationale}', labelledStylesFile)
    .option('--out <file>', 'write the figures as JSON as well')
    .addOption(setOption())
    .addHelpText(
      'after',
      '\nExample:\n  deliberate graders --set eval.judge.engine=openai --set eval.judge.baseUrl=http://127.0.0.1:8000 --set eval.judge.model=NAME --out agreement.json',
    )
    .action(async (config: string | undefined, flags: GradersFlags) => {
      const { labels, styles, out } = flags;
      const found = await gradersAgreement({ config: await loadConfig(config, flags), labels, styles, signal });
      console.log(agreementText(found.comparisons));
      if (out !== undefined) await writeTextAtomically(out, `${JSON.stringify(found, null, 1)}\n`);
    });
}

export interface GradersAgreement {
  config: Config;
  labels: string;
  styles: string;
  signal: AbortSignal;
  progress?: Progress;
}

/** What `--out` writes. */
export interface AgreementFigures {
  schemaVersion: 1;
  /** Names of the files of labels. */
  labels: { kind: string; style: string };
  /** The judge's model; null: no judge was configured. */
  judge: string | null;
  /** Intervals: 95 %, over prompts. */
  comparisons: Comparison[];
}

/** @throws input error when there is no file of labels, or a line in it is none */
export async function gradersAgreement(options: GradersAgreement): Promise<AgreementFigures> {
  const { config, labels, styles, signal, progress = createProgress() } = options;
  setMaxListeners(0, signal);
  for (const file of [labels, styles])
    if (!existsSync(file))
      throw inputError(
        `${file}: there is no file of labelled outputs, so there is nothing to compare the graders with. Label real outputs by hand, a line each as docs/SUITES.md says, or name a file with --labels or --styles.`,
      );
  const [outputs, styled] = [await readLabelled(labels), await readStyles(styles)];
  const spec = await loadSpec(specFolder(config));
  const { seed } = config;
  const servers = namedServers({ sections: roleSections(config), signal, say: progress.say });
  const server = servers.byRole.grader ?? servers.byRole.judge;
  if (server === undefined) progress.say('No judge is configured on a server: the rules alone are compared with the labels.');
  try {
    const judge = server === undefined ? null : await openEvalJudge(server, { seed, signal });
    const task = progress.task('graders', judge === null ? 0 : outputs.length + styled.length);
    const comparisons = [
      ...(await compareGraders(outputs, judge, seed, () => task.advance())),
      ...(await compareStyles(styled, judge, { spec, seed }, () => task.advance())),
    ];
    task.done();
    return {
      schemaVersion: 1,
      labels: { kind: path.basename(labels), style: path.basename(styles) },
      judge: judge?.model.name ?? null,
      comparisons,
    };
  } finally {
    const usage = servers.usage();
    if (usage.length > 0) progress.say(serverUsageTable(usage));
    await servers.close();
  }
}
