import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { clusterBootstrap, goodnessAt, pairedDifference, quantile, rateInterval, wilson, type Scored } from './statistics.js';

const rows = (values: number[], perCluster = 1): Scored[] =>
  values.map((value, i) => ({ cluster: `r${Math.floor(i / perCluster)}`, value }));

describe('wilson', () => {
  it('has the textbook values', () => {
    // 0 of 10, 8 of 10 and 50 of 100, from the closed form.
    expect(wilson(0, 10).low).toBe(0);
    expect(wilson(0, 10).high).toBeCloseTo(0.2775, 4);
    expect(wilson(0.8, 10).low).toBeCloseTo(0.4902, 4);
    expect(wilson(0.8, 10).high).toBeCloseTo(0.9433, 4);
    expect(wilson(0.5, 100).low).toBeCloseTo(0.4038, 4);
    expect(wilson(0.5, 100).high).toBeCloseTo(0.5962, 4);
  });

  it('refuses what is no rate', () => {
    expect(() => wilson(1.2, 10)).toThrow(/internal/);
    expect(() => wilson(0.5, 0)).toThrow(/internal/);
  });
});

describe('quantile', () => {
  it('interpolates between order statistics', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3, 4], 0)).toBe(1);
    expect(quantile([10], 0.975)).toBe(10);
  });
});

describe('clusterBootstrap', () => {
  it('agrees with the normal approximation where rows are their own clusters', () => {
    const values = Array.from({ length: 400 }, (_, i) => (i < 240 ? 1 : 0));
    const { estimate, low, high } = clusterBootstrap(rows(values), { seed: 1, resamples: 4000 });
    const half = 1.96 * Math.sqrt((0.6 * 0.4) / 400);
    expect(estimate).toBe(0.6);
    expect(low).toBeCloseTo(0.6 - half, 1.9);
    expect(high).toBeCloseTo(0.6 + half, 1.9);
    expect((high - low) / (2 * half)).toBeGreaterThan(0.93);
    expect((high - low) / (2 * half)).toBeLessThan(1.07);
  });

  it('is √m wider when m copies of each request are one cluster than when they pass for independent', () => {
    const values = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 1 : 0)).flatMap((v) => Array<number>(16).fill(v));
    const clustered = clusterBootstrap(rows(values, 16), { seed: 2, resamples: 2000 });
    const naive = clusterBootstrap(rows(values), { seed: 2, resamples: 2000 });
    const ratio = (clustered.high - clustered.low) / (naive.high - naive.low);
    expect(ratio).toBeGreaterThan(3.5);
    expect(ratio).toBeLessThan(4.5);
  });

  it('covers the truth about 95 times in 100', () => {
    const random = new Random('coverage');
    let covered = 0;
    for (let trial = 0; trial < 200; trial++) {
      const values = Array.from({ length: 60 }, () => (random.uniform() < 0.7 ? 1 : 0));
      const { low, high } = clusterBootstrap(rows(values), { seed: trial, resamples: 400 });
      if (low <= 0.7 && 0.7 <= high) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(180);
    expect(covered).toBeLessThanOrEqual(199);
  });

  it('is the same for the same seed and needs rows', () => {
    const some = rows([1, 0, 1, 1, 0, 1]);
    expect(clusterBootstrap(some, { seed: 5 })).toEqual(clusterBootstrap(some, { seed: 5 }));
    expect(() => clusterBootstrap([], { seed: 5 })).toThrow(/no rows/);
  });
});

describe('rateInterval', () => {
  it('is not sure of itself at 0 and 1', () => {
    const { estimate, low, high } = rateInterval(rows(Array<number>(20).fill(1)), { seed: 1 });
    expect([estimate, high]).toEqual([1, 1]);
    expect(low).toBeCloseTo(wilson(1, 20).low, 12);
  });

  it('counts requests, not variants', () => {
    const { low } = rateInterval(rows(Array<number>(200).fill(1), 20), { seed: 1 });
    expect(low).toBeCloseTo(wilson(1, 10).low, 12);
  });

  it('is the bootstrap in the middle', () => {
    const middling = rows(Array.from({ length: 40 }, (_, i) => i % 2));
    expect(rateInterval(middling, { seed: 1 })).toEqual(clusterBootstrap(middling, { seed: 1 }));
  });
});

describe('pairedDifference', () => {
  it('cancels what both arms share', () => {
    // Arms agree but for every tenth request, which b alone gets right.
    const paired = Array.from({ length: 100 }, (_, i) => {
      const a = i % 2;
      return { cluster: `r${i}`, a, b: i % 10 === 0 ? 1 : a };
    });
    const { estimate, low, high } = pairedDifference(paired, { seed: 1 });
    expect(estimate).toBeCloseTo(0.1, 12);
    expect(low).toBeGreaterThan(0.03);
    expect(high).toBeLessThan(0.18);
  });

  it('is not certain where all requests differ alike, and counts requests and not their variants', () => {
    const alike = (a: number, b: number, variants = 1) =>
      Array.from({ length: 13 * variants }, (_, i) => ({ cluster: `r${i % 13}`, a, b }));
    const none = pairedDifference(alike(1, 1), { seed: 1 });
    expect([none.low, none.high]).toEqual([-none.high, expect.closeTo(0.2281, 4)]);
    expect(pairedDifference(alike(1, 1, 20), { seed: 1 })).toEqual(none);
    const half = pairedDifference(alike(0, 0.5), { seed: 1 });
    expect(half.estimate).toBe(0.5);
    expect(half.low).toBeLessThan(0.3);
    expect(half.high).toBeGreaterThan(0.65);
  });
});

describe('goodnessAt', () => {
  it('averages the worst tenth, rounded up', () => {
    expect(goodnessAt([...Array<number>(19).fill(1), 0])).toBe(0.5);
    expect(goodnessAt([...Array<number>(29).fill(1), 0])).toBeCloseTo(2 / 3, 12);
    expect(goodnessAt([...Array<number>(20).fill(1), 0])).toBeCloseTo(2 / 3, 12);
  });

  it('is the minimum for ten techniques or fewer', () => {
    expect(goodnessAt([1, 0.25, 1, 1])).toBe(0.25);
    expect(goodnessAt(Array<number>(10).fill(0.75))).toBe(0.75);
  });
});
