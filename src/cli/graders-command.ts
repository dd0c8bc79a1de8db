/** `graders`: how far the graders of response kinds agree with each other and with labelled outputs. */
import { setMaxListeners } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { inputError } from '../base/errors.js';
import { packageRoot } from '../base/package-root.js';
import { createProgress, type Progress } from '../base/progress.js';
import type { Config } from '../base/config.js';
import { namedServers } from '../engines/openai/servers.js';
import { agreementText, compareGraders, readLabelled, type Comparison } from '../evals/grader-agreement.js';
import type { EvalJudge } from '../evals/judged/eval-judge.js';
import { LoggedModel } from '../evals/logged-model.js';
import { serverUsageTable } from './server-usage.js';
import { setOption } from './options.js';
import { loadConfig, type SettingFlags } from './settings.js';

/** Where the labels lie that this project keeps. */
const defaultLabels = path.join(packageRoot, 'data', 'labelled-outputs.jsonl');

export function addGradersCommand(program: Command, signal: AbortSignal): void {
  program
    .command('graders')
    .description('agreement of the rules, a judge and labels given by hand on the kind of an answer (Cohen’s kappa)')
    .argument('[config.yaml]', 'settings that name a judge on a server; without one the rules alone are compared with the labels')
    .option('--labels <file>', 'JSONL of {prompt, output, kind, rationale}', defaultLabels)
    .addOption(setOption())
    .addHelpText(
      'after',
      '\nExample:\n  deliberate graders --set judge.engine=openai --set judge.baseUrl=http://127.0.0.1:8000 --set judge.model=NAME',
    )
    .action(async (config: string | undefined, flags: SettingFlags & { labels: string }) => {
      const comparisons = await gradersAgreement({ config: await loadConfig(config, flags), labels: flags.labels, signal });
      console.log(agreementText(comparisons));
    });
}

export interface GradersAgreement {
  config: Config;
  labels: string;
  signal: AbortSignal;
  progress?: Progress;
}

/** @throws input error when there is no file of labels, or a line in it is none */
export async function gradersAgreement({ config, labels, signal, progress = createProgress() }: GradersAgreement): Promise<Comparison[]> {
  setMaxListeners(0, signal);
  if (!existsSync(labels))
    throw inputError(
      `${labels}: there is no file of labelled outputs, so there is nothing to compare the graders with. Label real outputs by hand, one line {"prompt", "output", "kind", "rationale"} each, or name a file with --labels.`,
    );
  const outputs = await readLabelled(labels);
  const servers = namedServers({ sections: { judge: config.judge }, signal, say: progress.say });
  const server = servers.byRole.judge;
  if (server === undefined) {
    progress.say('No judge is configured on a server: the rules alone are compared with the labels.');
    return compareGraders(outputs, null, config.seed);
  }
  const task = progress.task('graders', outputs.length);
  try {
    const judge: EvalJudge = {
      model: new LoggedModel(await server.open(), server.digest, null, signal),
      seed: config.seed,
      maxTokens: 512,
      concurrency: server.concurrency,
    };
    const comparisons = await compareGraders(outputs, judge, config.seed, () => task.advance());
    task.done();
    return comparisons;
  } finally {
    const usage = servers.usage();
    if (usage.length > 0) progress.say(serverUsageTable(usage));
    await servers.close();
  }
}
