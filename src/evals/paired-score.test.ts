import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { fewDiffer, tango } from './paired-score.js';

const counts = (better: number, worse: number, n: number) => ({ up: better / n, down: worse / n, n });

/** Score statistic of a true difference, its variance found by trying every share of pairs that fall. */
function scoreByTrial(better: number, worse: number, n: number, at: number): number {
  let best = { likelihood: -Infinity, falls: 0 };
  const log = (count: number, share: number) => (count === 0 ? 0 : share <= 0 ? -Infinity : count * Math.log(share));
  for (let i = 0; i <= 200_000; i++) {
    const falls = i / 200_000;
    const rises = falls + at;
    if (rises < 0 || rises + falls > 1) continue;
    const likelihood = log(better, rises) + log(worse, falls) + log(n - better - worse, 1 - rises - falls);
    if (likelihood > best.likelihood) best = { likelihood, falls };
  }
  return (better / n - worse / n - at) / Math.sqrt((2 * best.falls + at - at * at) / n);
}

describe('Tango’s interval', () => {
  it('has its closed forms where no pair differs, and where all differ alike', () => {
    const z2 = 1.959963984540054 ** 2;
    for (const n of [1, 13, 400]) {
      const none = tango(counts(0, 0, n));
      expect(none.high).toBeCloseTo(z2 / (n + z2), 10);
      expect(none.low).toBeCloseTo(-none.high, 10);
      const all = tango(counts(n, 0, n));
      expect(all.low).toBeCloseTo((n - z2) / (n + z2), 10);
      expect(all.high).toBeCloseTo(1, 10);
    }
  });

  it('ends where the score statistic is ± z', () => {
    for (const [better, worse, n] of [
      [1, 0, 13],
      [3, 1, 40],
      [12, 2, 50],
    ] as const) {
      const { low, high } = tango(counts(better, worse, n));
      expect(scoreByTrial(better, worse, n, low)).toBeCloseTo(1.96, 2);
      expect(scoreByTrial(better, worse, n, high)).toBeCloseTo(-1.96, 2);
    }
  });

  it('is the mirror image for the opposite difference', () => {
    const [one, other] = [tango(counts(5, 2, 30)), tango(counts(2, 5, 30))];
    expect(other.low).toBeCloseTo(-one.high, 10);
    expect(other.high).toBeCloseTo(-one.low, 10);
  });

  it('covers a small true difference about 95 times in 100', () => {
    const random = new Random('tango');
    let covered = 0;
    for (let trial = 0; trial < 1000; trial++) {
      let [better, worse] = [0, 0];
      for (let i = 0; i < 30; i++) {
        const drawn = random.uniform();
        if (drawn < 0.08) better++;
        else if (drawn < 0.1) worse++;
      }
      const { low, high } = tango(counts(better, worse, 30));
      if (low <= 0.06 && 0.06 <= high) covered++;
    }
    expect(covered).toBeGreaterThan(925);
    expect(covered).toBeLessThan(985);
  });

  it('is called for where fewer than five requests speak', () => {
    expect(fewDiffer(counts(2, 2, 100))).toBe(true);
    expect(fewDiffer(counts(3, 2, 100))).toBe(false);
    expect(fewDiffer(counts(96, 0, 100))).toBe(true);
  });
});
