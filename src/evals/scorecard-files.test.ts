import { describe, expect, it } from 'vitest';
import { correctedP, type Scorecard } from './scorecard.js';
import { scorecardCsv } from './scorecard-files.js';

/** Cells of a line without quotes in it. */
const cells = (csv: string, start: string): string[] =>
  csv
    .split('\n')
    .find((line) => line.startsWith(start))!
    .split(',');

const card: Scorecard = {
  arms: ['base', 'sft'],
  suites: [{ name: 'policy-retrieval', title: 'Retrieval', metric: '=HYPERLINK("x")', group: 'G' }],
  results: ['base', 'sft'].map((arm) => ({
    arm,
    suite: 'policy-retrieval',
    estimate: 0.5,
    low: 0.25,
    high: 0.75,
    rows: 12,
    requests: 12,
    unscored: 2,
    kinds: { comply: 0, 'safe-complete': 0, refuse: 1, gibberish: 0 },
    measures: { truncated: 0, answerWords: 5, cotWords: 5, repetition: 0 },
    by: { ideal: { refuse: { mean: 0.4, rows: 10, unscored: 2 } }, category: { odd: { mean: null, rows: 0, unscored: 2 } }, technique: {} },
    rates: { full: { share: 0.3, low: 0.1, high: 0.6, rows: 12 } },
  })),
  differences: [
    {
      arm: 'sft',
      suite: 'policy-retrieval',
      against: 'base',
      estimate: -0.1,
      low: -0.3,
      high: 0.1,
      units: 9,
      changed: 3,
      unscored: 1,
      p: 0.25,
    },
  ],
};

describe('scorecard.csv', () => {
  const csv = scorecardCsv(card);
  const about = 'policy-retrieval,Retrieval,G,"\'=HYPERLINK(""x"")"';
  const after = (start: string) => cells(csv, `${about},${start}`).slice(6).join(',');

  it('has a line a suite and arm, with the paired difference and both p-values', () => {
    expect(csv.split('\n')[0]).toBe(
      'suite,title,group,metric,part,arm,estimate,low,high,rows,requests,unscored,against,difference,difference_low,difference_high,units,changed,unscored_in_one,p,p_corrected',
    );
    expect(after('all,base')).toBe('0.5,0.25,0.75,12,12,2,,,,,,,,,');
    expect(after('all,sft')).toBe('0.5,0.25,0.75,12,12,2,base,-0.1,-0.3,0.1,9,3,1,0.25,0.25');
  });

  it('has the parts with their unscored, and formulas only as text', () => {
    expect(after('ideal: refuse,sft')).toBe('0.4,,,12,,2,,,,,,,,,');
    expect(after('category: odd,sft')).toBe(',,,2,,2,,,,,,,,,');
    expect(after('class: full,sft')).toBe('0.3,0.1,0.6,12,,,,,,,,,,,');
  });

  it('has what the paper published, marked as another model’s', () => {
    const published = csv.split('\n').filter((line) => line.includes('published, '));
    expect(published).toHaveLength(6);
    for (const line of published) expect(line).toContain('another model, other prompts, other graders');
  });

  it('gives every line as many cells, and each p corrected over the suites of its arm', () => {
    const other = { name: 'helpfulness', title: 'H', metric: 'm', group: 'G' };
    const [difference] = card.differences;
    const two = {
      ...card,
      suites: [...card.suites, other],
      results: [...card.results, ...card.results.map((result) => ({ ...result, suite: other.name }))],
      differences: [difference!, { ...difference!, suite: other.name, p: 0.01 }],
    };
    expect(['policy-retrieval', other.name].map((suite) => correctedP(two, { arm: 'sft', suite }))).toEqual([0.25, 0.02]);
    const counts = scorecardCsv(two)
      .trim()
      .split('\n')
      .map((line) => line.replace(/"(?:[^"]|"")*"/g, '').split(',').length);
    expect(new Set(counts)).toEqual(new Set([21]));
  });
});
