/** Every example is run, on the scripted engine. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createScriptedWorkbench, DeliberateError, readJsonl, run, type Message } from 'deliberate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { alignBriefly } from './own-reward.js';
import { alignWithGateway } from './own-engine.js';
import { alignTable, TableTrainer } from './own-trainer.js';
import { judgeByOwnRules, shopJudge } from './own-judge.js';
import { alignToShopPolicy } from './shop-policy.js';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-examples-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const settings = {
  prompts: { train: 16, ordinary: 4, validation: 4 },
  generate: { samples: 2, maxTokens: 400 },
  judge: { maxTokens: 400 },
  sft: { epochs: 1 },
  rl: { steps: 2, promptsPerStep: 2, samplesPerPrompt: 3, maxTokens: 400, validateEvery: 1 },
  eval: { plain: 1, jailbroken: 1, techniques: 1, maxTokens: 400, arms: ['base', 'sft+rl'] },
};
const given = (name: string) => ({ folder: path.join(home, name), settings, engine: createScriptedWorkbench() });

const rollouts = (folder: string) =>
  readJsonl(
    path.join(folder, 'arms', 'sft+rl', 'rl', 'rollouts.jsonl'),
    z.looseObject({ answer: z.string(), reward: z.number().nullable() }),
  );

describe('the examples', () => {
  it("aligns to a shop's policy, which what is learnt cites and does not contain", async () => {
    const { policy, learnt, scorecard, report } = await alignToShopPolicy({ ...given('shop'), settings });
    expect(policy).toContain('[R4]');
    expect(learnt.length).toBeGreaterThan(3);
    for (const { messages, cot } of learnt) {
      expect(JSON.stringify(messages)).not.toContain('Policies in short');
      expect(cot).toMatch(/\[[A-Z]+\d+\]|Policy on this: none/);
    }
    expect(scorecard?.arms.length ?? 0).toBe(2);
    expect(await readFile(report ?? '', 'utf8')).toContain('<html');
  });

  it('filters by a judge of its own', async () => {
    const judgements = await judgeByOwnRules(given('judge'));
    expect(judgements.length).toBeGreaterThan(5);
    for (const { runs } of judgements)
      for (const { rationale } of runs) expect(rationale).toMatch(/short answer|promises money|words for|decides/);
    const subject = { messages: [{ role: 'user' as const, content: 'May I have my money?' }], category: 'refunds' };
    expect(await shopJudge.judge({ ...subject, answer: 'We will refund all of your money.' }, 0)).toMatchObject({ score: 0 });
    expect(await shopJudge.judge({ ...subject, answer: '!!!' }, 0)).toMatchObject({ score: null });
  });

  it('trains by a reward of its own', async () => {
    const plain = given('usual');
    await run(plain);
    const brief = given('brief');
    await alignBriefly(brief, { free: 0, perWord: 0.01 });
    const highest = async (folder: string) => Math.max(...(await rollouts(folder)).flatMap(({ reward }) => reward ?? []));
    // Every answer has words, so none can reach what the judge alone would give.
    expect(await highest(brief.folder)).toBeLessThan(await highest(plain.folder));
    const spoilt = { ...given('spoilt'), reward: { digest: 'nan', reward: () => Number.NaN } };
    await expect(run(spoilt)).rejects.toThrow(DeliberateError);
  });

  it('generates and judges on an engine of its own', async () => {
    const asked: (readonly Message[])[] = [];
    const bench = createScriptedWorkbench();
    const base = await bench.base();
    await alignWithGateway(
      { ...given('engine'), engine: bench, stages: ['prepare', 'categorise', 'generate', 'judge', 'filter'] },
      async (messages, options) => {
        asked.push(messages);
        if (messages[0]?.content.includes('Reply with JSON alone'))
          return '{"rationale": "from the gateway", "agrees_with_hint": true, "grade": 5}';
        return (await base.chat({ messages, temperature: 1, ...options })).choices[0]!.text;
      },
    );
    expect(asked.length).toBeGreaterThan(30);
    expect(await readFile(path.join(home, 'engine', 'judgements.jsonl'), 'utf8')).toContain('from the gateway');
    expect((await readFile(path.join(home, 'engine', 'sft.jsonl'), 'utf8')).trim().split('\n').length).toBeGreaterThan(3);
  });

  it('trains on an engine of its own, from SFT to the report', async () => {
    const replies = [
      { text: '<think>\nI do not know.\nDecision: comply\n</think>\nWell.', logit: 0 },
      { text: "<think>\nI had better not.\nDecision: refuse\n</think>\nI'm sorry, but I can't help with that.", logit: 0 },
    ];
    const { scorecard, report } = await alignTable(given('table'), replies);
    expect(scorecard?.arms).toEqual(['base', 'sft+rl']);
    expect(await readFile(report ?? '', 'utf8')).toContain('<html');
    const arm = path.join(home, 'table', 'arms', 'sft+rl', 'rl', 'adapter', 'table.json');
    const table = JSON.parse(await readFile(arm, 'utf8')) as { text: string; logit: number }[];
    const learnt = await readJsonl(path.join(home, 'table', 'sft.jsonl'), z.looseObject({ cot: z.string(), answer: z.string() }));
    // SFT has put what passed the filter into the table, and given it weight.
    for (const { answer } of learnt) expect(table.some(({ text }) => text.endsWith(answer))).toBe(true);
    const mean = (some: typeof table) => some.reduce((sum, { logit }) => sum + logit, 0) / some.length;
    expect(mean(table.slice(2)) - -2).toBeGreaterThan(mean(table.slice(0, 2)) - 0);
    expect((await rollouts(path.join(home, 'table'))).some(({ reward }) => (reward ?? 0) > 0)).toBe(true);
  });

  it('takes the gradient of each loss, as finite differences have it', async () => {
    const { renderer } = createScriptedWorkbench().trainer;
    const replies = ['a', 'b', 'c'].map((text, i) => ({ text, logit: i / 2 }));
    const datum = { tokens: [1, 98], targets: [98, renderer.completionTokens('b').at(-1)!], weights: [1, 1] };
    const rollout = { ...datum, logprobs: [-1.5, 0], advantages: [0.7, 0.7] };
    for (const [loss, one] of [
      ['cross_entropy', datum],
      ['importance_sampling', rollout],
    ] as const) {
      const lossAt = async (k: number, by: number) => {
        const moved = new TableTrainer(
          renderer,
          replies.map((reply, i) => ({ ...reply, logit: reply.logit + (i === k ? by : 0) })),
        );
        return (await moved.forwardBackward([one], loss)).lossSum;
      };
      const expected = await Promise.all(replies.map(async (_, k) => ((await lossAt(k, 1e-4)) - (await lossAt(k, -1e-4))) / 2e-4));
      const trainer = new TableTrainer(renderer, replies);
      await trainer.forwardBackward([one], loss);
      const { gradNorm } = await trainer.optimStep({ learningRate: 1e-3 });
      expect(gradNorm).toBeCloseTo(Math.hypot(...expected), 6);
      trainer.replies.forEach(({ logit }, k) => expect(logit - replies[k]!.logit).toBeCloseTo(-expected[k]! / gradNorm, 6));
    }
  });
});
