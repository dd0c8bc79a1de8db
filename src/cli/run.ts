/** The stages in their order: a run, or one stage of it, over one run folder. */
import { setMaxListeners } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import type { Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { readJsonl, writeJsonl } from '../base/jsonl.js';
import type { Progress } from '../base/progress.js';
import { Completion, contentId, Judgement, SftRecord, type Prompt } from '../base/records.js';
import { RunFolder, RunPaths, stageNames, type Digests, type StageName } from '../base/run-folder.js';
import { shardOf, shardText, type Shard } from '../base/shard.js';
import { inStage } from '../base/stage-scope.js';
import type { Workbench } from '../engines/workbench.js';
import { categorise } from '../align/categorise.js';
import { specsOf } from '../align/compiled-specs.js';
import { filterCompletions } from '../align/filter.js';
import { completionIds, generate } from '../align/generate.js';
import { judge } from '../align/judge.js';
import type { OwnParts } from '../align/own.js';
import { prepare, type PreparedPrompts } from '../align/prepare.js';
import { trainRl } from '../align/rl.js';
import { sftKey, trainSft } from '../align/sft.js';
import { markFinished } from '../align/shard-mark.js';
import { categoryDigest } from '../align/spec/compile.js';
import type { Spec } from '../align/spec/types.js';
import { categoryOf, type StageContext } from '../align/stage.js';
import { finishedKey, removeTraining } from '../align/training-folder.js';
import type { Scorecard } from '../evals/scorecard.js';
import { collectReport } from '../report/collect.js';
import { buildReport } from '../report/report.js';
import { costTable, estimateCost } from './cost.js';
import { evaluateArms } from './evaluate-arms.js';
import { promptNotes } from './say-inputs.js';

export interface RunOptions {
  root: string;
  config: Config;
  spec: Spec;
  /** All prompts; splits are drawn where there are none. */
  prompts: readonly Prompt[];
  bench: Workbench;
  /** A judge or a reward of the caller's own, instead of ours. */
  own?: OwnParts;
  progress: Progress;
  codeVersion: string;
  /** Only these stages; the others must have been done. */
  stages?: readonly StageName[];
  /** Makes this stage and all after it anew, under the settings given. */
  redo?: StageName;
  /** Only this share of the prompts, up to the judge; `mergeShards` puts all shares together. */
  shard?: Shard;
  signal?: AbortSignal;
}

export interface RunResult {
  scorecard: Scorecard | null;
  /** report.html, when it was written. */
  report: string | null;
}

/**
 * Runs the method from the first stage that is not done to the last. What is done already is kept, so that a run that was broken
 * off at any instant goes on by calling this again.
 * @throws input error for settings, prompts or a specification that cannot be used, and when another process writes in the folder
 */
export async function runStages(options: RunOptions): Promise<RunResult> {
  const { root, config, spec, prompts, bench, own, progress, codeVersion, redo, shard } = options;
  const { stages = shard === undefined ? stageNames : shardStages } = options;
  if (shard !== undefined) refuseWhatNeedsAll(shard, redo === undefined ? stages : [...stages, redo]);
  const lost = new AbortController();
  const signal = AbortSignal.any([lost.signal, ...(options.signal ? [options.signal] : [])]);
  // Each request in flight listens; hundreds are no leak.
  setMaxListeners(0, signal);
  const digests = digestsOf(spec, prompts, bench);
  const folder = await RunFolder.open(root, {
    config,
    digests,
    codeVersion,
    onLost: (error) => lost.abort(error),
    ...(redo && { redo }),
    ...(shard && { shard }),
  });
  try {
    const { paths } = folder;
    if (redo !== undefined) await removeFrom(paths, redo);
    const specs = specsOf(spec, config, bench);
    const context: StageContext = { paths, config, specs, bench, progress, signal, ...(own && { own }) };
    const prepared = await prepare(context, prompts);
    if (folder.before?.digests.prompts !== digests.prompts)
      for (const note of promptNotes({ given: prompts, prepared, config, spec, stages: new Set(stages) })) progress.say(note);
    sayWhatChanged(progress, spec, folder.before?.digests ?? null, digests);
    if (shard === undefined) return await new Stages(context, prepared, new Set(stages)).run();
    const mine = ({ request }: Prompt) => shardOf(request, shard.of) === shard.index;
    const share = { ...prepared, train: prepared.train.filter(mine), ordinary: prepared.ordinary.filter(mine) };
    const whole = await new Stages(context, share, new Set(stages)).runShard();
    if (whole) await markFinished(paths, shard, { config, digests });
    return { scorecard: null, report: null };
  } finally {
    await folder.close();
  }
}

/** Stages that look at one prompt at a time. */
export const shardStages: readonly StageName[] = ['prepare', 'categorise', 'generate', 'judge'];

function refuseWhatNeedsAll(shard: Shard, stages: readonly StageName[]): void {
  const beyond = stages.find((stage) => !shardStages.includes(stage));
  if (beyond !== undefined)
    throw inputError(
      `${beyond}: needs all shards, and this is ${shardText(shard)}. Run every shard up to the judge, put them together with \`deliberate merge\`, and go on there.`,
    );
}

function digestsOf(spec: Spec, prompts: readonly Prompt[], bench: Workbench): Digests {
  const categories = ['none', ...spec.categories.map(({ name }) => name)];
  return {
    ...bench.digests,
    prompts: contentId(prompts),
    spec: Object.fromEntries(categories.map((name) => [name, categoryDigest(spec, name)])),
  };
}

function sayWhatChanged(progress: Progress, spec: Spec, before: Digests | null, now: Digests): void {
  if (before === null) return;
  const changed = Object.keys(now.spec).filter((name) => before.spec[name] !== now.spec[name]);
  const all = changed.length > spec.categories.length;
  if (all)
    progress.say(
      'A summary, principle or style of the specification has changed, which every category sees: all completions are made again.',
    );
  else if (changed.length > 0)
    progress.say(
      `The specification has changed for ${changed.join(', ')}: the completions of that alone are made again, then the training.`,
    );
  if (before.prompts !== now.prompts) progress.say('The prompts have changed: completions are made for the new ones.');
}

/** Writes report.html out of what lies in the folder; needs no model. @returns its path */
export async function writeReport(root: string, spec: Spec): Promise<string> {
  const file = new RunPaths(root).report();
  await writeTextAtomically(file, buildReport(await collectReport(root, spec)));
  return file;
}

class Stages {
  constructor(
    private readonly context: StageContext,
    private readonly prepared: PreparedPrompts,
    private readonly wanted: ReadonlySet<StageName>,
  ) {}

  async run(): Promise<RunResult> {
    const { context, wanted } = this;
    const { config, paths, signal } = context;
    const { train, ordinary, asked, completions, judgements } = await this.judged();
    const records = await this.stage(
      'filter',
      () => this.filter(asked, completions, judgements),
      () => readJsonl(paths.sftRecords(), SftRecord),
    );
    if (wanted.has('sft')) {
      await trainSft(context, 'answer-only', records);
      await trainSft(context, 'sft', records);
    }
    if (wanted.has('rl') && config.rl.steps > 0) {
      const key = sftKey(context, 'sft', records);
      if ((await finishedKey(paths.training('sft', 'sft'))) !== key)
        throw inputError(
          `${paths.training('sft', 'sft')}: holds no finished SFT on the records of ${paths.sftRecords()}. Run \`deliberate sft ${paths.root}\` first.`,
        );
      const { validation } = this.prepared;
      await inStage('rl', () => trainRl(context, { start: { folder: paths.adapter('sft', 'sft'), key }, train, ordinary, validation }));
    }
    signal?.throwIfAborted();
    const scorecard = wanted.has('eval') ? await this.evaluate() : null;
    if (!wanted.has('report')) return { scorecard, report: null };
    return { scorecard, report: await writeReport(paths.root, context.specs.spec) };
  }

  /** What one of several machines does. @returns whether its share is done, and not only a stage of it */
  async runShard(): Promise<boolean> {
    const { asked, completions } = await this.judged();
    // What a model failed at is not asked for again in a whole run either.
    const generated = this.wanted.has('generate') || completions.length === asked.length * this.context.config.generate.samples;
    return generated && this.wanted.has('judge');
  }

  private async judged() {
    const { context } = this;
    const { paths } = context;
    const train = await inStage('categorise', () => categorise(context, this.prepared.train));
    const ordinary = this.prepared.ordinary.map((prompt) => ({ ...prompt, category: categoryOf(prompt) }));
    const asked = [...train, ...ordinary];
    await this.sayCost(asked);

    const completions = await this.stage(
      'generate',
      () => generate(context, asked),
      () => readJsonl(paths.completions(), Completion).then(current(asked.flatMap((prompt) => completionIds(context, prompt)))),
    );
    const judgements = await this.stage(
      'judge',
      () => judge(context, asked, completions),
      () => readJsonl(paths.judgements(), Judgement),
    );
    return { train, ordinary, asked, completions, judgements };
  }

  /** Does a stage, or reads what it made before. @throws input error when a later stage is wanted and this one has made nothing */
  private async stage<T>(name: StageName, make: () => Promise<T[]>, read: () => Promise<T[]>): Promise<T[]> {
    this.context.signal?.throwIfAborted();
    if (this.wanted.has(name)) return inStage(name, make);
    const made = await read();
    const next = stageNames.find((stage) => this.wanted.has(stage) && stageNames.indexOf(stage) === stageNames.indexOf(name) + 1);
    if (made.length === 0 && next !== undefined && name !== 'judge') {
      throw inputError(
        `${this.context.paths.root}: ${next} needs what ${name} makes, and there is nothing of it. Run \`deliberate ${name} ${this.context.paths.root}\` first.`,
      );
    }
    return made;
  }

  /** Suites choose by category, and a judge of answers looks it up: test prompts without one get it as training prompts do. */
  private async evaluate(): Promise<Scorecard> {
    const { test } = this.prepared;
    const open = test.filter(({ category }) => category === undefined).length;
    if (open > 0)
      this.context.progress.say(
        `eval: ${open} of ${test.length} test prompts have no category; what the model says of them stands for it.`,
      );
    return evaluateArms(this.context, await inStage('categorise', () => categorise(this.context, test)));
  }

  private async filter(
    asked: readonly Prompt[],
    completions: readonly Completion[],
    judgements: readonly Judgement[],
  ): Promise<SftRecord[]> {
    const { config, paths, progress } = this.context;
    const { records, funnel } = filterCompletions(asked, completions, judgements, config.filter, config.seed);
    await writeJsonl(paths.sftRecords(), records);
    await writeTextAtomically(paths.funnel(), `${JSON.stringify(funnel, null, 1)}\n`);
    progress.say(`filter: ${funnel.map(({ title, count }) => `${title} ${count}`).join(' → ')}`);
    return records;
  }

  private async sayCost(asked: readonly Prompt[]): Promise<void> {
    const { config, paths, progress, specs } = this.context;
    const made = new Set((await readJsonl(paths.completions(), Completion)).map(({ id }) => id));
    const open = asked.filter((prompt) => completionIds(this.context, prompt).some((id) => !made.has(id)));
    const categories = [...new Set(open.map(categoryOf))];
    const specTokens = categories.reduce((sum, category) => sum + specs.tokens(category), 0);
    const costs = estimateCost(config, { generate: open.length, specTokens, categories: categories.length }).filter(
      ({ stage }) => stage === 'start' || this.wanted.has(stage as StageName),
    );
    progress.say(
      `${made.size > 0 ? `${asked.length - open.length} of ${asked.length} prompts have their completions already. ` : ''}What is ahead, by estimate:\n${costTable(costs)}`,
    );
  }
}

/** Keeps the records of these ids, in this order. */
const current =
  (ids: readonly string[]) =>
  <T extends { id: string }>(records: readonly T[]): T[] => {
    const byId = new Map(records.map((record) => [record.id, record]));
    return ids.flatMap((id) => byId.get(id) ?? []);
  };

/** Removes what a stage and all after it made. */
async function removeFrom(paths: RunPaths, stage: StageName): Promise<void> {
  const from = stageNames.indexOf(stage);
  const files: Partial<Record<StageName, string[]>> = {
    categorise: [paths.categories()],
    generate: [paths.completions()],
    judge: [paths.judgements()],
    filter: [paths.sftRecords(), paths.funnel()],
    eval: [paths.scorecard(), paths.scorecardCsv()],
    report: [paths.report()],
  };
  const gone = stageNames.slice(from).flatMap((name) => files[name] ?? []);
  const arms = (await readdir(paths.file('arms')).catch(() => [])).map((arm) => path.join(paths.file('arms'), arm));
  for (const training of ['sft', 'rl'] as const)
    if (stageNames.indexOf(training) >= from) for (const arm of arms) await removeTraining(path.join(arm, training));
  if (stageNames.indexOf('eval') >= from) gone.push(...arms.map((arm) => path.join(arm, 'evals')));
  for (const file of gone) await rm(file, { recursive: true, force: true });
}
