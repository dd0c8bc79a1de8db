/** Rollouts: the policy samples without the specification, and each sample gets its reward (paper, section 2.4). */
import { z } from 'zod';
import { inputError } from '../base/errors.js';
import { contentId, JudgeRun, Message, type JudgeRequest, type Prompt } from '../base/records.js';
import type { SampledSequence, Trainer } from '../engines/types.js';
import { splitCot } from '../lm/split-cot.js';
import type { Judge } from './judge.js';
import type { OwnParts, OwnReward } from './own.js';
import { type AnswerJudge, helpfulReward, lowestReward, policyReward } from './reward.js';
import { categoryOf, isOrdinary, seedFrom } from './stage.js';

export const Rollout = z.strictObject({
  id: z.string(),
  step: z.int(),
  promptId: z.string(),
  sample: z.int(),
  cot: z.string().nullable(),
  answer: z.string(),
  /** judged; ruled: rewarded without a judge; truncated and unscored have no reward and are masked; malformed has the lowest. */
  outcome: z.enum(['judged', 'ruled', 'malformed', 'truncated', 'unscored']),
  reward: z.number().nullable(),
  advantage: z.number().nullable(),
  tokens: z.int(),
  /** What the judge was given; null where it was not asked. */
  judgeRequest: z.strictObject({ messages: z.array(Message), answer: z.string(), category: z.string() }).nullable(),
  /** What it said of that; empty where it was not asked. Older runs did not keep it. */
  judgeRuns: z.array(JudgeRun).default([]),
});
export type Rollout = z.infer<typeof Rollout>;

export interface Sampled {
  rollout: Rollout;
  prompt: Prompt;
  promptTokens: number[];
  sequence: SampledSequence;
}

export interface SampledGroup {
  prompt: Prompt;
  promptTokens: number[];
  sequences: SampledSequence[];
}

export interface GroupOptions {
  trainer: Trainer;
  judge: Judge;
  judgeRuns: number;
  own?: OwnParts | undefined;
  samples: number;
  maxTokens: number;
  temperature: number;
  /** Hash of the training, and its seed. */
  key: string;
  seed: number;
  signal?: AbortSignal;
}

/** One group: samples of one prompt. The prompt is the conversation alone. */
export async function sampleGroup(
  prompt: Prompt,
  step: number,
  { trainer, samples: n, maxTokens, temperature, seed, signal }: GroupOptions,
): Promise<SampledGroup> {
  const promptTokens = trainer.renderer.promptTokens(prompt.messages);
  const params = { maxTokens, temperature, seed: seedFrom('rollout', seed, step, prompt.id) };
  return { prompt, promptTokens, sequences: await trainer.sample({ promptTokens, n, params, ...(signal && { signal }) }) };
}

/** The same samples with their rewards. */
export const rewardGroup = ({ prompt, promptTokens, sequences }: SampledGroup, step: number, options: GroupOptions): Promise<Sampled[]> =>
  Promise.all(
    sequences.map(async (sequence, sample) => ({
      rollout: await reward(prompt, step, sample, sequence, options),
      prompt,
      promptTokens,
      sequence,
    })),
  );

async function reward(
  prompt: Prompt,
  step: number,
  sample: number,
  { tokens, stopReason }: SampledSequence,
  { trainer, judge, judgeRuns, key, own }: GroupOptions,
): Promise<Rollout> {
  const { cot, answer, malformed } = splitCot(trainer.renderer.decode(tokens));
  const common = {
    id: contentId('rollout', key, step, prompt.id, sample),
    step,
    promptId: prompt.id,
    sample,
    cot,
    answer,
    tokens: tokens.length,
    advantage: null,
    judgeRuns: [],
  };
  if (stopReason === 'length') return { ...common, outcome: 'truncated', reward: null, judgeRequest: null };
  if (malformed || cot === null || cot === '' || answer === '')
    return { ...common, outcome: 'malformed', reward: lowestReward, judgeRequest: null };
  const judgeRequest: JudgeRequest = { messages: prompt.messages, answer, category: categoryOf(prompt) };
  let asked = false;
  const said: JudgeRun[] = [];
  const watched: AnswerJudge = {
    judgeAnswer: async (request, runs) => {
      asked = true;
      const verdicts = await judge.judgeAnswer(request, runs);
      said.push(...verdicts);
      return verdicts;
    },
  };
  const usual = () => (isOrdinary(prompt) ? helpfulReward : policyReward)(watched, judgeRequest, judgeRuns);
  const score = own?.reward === undefined ? await usual() : await ownReward(own.reward, judgeRequest, usual);
  return {
    ...common,
    judgeRuns: said,
    outcome: score === null ? 'unscored' : asked ? 'judged' : 'ruled',
    reward: score,
    judgeRequest: asked ? { ...judgeRequest, messages: prompt.messages } : null,
  };
}

/** @throws input error for a reward that is no number: it would spoil the group's mean without a word */
async function ownReward(own: OwnReward, { messages, answer, category }: JudgeRequest, usual: () => Promise<number | null>) {
  const copy = { messages: messages.map(({ role, content }) => ({ role, content })), answer, category };
  const reward = await own.reward(copy, usual);
  if (reward === null || Number.isFinite(reward)) return reward;
  throw inputError(`your reward ${own.digest} gave ${String(reward)}: give a finite number, or null for no reward.`);
}

/** Rewards closer than this to each other say nothing. */
const smallestSpread = 1e-3;

/**
 * Mean-only advantages (Dr. GRPO: no division by the deviation, which would blow up easy and hard prompts), over the rewarded
 * samples. A group whose rewards are all the same teaches nothing and is dropped.
 * @returns the samples to train on
 */
export function advantages(group: readonly Sampled[]): Sampled[] {
  const rewarded = group.filter(({ rollout }) => rollout.reward !== null);
  const rewards = rewarded.map(({ rollout }) => rollout.reward as number);
  if (rewards.length < 2 || Math.max(...rewards) - Math.min(...rewards) < smallestSpread) return [];
  const mean = rewards.reduce((sum, value) => sum + value, 0) / rewards.length;
  return rewarded.map((one) => ({ ...one, rollout: { ...one.rollout, advantage: (one.rollout.reward as number) - mean } }));
}
