import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Checks, Completion } from '../base/records.js';
import { collectReport } from './collect.js';
import { buildReport } from './report.js';
import { sampleReportData } from './sample-data.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'report-'));
});
afterEach(() => rm(folder, { recursive: true }));

const put = async (name: string, text: string) => {
  await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
  await writeFile(path.join(folder, name), text);
};
const lines = (records: object[]) => records.map((record) => `${JSON.stringify(record)}\n`).join('');
const spec = {
  categories: [],
  principles: [],
  styles: [{ code: 'S1', kind: 'refuse' as const, text: 'short.', file: 'style.md', line: 3 }],
};
const sample = sampleReportData();
const sound: Checks = {
  wellFormed: true,
  citedClauseExists: true,
  quoteOccurs: true,
  rulingMatchesDecision: true,
  answerMatchesDecision: true,
  leaksSpec: false,
};
const completion = (id: string, checks: Partial<Checks>): Completion => ({
  id,
  promptId: id[0]!,
  sample: 0,
  cot: 'c',
  answer: 'a',
  stopReason: 'stop',
  repaired: 0,
  decision: null,
  citations: [],
  checks: { ...sound, ...checks },
});

describe('collectReport', () => {
  it('finds everything where the design puts it', async () => {
    await put('scorecard.json', JSON.stringify(sample.scorecard));
    await put('run.yaml', 'name: first light\nmodel: tiny\ndigests:\n  spec: 12ab\n');
    await put('arms/sft+rl/evals/forbidden-plain.jsonl', lines(sample.examples.filter((row) => row.suite === 'forbidden-plain')));
    await put(
      'arms/sft/sft/metrics.jsonl',
      `${lines([
        { step: 1, loss: 3, tokensPerSecond: 500 },
        { step: 2, loss: 2 },
        { step: 2, loss: 1.5 },
      ])}{"step":3,"lo`,
    );
    await put('arms/sft+rl/rl/metrics.jsonl', lines([{ step: 1, reward: 0.5, kl: 0, seconds: 3 }]));
    await put(
      'completions.jsonl',
      lines([
        completion('a1', {}),
        completion('a2', { wellFormed: false }),
        completion('b1', { quoteOccurs: false }),
        completion('b2', {}),
      ]),
    );
    await put(
      'judgements.jsonl',
      lines([
        { id: 'j1', completionId: 'a1', runs: [], score: 0.9 },
        { id: 'j2', completionId: 'b2', runs: [], score: null },
      ]),
    );
    await put('sft.jsonl', '{}\n');
    const data = await collectReport(folder, spec);
    expect(data).toMatchObject({
      name: 'first light',
      model: 'tiny',
      digests: { spec: '12ab' },
      clauseLines: { S1: 'refuse: short. [S1]' },
    });
    expect(data.curves).toEqual([
      {
        arm: 'sft',
        stage: 'sft',
        metric: 'loss',
        points: [
          { step: 1, value: 3 },
          { step: 2, value: 1.5 },
        ],
      },
      { arm: 'sft+rl', stage: 'rl', metric: 'reward', points: [{ step: 1, value: 0.5 }] },
      { arm: 'sft+rl', stage: 'rl', metric: 'kl', points: [{ step: 1, value: 0 }] },
    ]);
    expect(data.funnel.map((step) => step.count)).toEqual([2, 4, 3, 2, 1, 1]);
    expect(data.funnel[4]!.note).toBe('1 unscored');
    expect(data.examples.length).toBeGreaterThan(0);
    expect(buildReport(data)).toContain('<h1>first light</h1>');
  });

  it('reports a run that has a scorecard only', async () => {
    await put('scorecard.json', JSON.stringify(sample.scorecard));
    const data = await collectReport(folder, spec);
    expect(data).toMatchObject({ name: path.basename(folder), curves: [], funnel: [], examples: [] });
  });

  it('says what is missing or broken, and where', async () => {
    await expect(collectReport(folder, spec)).rejects.toThrow(/scorecard\.json: is missing\. Run `deliberate eval`/);
    await put('scorecard.json', JSON.stringify(sample.scorecard));
    await put('completions.jsonl', `{broken\n${lines([completion('a1', {})])}`);
    await expect(collectReport(folder, spec)).rejects.toThrow(/completions\.jsonl:1: is not JSON/);
    await put('completions.jsonl', '{"id":"x"}\n');
    await expect(collectReport(folder, spec)).rejects.toThrow(/completions\.jsonl: record 1 is not what this version writes/);
  });
});
