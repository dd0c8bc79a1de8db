/**
 * Stage 2: reinforcement learning with the judge that knows the specification (paper, section 2.4). The policy samples without
 * the specification; the judge sees conversation, answer and spec(category), and never the CoT. Ordinary prompts are in the mix,
 * or refusing everything would win. The algorithm is of the GRPO family: groups, mean-only advantages, importance sampling.
 */
import path from 'node:path';
import { inputError } from '../base/errors.js';
import { JsonlLog } from '../base/jsonl.js';
import { Random } from '../base/random.js';
import { contentId, lastRequest, type Prompt } from '../base/records.js';
import type { Config } from '../base/config.js';
import { withoutServer } from '../base/server-settings.js';
import { trainStep } from '../engines/train-step.js';
import type { Datum } from '../engines/types.js';
import { digestsFor } from '../engines/workbench.js';
import { judgeOf, type Judge } from './judge.js';
import { ownDigests } from './own.js';
import { responseKind } from './response-kind.js';
import { klPerRollout, rolloutBatch, samplerGap, withKlPenalty } from './rl-data.js';
import { advantages, rewardGroup, Rollout, sampleGroup, type Sampled } from './rollouts.js';
import { isOrdinary, type StageContext } from './stage.js';
import { noteSpecification } from './trained-specification.js';
import { dropAfter, knownNorm, TrainingFolder, type Best, type Metrics } from './training-folder.js';
import { validate } from './validate.js';

export interface RlOptions {
  /** Adapter folder and key of the SFT policy that RL starts from. */
  start: { folder: string; key: string };
  train: readonly Prompt[];
  ordinary: readonly Prompt[];
  validation: readonly Prompt[];
}

export const rlKey = (
  { bench, config, own, specs }: Pick<StageContext, 'bench' | 'config' | 'own' | 'specs'>,
  { start, train, ordinary, validation }: RlOptions,
): string =>
  contentId(
    'rl',
    start.key,
    [...train, ...ordinary, ...validation].map(({ id, category, ideal }) => [id, category ?? null, ideal ?? null]),
    [...new Set([...train, ...ordinary].map(({ category }) => category ?? 'none'))].sort().map(specs.digest),
    { ...config.rl, alarms: null },
    withoutServer(config.judge),
    config.seed,
    bench.digests,
    ...(bench.servers?.judge === undefined ? [] : [digestsFor(bench, 'judge')]),
    ...ownDigests(own),
  );

/**
 * Trains arm `sft+rl`. Validates before the first step, every few steps and after the last; the adapter kept is the best validated
 * one, which may be the SFT policy itself. Goes on from the last checkpoint.
 * @returns the key of the training
 */
export async function trainRl(context: StageContext, options: RlOptions): Promise<string> {
  const { paths, progress } = context;
  const key = rlKey(context, options);
  const folder = await TrainingFolder.open(paths.training('sft+rl', 'rl'), key);
  try {
    if (folder.done) return key;
    await noteSpecification(folder.root, context.specs.spec);
    const rolloutsFile = path.join(folder.root, 'rollouts.jsonl');
    await dropAfter(rolloutsFile, Rollout, folder.step);
    const rollouts = await JsonlLog.open(rolloutsFile, Rollout);
    try {
      await new RlRun(context, options, key, folder, rollouts).run();
    } finally {
      await rollouts.close();
    }
    progress.say(`rl: kept the adapter of step ${folder.best?.step ?? 0} (validated ${folder.best?.score.toFixed(2) ?? '–'})`);
    return key;
  } finally {
    await folder.close();
  }
}

class RlRun {
  private readonly settings: Config['rl'];
  private readonly judge: Promise<Judge>;
  private best: Best | null;
  private first: Metrics | undefined;

  constructor(
    private readonly context: StageContext,
    private readonly options: RlOptions,
    private readonly key: string,
    private readonly folder: TrainingFolder,
    private readonly rollouts: JsonlLog<Rollout>,
  ) {
    this.settings = context.config.rl;
    this.best = folder.best;
    this.first = folder.firstMetrics;
    this.judge = judgeOf(context).then(({ judge }) => judge);
  }

  async run(): Promise<void> {
    const { bench, progress, signal } = this.context;
    const { steps, validateEvery, checkpointEvery } = this.settings;
    const { folder } = this;
    if (!(await folder.resume(bench.trainer))) {
      await bench.trainer.load(this.options.start.folder, { optimizer: false });
      // The SFT policy is where the curve of validation begins.
      await folder.logStart(await this.validateNow(0));
    }
    const task = progress.task('rl', steps);
    task.advance(folder.step);
    for (let step = folder.step + 1; step <= steps; step++) {
      signal?.throwIfAborted();
      const metrics = await this.step(step);
      const validated = step % validateEvery === 0 || step === steps ? await this.validateNow(step) : {};
      await folder.log({ step, ...metrics, ...validated });
      this.first ??= { step, ...metrics };
      task.advance(1, metrics.tokens);
      if (step % checkpointEvery === 0 && step < steps) await folder.save(bench.trainer, step, this.best);
    }
    await folder.finish(steps, this.best);
    task.done();
  }

  /** Sample, reward, advantage, one gradient step. */
  private async step(step: number) {
    const start = performance.now();
    const { bench, signal } = this.context;
    const { samplesPerPrompt, judgeRuns, maxTokens, temperature, learningRate } = this.settings;
    const judge = await this.judge;
    const groupOptions = {
      trainer: bench.trainer,
      judge,
      judgeRuns,
      own: this.context.own,
      samples: samplesPerPrompt,
      maxTokens,
      temperature,
      key: this.key,
      seed: this.context.config.seed,
      ...(signal && { signal }),
    };
    // All groups are sampled before any is judged: policy and judge are two adapters of one engine, which takes one at a time.
    const sampled = await Promise.all(this.promptsOf(step).map((prompt) => sampleGroup(prompt, step, groupOptions)));
    const groups = await Promise.all(sampled.map((group) => rewardGroup(group, step, groupOptions)));
    const kept = groups.map(advantages);
    const batch = kept.flat();
    let data = rolloutBatch(batch);
    const kl = await this.kl(data);
    if (kl.reference !== null && this.settings.klCoefficient > 0) data = withKlPenalty(data, kl.reference, this.settings.klCoefficient);
    let trained: { loss: number; gradNorm: number | null; samplerGap: number } = { loss: 0, gradNorm: 0, samplerGap: 0 };
    if (data.length > 0) {
      const params = { learningRate, gradClipNorm: this.settings.gradClipNorm };
      const { lossSum, logprobs, gradNorm } = await trainStep(bench.trainer, data, 'importance_sampling', params);
      trained = { loss: lossSum / data.length, gradNorm: knownNorm(gradNorm), samplerGap: samplerGap(data, logprobs) };
    }
    const trainedOn = new Map(batch.map(({ rollout }) => [rollout.id, rollout]));
    const all = groups.flat();
    await this.rollouts.append(...all.map(({ rollout }) => trainedOn.get(rollout.id) ?? rollout));
    const measured = {
      ...measure(all),
      groupsDropped: kept.filter((group) => group.length === 0).length,
      ...trained,
      ...(kl.value !== null && { kl: kl.value }),
    };
    const alarms = this.alarms(measured);
    for (const alarm of alarms) this.context.progress.say(`rl step ${step}: ${alarm}`);
    return { ...measured, learningRate, alarms, seconds: (performance.now() - start) / 1000 };
  }

  /** Groups of a step: a share on ordinary prompts; each list is gone through in an order of its own a pass. */
  private promptsOf(step: number): Prompt[] {
    const { promptsPerStep, helpfulShare } = this.settings;
    const { train, ordinary } = this.options;
    // The share is kept over the steps, whatever the number of groups in one.
    const helpfulUntil = (s: number) => (ordinary.length === 0 ? 0 : Math.floor(s * promptsPerStep * helpfulShare + 1e-9));
    const helpful = helpfulUntil(step) - helpfulUntil(step - 1);
    return [
      ...this.turn(train, (step - 1) * promptsPerStep - helpfulUntil(step - 1), promptsPerStep - helpful),
      ...this.turn(ordinary, helpfulUntil(step - 1), helpful),
    ];
  }

  private turn(prompts: readonly Prompt[], from: number, count: number): Prompt[] {
    const seed = this.context.config.seed;
    return Array.from({ length: count }, (_, i) => {
      const pass = Math.floor((from + i) / prompts.length);
      return new Random(`rl ${seed} ${pass}`).shuffle(prompts)[(from + i) % prompts.length]!;
    });
  }

  private async kl(data: readonly Datum[]): Promise<{ value: number | null; reference: number[][] | null }> {
    const { bench } = this.context;
    const { klCoefficient, klSamples } = this.settings;
    if (klCoefficient > 0 && bench.logprobs === undefined)
      throw inputError('rl.klCoefficient needs an engine that gives the log-probabilities of a saved adapter; set it to 0.');
    const measured = klCoefficient > 0 ? data : data.slice(0, klSamples);
    if (measured.length === 0 || bench.logprobs === undefined) return { value: null, reference: null };
    const reference = await bench.logprobs(this.options.start.folder, [...measured]);
    return { value: klPerRollout(measured, reference), reference };
  }

  /** Validates, and keeps the adapter when it is the best so far. */
  private async validateNow(step: number) {
    const { bench, signal } = this.context;
    const found = await validate(bench.trainer.policy, this.options.validation, this.settings.maxTokens, bench.concurrency, signal);
    if (this.best === null || found.score >= this.best.score) {
      await this.folder.saveCandidate(bench.trainer, step);
      this.best = { step, score: found.score };
    }
    return {
      validationScore: found.score,
      validationOverRefusal: found.overRefusal,
      validationBroken: found.broken,
      validationByIdeal: found.byIdeal,
    };
  }

  /** Signs that the reward is being gamed. */
  private alarms({ refusalRate, meanTokens, kl }: { refusalRate: number; meanTokens: number; kl?: number }): string[] {
    const limits = this.settings.alarms;
    const atFirst = (name: string, now: number) => (typeof this.first?.[name] === 'number' ? this.first[name] : now);
    const before = atFirst('meanTokens', meanTokens);
    const refused = atFirst('refusalRate', refusalRate);
    return [
      ...(refusalRate > limits.refusalRate ? [`alarm: ${Math.round(refusalRate * 100)} % of the rollouts refuse`] : []),
      // A policy that answers everything games a judge that takes too much for allowed.
      ...(refused >= limits.refusalDrop && refused - refusalRate >= limits.refusalDrop
        ? [`alarm: refusals fell from ${Math.round(refused * 100)} % to ${Math.round(refusalRate * 100)} % of the rollouts`]
        : []),
      ...(meanTokens > before * limits.lengthRatio
        ? [`alarm: rollouts have grown from ${Math.round(before)} to ${Math.round(meanTokens)} tokens`]
        : []),
      ...(meanTokens < before / limits.lengthRatio
        ? [`alarm: rollouts have shrunk from ${Math.round(before)} to ${Math.round(meanTokens)} tokens`]
        : []),
      ...(kl !== undefined && kl > limits.kl ? [`alarm: the policy is ${kl.toFixed(2)} nats a rollout from the SFT policy`] : []),
    ];
  }
}

/** What one step's rollouts are like. */
function measure(all: readonly Sampled[]) {
  const count = (outcome: Rollout['outcome']) => all.filter(({ rollout }) => rollout.outcome === outcome).length;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const rewards = (ordinary: boolean) =>
    all.flatMap(({ rollout, prompt }) => (rollout.reward === null || isOrdinary(prompt) !== ordinary ? [] : [rollout.reward]));
  const answered = all.filter(({ rollout }) => ['judged', 'ruled', 'unscored'].includes(rollout.outcome));
  return {
    reward: mean([...rewards(false), ...rewards(true)]),
    policyReward: mean(rewards(false)),
    ...(rewards(true).length > 0 && { helpfulReward: mean(rewards(true)) }),
    refusalRate: mean(
      answered.map(({ rollout, prompt }) => (responseKind(rollout.answer, lastRequest(prompt.messages)) === 'refuse' ? 1 : 0)),
    ),
    meanTokens: mean(all.map(({ rollout }) => rollout.tokens)),
    cotWords: mean(answered.map(({ rollout }) => rollout.cot?.split(/\s+/).length ?? 0)),
    tokens: all.reduce((sum, { rollout }) => sum + rollout.tokens, 0),
    rollouts: all.length,
    truncated: count('truncated'),
    malformed: count('malformed'),
    unscored: count('unscored'),
  };
}
