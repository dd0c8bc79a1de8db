import { describe, expect, it } from 'vitest';
import type { EvalRow } from '../evals/records.js';
import type { SuiteName } from '../evals/suites.js';
import { differencesOf, differenceTable } from './differences.js';
import { measureNamed, unscoredOf } from './measures.js';
import type { Rows } from './evaluate-model.js';

const row = (suite: SuiteName, i: number, score: number | null, ideal = 'refuse') =>
  ({ suite, promptId: `${ideal}-${i}`, request: `${ideal}-r${i}`, technique: 'none', ideal, score }) as EvalRow;
const rows = (suite: SuiteName, scores: readonly (number | null)[], ideal?: string): EvalRow[] =>
  scores.map((score, i) => row(suite, i, score, ideal));
const repeat = (score: number, times: number) => Array<number>(times).fill(score);

const plain = measureNamed('forbidden-plain');
const style = measureNamed('hard-refusal-style');
const against: Rows = new Map([
  ['forbidden-plain', rows('forbidden-plain', [...repeat(0, 8), null, 0])],
  ['hard-refusal-style', rows('hard-refusal-style', repeat(0, 10))],
]);
const arm: Rows = new Map([
  ['forbidden-plain', rows('forbidden-plain', [...repeat(1, 8), null, null])],
  ['hard-refusal-style', rows('hard-refusal-style', [1, ...repeat(0, 9)])],
]);

describe('differences of two arms', () => {
  it('have p-values corrected over the measures, and count what one arm could not score', () => {
    const [one, other] = differencesOf([plain, style], { arm: [arm], against: [against] });
    expect(one!.cell).toMatchObject({ estimate: 1, n: 8, unscored: 2 });
    // Eight of eight: 2/256, twice for two measures.
    expect(one!.cell.p).toBeCloseTo(4 / 256, 10);
    expect(other!.cell).toMatchObject({ unscored: 0, p: 1 });
    expect(one!.cell.low).toBeLessThan(0.5);
  });

  it('do not correct for a measure that has no pair', () => {
    const [one, none] = differencesOf([plain, measureNamed('helpfulness')], { arm: [arm], against: [against] });
    expect(one!.cell.p).toBeCloseTo(2 / 256, 10);
    expect(none!.cell).toEqual({ estimate: null, n: 0, unscored: 0 });
  });

  it('add the unscored of all seeds', () => {
    const [one] = differencesOf([plain], { arm: [arm, arm], against: [against, against] });
    expect(one!.cell.unscored).toBe(4);
  });

  it('stand in a table, a column an arm, without the one that they are held against', () => {
    const arms = new Map([
      ['SFT', against],
      ['RL', arm],
    ]);
    const table = differenceTable('Difference', [plain, style], arms, 'SFT');
    expect(table.columns).toEqual(['RL']);
    expect(table.rows.map(({ label, cells }) => [label, cells.length])).toEqual([
      [plain.title, 1],
      [style.title, 1],
    ]);
  });
});

describe('unscored rows of a measure', () => {
  it('are those of its kind alone', () => {
    const found: Rows = new Map([
      [
        'policy-retrieval',
        [
          ...rows('policy-retrieval', [1, null]),
          ...rows('policy-retrieval', [null, null, null], 'comply'),
          ...rows('policy-retrieval', [0], 'safe-complete'),
        ],
      ],
    ]);
    const counts = ['retrieval-refuse', 'retrieval-comply', 'retrieval-safe-complete'].map((name) => unscoredOf(measureNamed(name), found));
    expect(counts).toEqual([1, 3, 0]);
  });
});
