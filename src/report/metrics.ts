/** Which metrics of a training are worth a curve, for the report and the viewer; all others are in metrics.jsonl. */

/** Titles by stage and name in metrics.jsonl, in the order of the pages. */
const titles: Readonly<Record<'sft' | 'rl', Readonly<Record<string, string>>>> = {
  sft: { loss: 'Loss', cotLoss: 'Loss on the CoT', answerLoss: 'Loss on the answer', gradNorm: 'Gradient norm' },
  rl: {
    reward: 'Reward',
    policyReward: 'Reward, policy prompts',
    helpfulReward: 'Reward, ordinary prompts',
    validationScore: 'Validation, by rules',
    refusalRate: 'Share of refusals',
    kl: 'KL from the SFT policy, nats',
    meanTokens: 'Tokens a rollout',
    cotWords: 'Words of a CoT',
    malformed: 'Malformed rollouts',
    unscored: 'Unscored rollouts',
    loss: 'Loss',
  },
};

export const shownMetrics = (stage: 'sft' | 'rl'): string[] => Object.keys(titles[stage]);

/** A metric without a title of its own is called by its name. */
export const metricTitle = (stage: 'sft' | 'rl', metric: string): string =>
  (Object.hasOwn(titles[stage], metric) ? titles[stage][metric] : undefined) ??
  metric.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/^./, (c) => c.toUpperCase());
