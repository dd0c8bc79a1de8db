/** `spec test`: the examples of a specification are its unit tests. */
import { setMaxListeners } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { writeTextAtomically } from '../base/atomic-text.js';
import type { Config } from '../base/config.js';
import { dependencyError, failedTest, inputError } from '../base/errors.js';
import { createProgress, type Progress } from '../base/progress.js';
import type { ModelRole } from '../base/server-settings.js';
import { inStage } from '../base/stage-scope.js';
import { paperLayout, sharedLayout } from '../align/generation-prompt.js';
import { loadSpec } from '../align/spec/parse.js';
import type { Spec } from '../align/spec/types.js';
import { namedServers } from '../engines/openai/servers.js';
import { boundaryCases, type Writers } from '../evals/policy-tests/boundary.js';
import { chooseClauses, exampleCases, withoutExamples, type ChosenClause, type PolicyCase } from '../evals/policy-tests/cases.js';
import { clauseTable, failuresText, policyReport, summaryLine, type PolicyReport } from '../evals/policy-tests/report.js';
import { runCases, type Asking } from '../evals/policy-tests/run.js';
import { collect, setOption } from './options.js';
import { serverUsageTable } from './server-usage.js';
import { specFolder } from './settings.js';
import { chooseSubject, type Chosen, type Subject, type SubjectFlags } from './spec-test-subject.js';
import { printable } from './terminal.js';

export interface SpecTestFlags extends SubjectFlags {
  category: string[];
  clause: string[];
  withSpec?: boolean;
  cite?: boolean;
  samples: number;
  temperature?: number;
  maxTokens?: number;
  boundary?: number;
  boundaryFile?: string;
  json?: string;
}

/** Where nobody says how many prompts are to be written of each kind. */
const defaultBoundary = 2;
/** Several answers that are all alike would be one. */
const temperatureOfSamples = 0.6;

export function addSpecTestCommand(spec: Command, signal: AbortSignal): void {
  spec
    .command('test')
    .description('ask a model every example of every clause: does it do what the clause says? Its exit code is a CI of the policy')
    .argument('[folder]', "folder of the specification (default: the run's, or the one of the settings)")
    .option('--run <folder>', 'test an arm of this run (default: runs/demo)')
    .option('--arm <arm>', 'raw, base, base+spec, answer-only, sft or sft+rl (default: the last that was trained)')
    .option('--model <name>', 'test a model: name, folder or .gguf file; with --base-url its name on a server')
    .option('--adapter <folder>', 'PEFT folder laid upon the model')
    .option('--base-url <url>', 'address of an OpenAI-compatible server that has the model')
    .option('--api-key-env <variable>', "environment variable that holds the server's key")
    .option('--category <name>', 'only this category; may be repeated', collect, [])
    .option('--clause <code>', 'only this clause; may be repeated', collect, [])
    .option('--with-spec', 'put the specification of the category before every prompt, its examples left out: for a model not yet trained')
    .option('--cite', 'an answer passes only if its chain of thought cites the clause')
    .option('--samples <n>', 'answers to every prompt; all must pass', whole(1), 1)
    .option('--temperature <t>', `0 is greedy (default: 0, or ${temperatureOfSamples} with several samples)`, temperature)
    .option('--max-tokens <n>', "most tokens of a reply (default: the run's eval.maxTokens; a model 512, on a server 4096)", whole(1))
    .option(
      '--boundary <n>',
      `also ask n prompts of each kind around every clause (default: those in the file, or ${defaultBoundary} where a generator is configured)`,
      whole(0),
    )
    .option('--boundary-file <file>', 'where these are kept, to be asked again (default: boundary.jsonl in the folder)')
    .option('--json <file>', 'write all answers and verdicts there')
    .option('--config <file>', 'settings: a generator on a server writes what lies around a clause')
    .addOption(setOption())
    .addHelpText(
      'after',
      `
Examples:
  deliberate spec test my-policy --run runs/mine
  deliberate spec test --run runs/demo --arm base --with-spec --category self-harm
  deliberate spec test my-policy --model smollm2-135m-instruct --adapter adapters/reasoner --with-spec --clause R2
  deliberate spec test my-policy --model Qwen/Qwen3-8B --base-url http://127.0.0.1:8000 --with-spec
  deliberate spec test my-policy --run runs/mine --config servers.yaml --boundary 3

Exit codes: 0 every clause passed, 1 a clause failed, 3 none failed but answers are missing (the engine failed), 2 something given was wrong.
docs/POLICY-TESTS.md says what passes and why.`,
    )
    .action(async (folder: string | undefined, flags: SpecTestFlags) => {
      const chosen = await chooseSubject(flags);
      const report = await specTest({ folder: folder ?? specFolder(chosen.config), flags, chosen, signal });
      throwUnlessPassed(report);
    });
}

export interface SpecTest {
  folder: string;
  flags: SpecTestFlags;
  chosen: Chosen;
  signal: AbortSignal;
  progress?: Progress;
}

/** Asks, prints and keeps. @throws input error where there is nothing to ask */
export async function specTest({ folder, flags, chosen, signal, progress = createProgress() }: SpecTest): Promise<PolicyReport> {
  // Each request in flight listens; hundreds are no leak.
  setMaxListeners(0, signal);
  const spec = await loadSpec(folder);
  const clauses = chooseClauses(spec, { categories: flags.category, clauses: flags.clause });
  const cases = inOrder(clauses, [
    ...exampleCases(clauses),
    ...(await boundary({ folder, spec, clauses, flags, config: chosen.config, progress, signal })),
  ]);
  if (cases.length === 0)
    throw inputError(
      `${folder}: ${clauses.length === 1 ? `the clause ${clauses[0]?.clause.code} has` : 'these clauses have'} no example, so there is nothing to ask. Write some under a clause: - Example: "How do I …?"`,
    );
  const subject = await chosen.open(withoutExamples(spec), { progress, signal });
  try {
    const results = await inStage('spec test', () => runCases(cases, askingOf(subject, flags, chosen.config, progress, signal)));
    const report = policyReport(clauses, results);
    tell(report, subject);
    if (flags.json !== undefined) await writeTextAtomically(flags.json, jsonOf(report, folder, subject, flags));
    return report;
  } finally {
    const usage = subject.usage();
    if (usage.length > 0) progress.say(serverUsageTable(usage));
    await subject.close();
  }
}

function askingOf(subject: Subject, flags: SpecTestFlags, config: Config, progress: Progress, signal: AbortSignal): Asking {
  const { model, concurrency, specs, context } = subject;
  const layOut = subject.layout === 'paper' ? paperLayout : sharedLayout;
  return {
    model,
    concurrency,
    layOut: ({ category, messages }) =>
      flags.withSpec ? layOut(messages, specs.text(category)) : { messages: [...context, ...messages], sharedMessages: context.length },
    samples: flags.samples,
    maxTokens: flags.maxTokens ?? subject.maxTokens,
    temperature: flags.temperature ?? (flags.samples > 1 ? temperatureOfSamples : 0),
    seed: config.seed,
    cite: flags.cite === true,
    progress,
    signal,
  };
}

interface Around {
  folder: string;
  spec: Spec;
  clauses: readonly ChosenClause[];
  flags: SpecTestFlags;
  config: Config;
  progress: Progress;
  signal: AbortSignal;
}

/** Prompts around the clauses. @throws input error where more are asked for than the file has, and nobody can write them */
async function boundary({ folder, spec, clauses, flags, config, progress, signal }: Around): Promise<PolicyCase[]> {
  if (flags.boundary === 0) return [];
  const file = flags.boundaryFile ?? path.join(folder, 'boundary.jsonl');
  const servers = namedServers({ sections: config, signal, say: progress.say });
  const role = (...roles: ModelRole[]) => roles.map((name) => servers.byRole[name]).find((server) => server !== undefined);
  const [writing, checking] = [role('generator'), role('categoriser', 'judge', 'generator')];
  const writers = async (): Promise<Writers> => ({
    writer: { model: await writing!.open(), digest: writing!.digest },
    checker: { model: await checking!.open(), digest: checking!.digest },
    concurrency: writing!.concurrency,
    maxTokens: Math.max(2048, config.generate.maxTokens),
  });
  if (writing === undefined && flags.boundaryFile !== undefined && !existsSync(file))
    throw inputError(`${file}: there is no such file of boundary prompts, and no model is configured that could write them (generator).`);
  try {
    const { cases, missing, stale } = await boundaryCases({
      spec,
      chosen: clauses,
      file,
      perKind: flags.boundary ?? (writing === undefined ? undefined : defaultBoundary),
      writers: writing === undefined || checking === undefined ? null : writers,
      seed: config.seed,
      progress,
      signal,
    });
    if (writing === undefined && flags.boundary !== undefined && missing + stale > 0)
      throw inputError(
        `--boundary ${flags.boundary}: ${file} does not have so many prompts around every clause, or has them for other words of it, and no model is configured to write them. Name one, for example --set generator.engine=openai --set generator.baseUrl=http://127.0.0.1:8000 --set generator.model=NAME.`,
      );
    if (stale > 0)
      progress.say(
        `${file}: prompts around ${stale === 1 ? 'one edge are' : `${stale} edges are`} left out, for the policy has changed there.`,
      );
    return cases;
  } finally {
    const usage = servers.usage();
    if (usage.length > 0) progress.say(serverUsageTable(usage));
    await servers.close();
  }
}

/** Clause by clause, so that a category's specification is computed once. */
const inOrder = (clauses: readonly ChosenClause[], cases: readonly PolicyCase[]): PolicyCase[] =>
  clauses.flatMap(({ clause }) => cases.filter((one) => one.clause === clause));

function tell(report: PolicyReport, subject: Subject): void {
  const failures = failuresText(report);
  console.log(printable(clauseTable(report)));
  if (failures !== '') console.log(printable(`\n${failures}`));
  console.log(printable(`\n${subject.name}. ${summaryLine(report)}.`));
}

const jsonOf = (
  { counts, prompts, untested, cots, citing, clauses }: PolicyReport,
  folder: string,
  subject: Subject,
  flags: SpecTestFlags,
) =>
  `${JSON.stringify(
    { specification: folder, model: subject.name, withSpec: flags.withSpec === true, counts, prompts, untested, cots, citing, clauses },
    null,
    1,
  )}\n`;

/** @throws what gives the exit code: 1 for a failure, 3 where none failed but answers are missing */
function throwUnlessPassed({ clauses, counts, prompts }: PolicyReport): void {
  const failed = clauses.filter(({ verdict }) => verdict === 'fail').map(({ code }) => code);
  const some = failed.length > 12 ? `${failed.slice(0, 12).join(', ')} and ${failed.length - 12} more` : failed.join(', ');
  if (counts.fail > 0) throw failedTest(`${counts.fail === 1 ? 'a clause is' : `${counts.fail} clauses are`} not kept: ${some}.`);
  if (prompts.unscored > 0)
    throw dependencyError(
      `${prompts.unscored === 1 ? 'a prompt has' : `${prompts.unscored} prompts have`} no answer that could be graded, for the reasons above: neither passed nor failed. Give the same command again.`,
    );
}

function temperature(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 2)) throw new InvalidArgumentError('It must be a number from 0 to 2.');
  return value;
}

const whole = (least: number) => (text: string) => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least) throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
  return value;
};
