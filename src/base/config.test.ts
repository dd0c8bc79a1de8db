import { describe, expect, it } from 'vitest';
import { Config, configDifferences, mergeSettings, parseConfig, settingsList, smokeSettings } from './config.js';

describe('settings', () => {
  it('have defaults for everything, and a meaning each', () => {
    expect(parseConfig(undefined, 'x')).toEqual(Config.parse({}));
    expect(parseConfig({ rl: { steps: 3 } }, 'x').rl).toEqual({ ...Config.parse({}).rl, steps: 3 });
    for (const { path, meaning } of settingsList()) expect(meaning, path).not.toBe('');
  });

  it('refuse what they do not know, and name the nearest', () => {
    expect(() => parseConfig({ genrate: {} }, 'mine.yaml')).toThrow('mine.yaml: unknown setting genrate (did you mean "generate"?)');
    expect(() => parseConfig({ rl: { step: 1 } }, 'mine.yaml')).toThrow('unknown setting rl.step (did you mean "steps"?)');
    expect(() => parseConfig({ rl: { alarms: { klo: 1 } } }, 'mine.yaml')).toThrow('unknown setting rl.alarms.klo (did you mean "kl"?)');
    expect(() => parseConfig({ epochs: 3 }, 'mine.yaml')).toThrow('unknown setting epochs (did you mean sft.epochs?)');
  });

  it('name the setting whose value cannot be', () => {
    expect(() => parseConfig({ filter: { threshold: 2 } }, 'mine.yaml')).toThrow(/mine\.yaml: filter\.threshold: /);
    expect(() => parseConfig({ rl: { samplesPerPrompt: 1 } }, 'mine.yaml')).toThrow(/rl\.samplesPerPrompt: /);
    expect(() => parseConfig('text', 'mine.yaml')).toThrow(/mine\.yaml: settings: /);
  });

  it('name the layers that are trained: all, where none is named', () => {
    expect(parseConfig({}, 'x').engine.targets).toEqual(['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']);
    expect(parseConfig({ engine: { targets: ['v_proj'] } }, 'x').engine.targets).toEqual(['v_proj']);
    expect(() => parseConfig({ engine: { targets: ['query'] } }, 'mine.yaml')).toThrow(/mine\.yaml: engine\.targets\.0: .*q_proj/);
    expect(() => parseConfig({ engine: { targets: [] } }, 'mine.yaml')).toThrow(/mine\.yaml: engine\.targets: /);
    const tinker = { kind: 'tinker', baseUrl: 'http://127.0.0.1:8000', adapter: null };
    expect(() => parseConfig({ engine: { ...tinker, targets: ['v_proj'] } }, 'x')).toThrow('engine.targets: must be left out');
    expect(parseConfig({ engine: tinker }, 'x').engine.kind).toBe('tinker');
  });

  it('include the smoke settings', () => {
    expect(parseConfig(smokeSettings, 'x').rl.steps).toBe(smokeSettings.rl.steps);
  });
});

describe('mergeSettings', () => {
  it('lays one upon the other, lists whole', () => {
    expect(mergeSettings({ a: { b: 1, c: [1, 2] }, d: 1 }, { a: { c: [3] }, e: null })).toEqual({ a: { b: 1, c: [3] }, d: 1, e: null });
  });
});

describe('configDifferences', () => {
  it('names each setting that differs', () => {
    const differences = configDifferences(parseConfig({}, 'x'), parseConfig({ seed: 3, rl: { alarms: { kl: 9 } } }, 'x'));
    expect(differences.map(({ path }) => path)).toEqual(['seed', 'rl.alarms.kl']);
  });
});
