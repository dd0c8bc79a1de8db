import { describe, expect, it } from 'vitest';
import { holm, signTest } from './significance.js';

const rows = (...values: number[]) => values.map((value, i) => ({ cluster: `r${i}`, value }));

describe('p-values', () => {
  it('are of signs over requests: five of five is p = 2/32, however often each was asked', () => {
    const five = rows(1, 1, 1, 1, 1);
    expect(signTest(five)).toBeCloseTo(0.0625, 10);
    expect(signTest([...five, ...five, ...five])).toBeCloseTo(0.0625, 10);
    // Better in one seed and worse in the other: says nothing.
    expect(signTest([...rows(1), ...rows(-1)])).toBe(1);
    expect(signTest([])).toBe(1);
  });

  it('are corrected by Holm', () => {
    expect(holm([0.01, 0.04, 0.03]).map((p) => Number(p.toFixed(6)))).toEqual([0.03, 0.06, 0.06]);
    expect(holm([0.6, 0.9])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });
});
