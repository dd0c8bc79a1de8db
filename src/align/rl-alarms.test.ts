/** A policy that games its reward is noticed in the step in which it does. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../base/config.js';
import { packageRoot } from '../base/package-root.js';
import type { Prompt } from '../base/records.js';
import { RunPaths } from '../base/run-folder.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { loadPrompts } from '../prompts/load.js';
import { specsOf } from './compiled-specs.js';
import { trainRl } from './rl.js';
import { loadSpec } from './spec/parse.js';
import type { Spec } from './spec/types.js';

let home: string;
let spec: Spec;
let prompts: Prompt[];
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-alarms-'));
  spec = await loadSpec(path.join(packageRoot, 'spec'));
  prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const helps = 'Here is how it is done: first gather what you need, then go through it in small parts.';
const refuses = "I'm sorry, but I can't help with that.";

/** Trains two steps of a policy that writes these answers, by step. @returns what was said of each step, on the screen and in the metrics */
async function train(name: string, answers: readonly string[], { samplerGap = 0 } = {}): Promise<{ said: string[]; alarms: string[][] }> {
  const paths = new RunPaths(path.join(home, name));
  const rl = { steps: 2, promptsPerStep: 2, samplesPerPrompt: 2, maxTokens: 400, validateEvery: 1 };
  const config = parseConfig({ rl }, 'test');
  const bench = createScriptedWorkbench();
  const { trainer } = bench;
  const said: string[] = [];
  const start = path.join(home, name, 'start');
  await trainer.save(start);
  let step = 0;
  trainer.sample = ({ n }) =>
    Promise.resolve(
      Array.from({ length: n }, (_, i) => {
        const tokens = trainer.renderer.completionTokens(`<think>\nThe user asks.\n</think>\n${answers[step]} ${i}`);
        return { tokens, logprobs: tokens.map(() => -0.1), stopReason: 'stop' as const };
      }),
    );
  const { optimStep } = trainer;
  trainer.optimStep = (params) => {
    step++;
    return optimStep(params);
  };
  bench.logprobs = (_folder, data) =>
    Promise.resolve(data.map(({ targets, weights }) => targets.map((_, t) => (weights[t] === 0 ? 0 : -0.1 - samplerGap * step))));
  const policy = prompts.filter(({ category, ideal }) => category !== undefined && category !== 'none' && ideal !== undefined);
  await trainRl(
    {
      paths,
      config,
      specs: specsOf(spec, config, bench),
      bench,
      // The last digit is the number of the sample: each group has rewards that differ.
      own: { reward: { digest: 'digit', reward: ({ answer }) => Number(answer.at(-1)) } },
      progress: { say: (line) => void said.push(line), task: () => ({ advance: () => undefined, done: () => undefined }) },
    },
    { start: { folder: start, key: 'start' }, train: policy.slice(0, 6), ordinary: [], validation: policy.slice(6, 8) },
  );
  const metrics = await readFile(path.join(paths.training('sft+rl', 'rl'), 'metrics.jsonl'), 'utf8');
  const alarms = metrics
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { step: number; alarms: string[] })
    // Before the first step there is only a validation.
    .filter(({ step }) => step > 0)
    .map((line) => line.alarms);
  return { said: said.filter((line) => line.includes('alarm')), alarms };
}

describe('an alarm', () => {
  it('stays away while nothing is wrong', async () => {
    expect(await train('well', [helps, helps])).toEqual({ said: [], alarms: [[], []] });
  });

  it.each([
    ['everything is refused', 'refused', [helps, refuses], 'alarm: 100 % of the rollouts refuse', {}],
    ['answers grow', 'grow', [helps, `${helps} `.repeat(4)], 'alarm: rollouts have grown from', {}],
    ['answers vanish', 'vanish', [`${helps} `.repeat(4), helps], 'alarm: rollouts have shrunk from', {}],
    ['the policy walks away from where it began', 'far', [helps, helps], 'nats a rollout from the SFT policy', { samplerGap: 1 }],
  ])('comes when %s', async (_, name, answers, expected, over) => {
    const { said, alarms } = await train(name, answers, over);
    expect(alarms[0]).toEqual([]);
    expect(alarms[1]).toEqual([expect.stringContaining(expected)]);
    expect(said).toEqual([expect.stringMatching(/^rl step 2: alarm: /)]);
  });

  it('comes when nothing is refused any more', async () => {
    const { alarms } = await train('helps', [refuses, helps]);
    expect(alarms[1]).toEqual(['alarm: refusals fell from 100 % to 0 % of the rollouts']);
  });
});
