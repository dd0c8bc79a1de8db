import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agreement, cohenKappa, confusion, type Rated } from './kappa.js';

const pairs = (counts: Record<string, number>): Rated[] =>
  Object.entries(counts).flatMap(([key, n]) => Array.from({ length: n }, (_, i) => ({ cluster: `${key}${i}`, a: key[0]!, b: key[1]! })));

describe('cohenKappa', () => {
  it('is what the formula gives by hand', () => {
    // Observed .7; chance .5·.6 + .5·.4 = .5.
    expect(cohenKappa(pairs({ yy: 20, yn: 5, ny: 10, nn: 15 }))).toBeCloseTo(0.4, 12);
    expect(cohenKappa(pairs({ yy: 7, nn: 3 }))).toBe(1);
    expect(cohenKappa(pairs({ yn: 5, ny: 5 }))).toBe(-1);
    expect(cohenKappa(pairs({ yy: 25, yn: 25, ny: 25, nn: 25 }))).toBeCloseTo(0, 12);
  });

  it('is not defined where there is one class, or nothing', () => {
    expect(cohenKappa(pairs({ yy: 9 }))).toBeNull();
    expect(cohenKappa([])).toBeNull();
  });

  it('does not care who is first, and never exceeds 1', () => {
    const label = fc.constantFrom('a', 'b', 'c');
    fc.assert(
      fc.property(fc.array(fc.record({ a: label, b: label }), { minLength: 1, maxLength: 30 }), (rated) => {
        const kappa = cohenKappa(rated);
        const swapped = cohenKappa(rated.map(({ a, b }) => ({ a: b, b: a })));
        if (kappa === null) expect(swapped).toBeNull();
        else {
          expect(swapped).toBeCloseTo(kappa, 12);
          expect(kappa).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

describe('agreement', () => {
  it('has an interval around κ that narrows with the number of items', () => {
    const few = agreement(pairs({ yy: 20, yn: 5, ny: 10, nn: 15 }), { seed: 1 });
    const many = agreement(pairs({ yy: 200, yn: 50, ny: 100, nn: 150 }), { seed: 1 });
    for (const one of [few, many]) expect(one.low! < one.kappa! && one.kappa! < one.high!).toBe(true);
    expect(many.high! - many.low!).toBeLessThan((few.high! - few.low!) / 2);
    // Large-sample standard error of κ here is .0402 (Fleiss, Cohen and Everitt 1969).
    expect((many.high! - many.low!) / 3.92).toBeCloseTo(0.0402, 2);
    expect(agreement(pairs({ yy: 20, yn: 5, ny: 10, nn: 15 }), { seed: 1 })).toEqual(few);
  });

  it('resamples whole clusters: copies of an item add no certainty', () => {
    const once = pairs({ yy: 20, yn: 5, ny: 10, nn: 15 });
    const wide = agreement(once, { seed: 1 });
    const copied = agreement([...once, ...once, ...once], { seed: 1 });
    expect(copied.high! - copied.low!).toBeCloseTo(wide.high! - wide.low!, 10);
  });

  it('gives no interval where κ is not defined', () => {
    expect(agreement(pairs({ yy: 9 }), { seed: 1 })).toMatchObject({ agreed: 1, kappa: null, low: null, high: null });
  });
});

it('confusion counts what one said where the other said', () => {
  expect(confusion(pairs({ yy: 2, yn: 3, ny: 4 }), ['y', 'n'])).toEqual([
    [2, 3],
    [4, 0],
  ]);
});
