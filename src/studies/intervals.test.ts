import { describe, expect, it } from 'vitest';
import { areaUnderCurve, holm, pairedStrata, seedInterval, signTest } from './intervals.js';

const rows = (...values: number[]) => values.map((value, i) => ({ cluster: `r${i}`, value }));

describe('the mean over seeds', () => {
  it('weighs seeds alike, and strata within a seed alike', () => {
    expect(seedInterval([[rows(1, 1, 0, 0)], [rows(1, 1, 1, 1, 1, 1)]], { seed: 1 })?.estimate).toBe(0.75);
    // Mean of .75 and 0, whatever their sizes.
    expect(seedInterval([[rows(1, 1, 1, 0), rows(0)]], { seed: 1 })?.estimate).toBe(0.375);
    expect(seedInterval([[[], rows(1, 0)]], { seed: 1 })?.estimate).toBe(0.5);
    expect(seedInterval([[[]], [[]]], { seed: 1 })).toBeNull();
  });

  it('takes the difference of seeds for uncertainty, with the correction for few of them', () => {
    // No variance within a seed. Of two draws, a quarter are twice the first, a quarter twice the second: 0.5 ± 0.5·√2.
    const found = seedInterval([[rows(0, 0)], [rows(1, 1)]], { seed: 1 })!;
    expect(found.estimate).toBe(0.5);
    expect(found.low).toBeCloseTo(0.5 - Math.SQRT1_2, 10);
    expect(found.high).toBeCloseTo(0.5 + Math.SQRT1_2, 10);
    const rate = seedInterval([[rows(0, 0)], [rows(1, 1)]], { seed: 1, rate: true })!;
    expect([rate.low, rate.high]).toEqual([0, 1]);
  });

  it('is Wilson’s interval at least where the rate is 0', () => {
    const found = seedInterval([[rows(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]], { seed: 1, rate: true })!;
    // z² / (n + z²) for n = 10.
    expect(found.high).toBeCloseTo(3.841459 / 13.841459, 5);
    expect(found.low).toBe(0);
    expect(found.clusters).toBe(10);
  });

  it('resamples requests, not their variants', () => {
    const variants = Array.from({ length: 40 }, (_, i) => ({ cluster: i < 20 ? 'a' : 'b', value: i < 20 ? 0 : 1 }));
    const found = seedInterval([[variants]], { seed: 1 })!;
    expect([found.low, found.high]).toEqual([0, 1]);
  });
});

describe('comparisons of two arms', () => {
  it('pairs what both were asked, stratum by stratum', () => {
    const unit = (id: string, value: number) => ({ id, cluster: id, value });
    expect(
      pairedStrata([[unit('x', 0), unit('y', 1)], [unit('z', 1)]], [[unit('y', 0), unit('x', 1), unit('w', 1)], [unit('z', 1)]]),
    ).toEqual([
      [
        { cluster: 'y', value: -1 },
        { cluster: 'x', value: 1 },
      ],
      [{ cluster: 'z', value: 0 }],
    ]);
  });

  it('tests signs over requests: five of five is p = 2/32, however often each was asked', () => {
    const five = rows(1, 1, 1, 1, 1);
    expect(signTest([[five]])).toBeCloseTo(0.0625, 10);
    expect(signTest([[[...five, ...five]], [five]])).toBeCloseTo(0.0625, 10);
    // Better in one seed and worse in the other: says nothing.
    expect(signTest([[rows(1)], [rows(-1)]])).toBe(1);
  });

  it('corrects p-values by Holm', () => {
    expect(holm([0.01, 0.04, 0.03]).map((p) => Number(p.toFixed(6)))).toEqual([0.03, 0.06, 0.06]);
    expect(holm([0.6, 0.9])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });

  it('counts ties half in the area under the curve', () => {
    const item = (good: boolean, score: number) => ({ good, score });
    expect(areaUnderCurve([item(true, 0.9), item(true, 0.4), item(false, 0.4), item(false, 0.1)])).toBe(0.875);
    expect(areaUnderCurve([item(true, 0.9)])).toBeNull();
  });
});
