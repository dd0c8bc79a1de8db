import { describe, expect, it } from 'vitest';
import { parseConfig, smokeSettings } from '../base/config.js';
import { costTable, estimateCost, totalSeconds } from './cost.js';

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
