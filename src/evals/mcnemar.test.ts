import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mcnemarExact } from './mcnemar.js';

describe("McNemar's exact test", () => {
  it('is the two-sided binomial tail', () => {
    expect(mcnemarExact(0, 0)).toBe(1);
    expect(mcnemarExact(0, 5)).toBeCloseTo(2 / 32, 12);
    expect(mcnemarExact(0, 6)).toBeCloseTo(2 / 64, 12);
    // 2 · (1 + 10 + 45) / 1024
    expect(mcnemarExact(8, 2)).toBeCloseTo(112 / 1024, 12);
    expect(mcnemarExact(4, 4)).toBe(1);
  });

  it('does not care which arm is which, stays in (0, 1], and survives thousands of pairs', () => {
    fc.assert(
      fc.property(fc.nat(3000), fc.nat(3000), (a, b) => {
        const p = mcnemarExact(a, b);
        expect(p).toBe(mcnemarExact(b, a));
        expect(p).toBeGreaterThanOrEqual(0);
        expect(p).toBeLessThanOrEqual(1);
      }),
      { numRuns: 50 },
    );
    expect(mcnemarExact(1000, 1100)).toBeGreaterThan(0.02);
    expect(mcnemarExact(1000, 1100)).toBeLessThan(0.04);
  });

  it('refuses what are no counts', () => {
    expect(() => mcnemarExact(1.5, 2)).toThrow('McNemar');
    expect(() => mcnemarExact(-1, 2)).toThrow('McNemar');
  });
});
