import { describe, expect, it } from 'vitest';
import { areaUnderCurve, pairedStrata, seedInterval } from './intervals.js';

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
    const rate = seedInterval([[rows(0, 0)], [rows(1, 1)]], { seed: 1, of: 'rate' })!;
    expect([rate.low, rate.high]).toEqual([0, 1]);
  });

  it('is Wilson’s interval at least where the rate is 0', () => {
    const found = seedInterval([[rows(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]], { seed: 1, of: 'rate' })!;
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

describe('the mean difference over seeds', () => {
  const thirteen = rows(...Array<number>(13).fill(0));
  const z2 = 3.8414588;

  it('is not certain where no request differs', () => {
    // Wilson's bound on the share of requests that might: z² / (n + z²), whatever the number of seeds.
    for (const seeds of [[[thirteen]], [[thirteen], [thirteen], [thirteen]]]) {
      const found = seedInterval(seeds, { seed: 1, of: 'difference' })!;
      expect(found.estimate).toBe(0);
      expect(found.low).toBeCloseTo(-z2 / (13 + z2), 6);
      expect(found.high).toBeCloseTo(z2 / (13 + z2), 6);
      expect(found.oneSidedLow).toBeCloseTo(-2.7055434 / (13 + 2.7055434), 6);
    }
  });

  it('is not certain where every request went from 0 to 1', () => {
    const found = seedInterval([[rows(...Array<number>(13).fill(1))]], { seed: 1, of: 'difference' })!;
    expect(found.low).toBeCloseTo((13 - z2) / (13 + z2), 6);
    expect(found.high).toBe(1);
  });

  it('stays between −1 and 1, where seeds that differ would carry it out', () => {
    const found = seedInterval([[rows(0, 0, -1)], [rows(-1, -1, -1)]], { seed: 1, of: 'difference' })!;
    expect(found.low).toBe(-1);
    expect(found.oneSidedLow).toBe(-1);
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

  it('counts ties half in the area under the curve', () => {
    const item = (good: boolean, score: number) => ({ good, score });
    expect(areaUnderCurve([item(true, 0.9), item(true, 0.4), item(false, 0.4), item(false, 0.1)])).toBe(0.875);
    expect(areaUnderCurve([item(true, 0.9)])).toBeNull();
  });
});
