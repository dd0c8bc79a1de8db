import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig, smokeSettings } from '../base/config.js';
import { atScale, costAtScale } from './cost-command.js';
import { costTable, estimateCost, totalMoney, totalSeconds, type CostFacts } from './cost.js';
import { loadConfig } from './settings.js';

const minutes = (settings: object, specTokens = 6000) => {
  const config = parseConfig(settings, 'test');
  return totalSeconds(estimateCost(config, { generate: config.prompts.train + config.prompts.ordinary, specTokens })) / 60;
};

describe('the time budget', () => {
  it('of the demo is under twenty minutes, with room to spare', () => {
    expect(minutes({})).toBeLessThan(19);
    expect(minutes({})).toBeGreaterThan(8);
  });
  it('of the smoke run is under three minutes', () => {
    expect(minutes(smokeSettings, 3000)).toBeLessThan(3);
  });
  it('grows with what is asked', () => {
    expect(minutes({ rl: { steps: 40 } })).toBeGreaterThan(minutes({}) + 3);
    expect(minutes({ generate: { samples: 6 } })).toBeGreaterThan(minutes({}) + 2);
    expect(minutes({ rl: { steps: 0 } })).toBeLessThan(minutes({}));
    const copies = (ordinary: number) =>
      minutes({ prompts: { ordinary }, filter: { wrappedCopies: 2 } }) - minutes({ prompts: { ordinary } });
    expect(copies(12)).toBeGreaterThan(3);
    // Ordinary prompts get none.
    expect(copies(100)).toBeCloseTo(copies(12));
  });
  it('is printed by stage', () => {
    const table = costTable(estimateCost(parseConfig({}, 'test'), { generate: 10, specTokens: 1000 }));
    expect(table.split('\n').map((line) => line.split(/ {2,}/)[0])).toEqual([
      'stage',
      'start',
      'generate',
      'judge',
      'sft',
      'rl',
      'eval',
      'in all',
    ]);
  });
});

describe('the cost model', () => {
  const price = { input: 2, output: 10 };
  const server = { engine: 'openai', baseUrl: 'http://127.0.0.1:1', model: 'm' };
  const served = (over: object = {}) =>
    parseConfig(
      { generate: { samples: 4, maxTokens: 1000 }, generator: { ...server, price, ...over }, judge: { ...server, price, runs: 3 } },
      'test',
    );
  const facts = { specTokens: 8000, categories: 8, serverRates: { input: 10_000, output: 1000 } };
  const at = (prompts: number, over: Partial<CostFacts & { passes: number }> = {}, config = served()) => {
    const costs = costAtScale(config, prompts, { ...facts, ...over });
    return Object.fromEntries(costs.map((cost) => [cost.stage, cost]));
  };

  it('counts what servers are sent and paid for', () => {
    const { generate, judge } = at(6800);
    // Four samples in one request; its specification of 1000 tokens, the prompt, and the instructions of the layout.
    expect(generate).toMatchObject({ calls: 6800, sampled: 6800 * 4 * 92, prefilled: 6800 * (1000 + 57 + 170) });
    expect(generate!.money).toBeCloseTo((generate!.prefilled * 2 + generate!.sampled * 10) / 1e6, 6);
    expect(generate!.seconds).toBeCloseTo(generate!.prefilled / 10_000 + generate!.sampled / 1000, 6);
    // One request a run for every completion that passes the checks.
    expect(judge!.calls).toBe(Math.round(5600 * 4 * 0.28 * 3));
    expect(at(6800, {}, served({ server: 'llamacpp' })).generate!.calls).toBe(6800 * 4);
  });

  it('grows in proportion to the prompts, from a thousand to ten million', () => {
    for (const stage of ['generate', 'judge', 'sft', 'rl']) {
      const [small, large] = [at(1e3, { passes: 1 })[stage]!, at(1e7, { passes: 1 })[stage]!];
      expect(large.calls / Math.max(1, small.calls), stage).toBeCloseTo(stage === 'sft' ? 0 : 1e4, -2);
      expect((large.sampled + large.trained) / (small.sampled + small.trained), stage).toBeCloseTo(1e4, -2);
    }
    expect(at(1e7).eval).toEqual(at(1e3).eval);
    expect(at(1e6, { passes: 1 }).generate!.money! / at(1e3).generate!.money!).toBeCloseTo(1000, 6);
  });

  it('knows the judge that gives log-probabilities, and models that reason at length', () => {
    const config = parseConfig({ judge: { ...server, logprobs: true, runs: 1, price } }, 'test');
    const judge = estimateCost(config, { ...facts, generate: 68 }).find(({ stage }) => stage === 'judge')!;
    expect(judge.calls).toBe(Math.round(56 + 2 * 56 * 3 * 0.28));
    expect(at(100, { lengths: { cot: 400, completion: 600 } }).generate!.sampled).toBe(100 * 4 * 600);
  });

  it('says where it does not know a time, and where nothing is paid', () => {
    const { serverRates: _, ...unknown } = facts;
    const costs = estimateCost(served(), { ...unknown, generate: 10 });
    expect(costs.find(({ stage }) => stage === 'generate')!.seconds).toBeNull();
    expect(costTable(costs)).toMatch(/^generate .*the server’s/m);
    expect(costTable(costs)).toMatch(/^in all .* and more/m);
    const free = estimateCost(parseConfig({}, 'test'), { specTokens: 6000, generate: 10 });
    expect(totalMoney(free)).toBeNull();
    expect(costTable(free)).not.toContain('cost');
  });

  it('has a larger model take longer by its size', () => {
    const config = parseConfig({}, 'test');
    const seconds = (parameters: number) =>
      estimateCost(config, { specTokens: 6000, generate: 68, parameters }).find(({ stage }) => stage === 'sft')!.seconds!;
    expect(seconds(1.345e9) / seconds(134.5e6)).toBeCloseTo(10, 6);
  });

  it('keeps the share of ordinary prompts', () => {
    const { prompts, rl } = atScale(parseConfig({}, 'test'), 6800, 2);
    expect(prompts).toMatchObject({ train: 5600, ordinary: 1200 });
    expect(rl.steps).toBe((6800 * 2) / 4);
  });
});

describe('settings for it', () => {
  it('are those of a run where its run.yaml is given', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'deliberate-cost-'));
    const file = path.join(folder, 'run.yaml');
    const config = parseConfig({ generate: { samples: 7 } }, 'test');
    await writeFile(file, JSON.stringify({ schemaVersion: 1, name: 'x', model: 'm', config }));
    expect((await loadConfig(file, {})).generate.samples).toBe(7);
    await expect(loadConfig(folder, {})).rejects.toThrow(`${folder}: is a folder. Give the path of a YAML file`);
    await rm(folder, { recursive: true });
  });
});
