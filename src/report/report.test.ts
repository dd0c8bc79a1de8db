import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { EvalRow } from '../evals/records.js';
import { rate } from '../evals/scorecard.js';
import { niceTicks, paretoPlot } from './charts.js';
import { chooseExamples, markCitations } from './examples.js';
import { escapeHtml, html } from './html.js';
import { buildReport, summarySentence } from './report.js';
import { sampleReportData } from './sample-data.js';

const hostile = '<script>alert(1)</script><img src=x onerror="x">\'";</style></pre>\u202e\u0000\ud800';

describe('html', () => {
  it('escapes text and leaves templates alone', () => {
    expect(html`<b title="${'"><i>'}">${['a & b', html`<i>c</i>`]}${null}${false}</b>`.source).toBe(
      '<b title="&quot;&gt;&lt;i&gt;">a &amp; b<i>c</i></b>',
    );
  });

  it('shows what would hide or reorder text', () => {
    expect(escapeHtml('a\u0000b\u202ec\ud800\n')).toBe('a␀b‹U+202E›c\uFFFD\n');
  });
});

describe('the report', () => {
  const data = sampleReportData();
  const page = buildReport(data);

  it('is one file that loads nothing and runs nothing', () => {
    expect(page).not.toMatch(/<script|<link|<iframe|\ssrc=|@import|url\(|\shref=|\son\w+=|\sstyle=/i);
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!;
    const digest = createHash('sha256').update(style).digest('base64');
    expect(page).toContain(`default-src 'none'; style-src 'sha256-${digest}'`);
  });

  it('shows every arm, suite, unscored count, curve and example', () => {
    for (const arm of data.scorecard.arms) expect(page).toContain(`</span>${escapeHtml(arm)}</th>`);
    for (const suite of data.scorecard.suites) expect(page).toContain(suite.title);
    expect(page).toContain('1 of 480 unscored');
    expect(page.match(/<polyline/g)).toHaveLength(data.curves.length);
    expect(page.match(/<article/g)).toHaveLength(12);
    expect(page.indexOf('example failed')).toBeLessThan(page.indexOf('example passed'));
  });

  it('keeps text of models, users and settings as text', () => {
    const attacked = buildReport(sampleReportData(hostile));
    const tags = (text: string) => [...text.matchAll(/<\/?([a-z0-9]+)/gi)].map((m) => m[1]!.toLowerCase());
    expect(tags(attacked)).toEqual(tags(page));
    expect(attacked).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  it('counts the unscored in the parts of a suite too', () => {
    // One of the base's rows is unscored in every suite, in the category of its number.
    expect(/<tr><th scope="row">self-harm<\/th><td>[^/]*<small>of 7<\/small><small class="warn">1 unscored<\/small><\/td>/.test(page)).toBe(
      true,
    );
  });

  it('shows published numbers as those of other models, beside the nearest suites of the run', () => {
    const section = /<section><h2>Beside what others have published<\/h2>[\s\S]*?<\/section>/.exec(page)![0];
    expect(section).toContain('another model, other prompts, other graders');
    expect(section).toContain('here, base</th><th scope="col">here, sft+rl</th>');
    const own = (arm: string) =>
      rate(data.scorecard.results.find((one) => one.arm === arm && one.suite === 'forbidden-jailbreaks')!.estimate);
    const row = /<th scope="row">StrongREJECT, goodness@0\.1<\/th>(.*?)<\/tr>/.exec(section)![1]!;
    expect([...row.matchAll(/<td>(?:<b>)?([\d.]+)/g)].map((found) => found[1])).toEqual(['.37', '.88', own('base'), own('sft+rl')]);
    expect(section).toContain('ThinkSafe');
    // The sample has only ideal refusals in policy retrieval.
    expect(section).toContain('ideal refusal');
    expect(section).not.toContain('ideal compliance');
  });

  it('is the same for the same data', () => {
    expect(buildReport(sampleReportData())).toBe(page);
  });

  it('says in one sentence what changed', () => {
    const sentence = summarySentence(data.scorecard);
    expect(sentence).toMatch(
      /^With sft\+rl, resistance to the worst jailbreaks is \.\d\d \(base \.\d\d\), harmless look-alikes .* everyday requests at \.\d\d \(base \.\d\d, no clear difference\)\.$/,
    );
    const card = structuredClone(data.scorecard);
    const suite = card.suites.find(({ name }) => name === 'helpfulness')!;
    for (const difference of card.differences)
      if (difference.arm === 'sft+rl' && difference.suite === suite.name)
        Object.assign(difference, { estimate: -0.4, low: -0.5, high: -0.3, changed: 20, p: 1e-6 });
    expect(summarySentence(card)).toMatch(
      new RegExp(` It got worse at ([^.]* and )?${suite.title.toLowerCase()} \\(\\.\\d\\d → \\.\\d\\d\\)`),
    );
    expect(summarySentence({ arms: [], suites: [], results: [], differences: [] })).toBe('No suite has been scored yet.');
  });

  it('does without what a young run has not got', () => {
    const bare = buildReport({
      ...data,
      scorecard: { arms: [], suites: [], results: [], differences: [] },
      curves: [],
      funnel: [],
      examples: [],
    });
    expect(bare).not.toMatch(/NaN|Infinity|undefined|<article|<svg/);
    const broken = buildReport({
      ...data,
      curves: [{ arm: 'sft', stage: 'sft', metric: 'loss', points: [{ step: 1, value: Number.NaN }] }],
    });
    expect(broken).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe('the Pareto plot', () => {
  it('puts points and bars where the numbers are', () => {
    const card = structuredClone(sampleReportData().scorecard);
    for (const result of card.results) Object.assign(result, { estimate: 0.5, low: 0.25, high: 0.75 });
    const svg = paretoPlot(card)!.source;
    // The square is 400 wide from x = 58 and ends at y = 414.
    expect(svg.match(/<circle cx="258" cy="214"/g)).toHaveLength(card.arms.length);
    expect(svg).toContain('x1="158" x2="358" y1="214" y2="214"');
    expect(svg).toContain('y1="314" y2="114"');
  });
});

describe('the funnel', () => {
  it('has words for the names of checks, and leaves other words alone', () => {
    const page = buildReport({
      ...sampleReportData(),
      funnel: [{ title: 'Checks hold', count: 3, note: 'quoteOccurs fails 2, toString 1' }],
    });
    expect(page).toContain('quote occurs in it fails 2, toString 1');
  });
});

describe('ticks', () => {
  it('are round and enclose the data', () => {
    expect(niceTicks(0.41, 2.63)).toEqual([0, 1, 2, 3]);
    expect(niceTicks(0, 1)).toEqual([0, 0.25, 0.5, 0.75, 1]);
    const flat = niceTicks(3, 3);
    expect(flat[0]).toBeLessThan(3);
    expect(flat.at(-1)).toBeGreaterThan(3);
  });
});

describe('citations', () => {
  const lines = { V4: 'revenge: disallowed. Refuse plans to hurt someone. [V4]', S1: 'refuse: short apology. [S1]' };
  it('are marked exact, inexact or unknown, and no letter is lost', () => {
    const cot =
      'The user asks.\nPolicy on revenge: disallowed. Refuse plans to hurt someone. [V4]\nStyle for refuse: long apology. [S1]\nPolicy on x: allowed. [Z9] so.\nDecision: refuse';
    const pieces = markCitations(cot, lines);
    expect(pieces.map((p) => p.text).join('')).toBe(cot);
    expect(pieces.flatMap((p) => (p.citation === undefined ? [] : [[p.citation, p.text]]))).toEqual([
      ['exact', 'revenge: disallowed. Refuse plans to hurt someone. [V4]'],
      ['inexact', 'refuse: long apology. [S1]'],
      ['unknown', 'x: allowed. [Z9]'],
    ]);
  });
});

describe('the examples', () => {
  const row = (suite: string, promptId: string, score: number | null): EvalRow => ({ arm: 'sft', suite, promptId, score }) as EvalRow;
  it('are failures first, suites in turn, no prompt twice, the unscored left out', () => {
    const rows = [
      row('a', '1', 0),
      row('a', '2', 0),
      row('b', '3', 0),
      row('b', '1', 0),
      row('a', '4', 1),
      row('a', '5', null),
      row('b', '6', 1),
    ];
    expect(chooseExamples(rows, 'sft', 4).map((r) => r.promptId)).toEqual(['1', '3', '4', '6']);
    expect(chooseExamples(rows, 'sft', 12).map((r) => r.promptId)).toEqual(['1', '3', '2', '4', '6']);
    expect(chooseExamples(rows, 'rl')).toEqual([]);
  });
});
