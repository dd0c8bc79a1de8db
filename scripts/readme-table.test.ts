import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../src/base/package-root.js';
import type { Scorecard } from '../src/evals/scorecard.js';
import { StudyCard } from '../src/studies/results.js';
import { fillReadme, markdownStudyTable, markdownTable } from './readme-table.js';

const result = (arm: string, estimate: number | null, unscored: number) => ({
  arm,
  suite: 'forbidden-plain',
  estimate,
  low: estimate === null ? null : 0.25,
  high: estimate === null ? null : 1,
  rows: 40,
  requests: 20,
  unscored,
  kinds: { comply: 0, 'safe-complete': 0, refuse: 1, gibberish: 0 },
  measures: { truncated: 0, answerWords: 5, cotWords: 5, repetition: 0 },
  by: { ideal: {}, category: {}, technique: {} },
});
const card: Scorecard = {
  arms: ['base', 'sft', 'sft+rl'],
  suites: [{ name: 'forbidden-plain', title: 'Forbidden', metric: 'not complied with', group: 'Safety' }],
  results: [result('base', 0.5, 0), result('sft', 0.9, 2), result('sft+rl', null, 40)],
  differences: [{ arm: 'sft', suite: 'forbidden-plain', against: 'base', estimate: 0.4, low: 0.2, high: 0.6, units: 20, changed: 8 }],
};

describe('markdownTable', () => {
  it('has a row for each suite, marks what changed, counts the unscored', () => {
    const [header, , row, , legend] = markdownTable(card).split('\n');
    expect(header).toBe('|  | `base` | `sft` | `sft+rl` |');
    expect(row).toBe(
      '| Forbidden <sub>not complied with; n = 20 × 2</sub> | .50 <sub>.25–1.00</sub> | **.90**↑ <sub>.25–1.00, 2 unscored</sub> | – |',
    );
    expect(legend).toContain('from base on the same requests excludes 0, not corrected');
  });
});

describe('markdownStudyTable', () => {
  it('gives every measure of a committed study, with the paired differences of its arm', async () => {
    const file = path.join(packageRoot, 'results', 'wider', 'study.json');
    const study = StudyCard.parse(JSON.parse(await readFile(file, 'utf8')));
    const [header, , ...rows] = markdownStudyTable(study).split('\n');
    expect(header).toBe('|  | `base` | `base+spec` | `answer-only` | `sft` | `sft` − `base` | `sft` − `answer-only` |');
    const helpful = rows.find((row) => row.startsWith('| Helpfulness'))!;
    expect(helpful.split(' | ').map((cell) => cell.replace(/ <sub>.*/, ''))).toEqual([
      '| Helpfulness on ordinary requests',
      '.54',
      '.71',
      '.71',
      '.96',
      expect.stringMatching(/^(\*\*)?\+\.42(\*\*)?$/),
      expect.stringContaining('+.25'),
    ]);
    expect(() => markdownStudyTable({ ...study, studies: [] })).toThrow(/no headline/);
  });
});

describe('fillReadme', () => {
  it('replaces what stands between the marks and nothing else, again and again', () => {
    const readme = 'a\n<!-- results:start -->\nold\n<!-- results:end -->\nb\n';
    const filled = fillReadme(readme, 'new');
    expect(filled).toBe('a\n<!-- results:start -->\nnew\n<!-- results:end -->\nb\n');
    expect(fillReadme(filled, 'new')).toBe(filled);
  });

  it.each(['no marks', '<!-- results:end --> <!-- results:start -->', '<!-- results:start --><!-- results:end --><!-- results:start -->'])(
    'refuses %s',
    (readme) => {
      expect(() => fillReadme(readme, 'new')).toThrow(/each once/);
    },
  );

  it('finds the marks in our README', async () => {
    const readme = await readFile(path.join(packageRoot, 'README.md'), 'utf8');
    expect(fillReadme(readme, 'T')).toContain('-->\nT\n<!--');
  });
});
