import { describe, expect, it } from 'vitest';
import { createScriptedWorkbench, scriptedRenderer } from '../engines/scripted.js';
import { parseConfig } from '../base/config.js';
import { allTargets } from '../base/lora-targets.js';
import { contentId, type Prompt, type SftRecord } from '../base/records.js';
import type { Datum } from '../engines/types.js';
import { klPerRollout, rolloutBatch, samplerGap, withKlPenalty } from './rl-data.js';
import { advantages, type Sampled } from './rollouts.js';
import { learningRateAt, planBatches, sftKey } from './sft.js';
import { answerOnlyDatum, perToken, reasoningDatum } from './sft-data.js';

const record: SftRecord = {
  id: 'r',
  promptId: 'p',
  messages: [{ role: 'user', content: 'Why?' }],
  cot: 'The user asks.\nDecision: comply',
  answer: 'Because.',
};

/** Text of the targets with this weight. */
const textAt = ({ targets, weights }: Datum, weight: number) => scriptedRenderer.decode(targets.filter((_, t) => weights[t] === weight));

describe('the key of an SFT', () => {
  const bench = createScriptedWorkbench();
  const keyOf = (engine: object) => sftKey({ bench, config: parseConfig({ engine }, 'test') }, 'sft', [record]);

  it('is what it was before layers could be chosen, where all are trained', () => {
    const { sft, seed } = parseConfig({}, 'test');
    const before = contentId('sft', 'sft', ['r'], sft, seed, bench.digests, [16, 32]);
    expect(keyOf({})).toBe(before);
    expect(keyOf({ targets: [...allTargets].reverse() })).toBe(before);
  });

  it('differs with the layers, not with their order', () => {
    expect(keyOf({ targets: ['q_proj', 'v_proj'] })).not.toBe(keyOf({}));
    expect(keyOf({ targets: ['q_proj', 'v_proj'] })).not.toBe(keyOf({ targets: ['q_proj'] }));
    expect(keyOf({ targets: ['v_proj', 'q_proj', 'v_proj'] })).toBe(keyOf({ targets: ['q_proj', 'v_proj'] }));
  });
});

describe('reasoningDatum', () => {
  it('predicts exactly CoT and answer, each with its weight, and nothing of the conversation', () => {
    const datum = reasoningDatum(record, scriptedRenderer, { cot: 2, answer: 3 });
    expect(textAt(datum, 2)).toBe('<think>\nThe user asks.\nDecision: comply\n</think>\n');
    expect(textAt(datum, 3)).toBe('Because.');
    expect(datum.targets.at(-1)).toBe(scriptedRenderer.completionTokens('').at(-1));
    expect(datum.weights.at(-1)).toBe(3);
    expect(datum.targets.slice(0, -1)).toEqual(datum.tokens.slice(1));
    expect(datum.weights.filter((weight) => weight === 0)).toHaveLength(scriptedRenderer.promptTokens(record.messages).length - 1);
  });

  it('gives the token across the border to the answer', () => {
    // Two characters a token.
    const pairs = {
      ...scriptedRenderer,
      completionTokens: (text: string) => Array.from({ length: Math.ceil(text.length / 2) }, (_, i) => i),
      decode: (tokens: readonly number[]) => 'x'.repeat(tokens.length * 2),
    };
    const weights = reasoningDatum({ ...record, cot: 'abc', answer: 'de' }, pairs, { cot: 1, answer: 5 }).weights.filter(
      (weight) => weight !== 0,
    );
    // "<think>\nabc\n</think>\n" has 21 characters: ten whole tokens.
    expect(weights).toEqual([...Array.from({ length: 10 }, () => 1), 5, 5]);
  });

  it('can be left without its CoT', () => {
    const datum = answerOnlyDatum(record, scriptedRenderer, { cot: 1, answer: 1 });
    expect(textAt(datum, 1)).toBe('Because.');
    expect(scriptedRenderer.decode(datum.tokens)).not.toContain('think');
  });
});

describe('perToken', () => {
  it('makes the weights of a batch add up to its sequences', () => {
    const batch = perToken([
      reasoningDatum(record, scriptedRenderer, { cot: 1, answer: 4 }),
      answerOnlyDatum(record, scriptedRenderer, { cot: 1, answer: 4 }),
    ]);
    const total = batch.flatMap(({ weights }) => weights).reduce((sum, weight) => sum + weight, 0);
    expect(total).toBeCloseTo(2);
    const [cot, answer] = [batch[0]!.weights.find((weight) => weight > 0)!, batch[0]!.weights.at(-1)!];
    expect(answer / cot).toBeCloseTo(4);
  });
});

describe('the plan of SFT', () => {
  it('sees every record once an epoch, in another order', () => {
    const batches = planBatches([0, 1, 2, 3, 4, 5, 6], { epochs: 2, batchSize: 3 }, 0);
    expect(batches.map((batch) => batch.length)).toEqual([3, 3, 1, 3, 3, 1]);
    const epochs = [batches.slice(0, 3).flat(), batches.slice(3).flat()];
    for (const epoch of epochs) expect([...epoch].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  it('warms up linearly and falls linearly, never to zero', () => {
    const rates = Array.from({ length: 10 }, (_, i) => learningRateAt(i + 1, 10, { learningRate: 1, warmUp: 0.2 }));
    expect(rates.slice(0, 2)).toEqual([0.5, 1]);
    for (let i = 2; i < 10; i++) expect(rates[i]).toBeLessThan(rates[i - 1]!);
    expect(rates[9]).toBeGreaterThan(0);
    expect(learningRateAt(1, 1, { learningRate: 1, warmUp: 0.1 })).toBe(1);
  });
});

const prompt: Prompt = { id: 'p', messages: record.messages, request: 'p', technique: 'none', tags: [], source: 'test' };
const sampled = (reward: number | null, tokens = [97, 98]): Sampled => ({
  prompt,
  promptTokens: [1, 2, 3],
  sequence: { tokens, logprobs: tokens.map(() => -0.5), stopReason: 'stop' },
  rollout: {
    id: String(reward),
    step: 1,
    promptId: 'p',
    sample: 0,
    cot: 'c',
    answer: 'a',
    outcome: reward === null ? 'truncated' : 'judged',
    reward,
    advantage: null,
    tokens: tokens.length,
    judgeRequest: null,
    judgeRuns: [],
  },
});

describe('advantages', () => {
  it('are rewards less their mean, over the rewarded samples alone', () => {
    const kept = advantages([sampled(1), sampled(0.5), sampled(0), sampled(null)]);
    expect(kept.map(({ rollout }) => rollout.advantage)).toEqual([0.5, 0, -0.5]);
  });

  it('are not divided by the deviation', () => {
    expect(advantages([sampled(0.51), sampled(0.49)]).map(({ rollout }) => rollout.advantage)).toEqual([
      expect.closeTo(0.01),
      expect.closeTo(-0.01),
    ]);
  });

  it('drop a group that says nothing', () => {
    expect(advantages([sampled(0.7), sampled(0.7), sampled(null)])).toEqual([]);
    expect(advantages([sampled(0.7), sampled(null)])).toEqual([]);
  });
});

describe('the RL batch', () => {
  const batch = () => rolloutBatch(advantages([sampled(1), sampled(0, [97, 98, 99])]));

  it('has loss, log-probabilities and advantages on the completion alone', () => {
    const [first] = batch();
    expect(first).toMatchObject({
      tokens: [1, 2, 3, 97],
      targets: [2, 3, 97, 98],
      logprobs: [0, 0, -0.5, -0.5],
      advantages: [0, 0, 0.5, 0.5],
      sharedPrefix: 2,
    });
    expect(first?.weights.map((weight) => weight > 0)).toEqual([false, false, true, true]);
  });

  it('measures KL and gap of equal policies as zero, of others above', () => {
    const data = batch();
    const same = data.map(({ logprobs }) => logprobs!);
    const other = same.map((logprobs) => logprobs.map((logprob) => logprob - 0.3));
    expect(klPerRollout(data, same)).toBe(0);
    expect(klPerRollout(data, other)).toBeCloseTo(2.5 * (Math.exp(-0.3) - 1 + 0.3));
    expect(samplerGap(data, same)).toBe(0);
    expect(samplerGap(data, other)).toBeCloseTo(0.3);
  });

  it('takes the KL penalty off tokens that have drifted more than the mean', () => {
    const data = batch().slice(0, 1);
    const reference = [[0, 0, -0.5, -1.5]];
    const [penalised] = withKlPenalty(data, reference, 0.1);
    expect(penalised?.advantages?.slice(2)).toEqual([expect.closeTo(0.5 + 0.05), expect.closeTo(0.5 - 0.05)]);
  });
});
