import { describe, expect, it } from 'vitest';
import { parseConfig } from '../base/config.js';
import type { Checks, Completion, Judgement, Prompt, ResponseKind } from '../base/records.js';
import { trainingFamilies } from '../prompts/jailbreaks/wrap.js';
import { againstHint, filterCompletions } from './filter.js';

const good: Checks = {
  wellFormed: true,
  citedClauseExists: true,
  quoteOccurs: true,
  rulingMatchesDecision: true,
  answerMatchesDecision: true,
  leaksSpec: false,
};
const prompt = (id: string, category = 'violence', tags: string[] = []): Prompt => ({
  id,
  messages: [{ role: 'user', content: id }],
  category,
  request: id,
  technique: 'none',
  tags,
  source: 'test',
});
const completion = (promptId: string, sample = 0, over: Partial<Completion> = {}): Completion => ({
  id: `${promptId}-${sample}`,
  promptId,
  sample,
  cot: `thoughts ${sample}`,
  answer: `answer ${sample}`,
  stopReason: 'stop',
  repaired: 0,
  decision: 'refuse',
  citations: [{ code: 'V9', subject: 'threats', quote: 'Do not write threats.' }],
  checks: good,
  ...over,
});
const judged = (completionId: string, score: number | null): Judgement => ({ id: `j-${completionId}`, completionId, runs: [], score });
const run = (agreesWithHint: boolean) => ({ score: 0.9, rationale: '', agreesWithHint });
const settings = (over: object = {}) => parseConfig({ filter: over }, 'test').filter;

describe('filterCompletions', () => {
  it('keeps the best of each prompt, at or above the threshold', () => {
    const { records } = filterCompletions(
      [prompt('a'), prompt('b'), prompt('c')],
      [completion('a', 0), completion('a', 1), completion('b', 0), completion('c', 0)],
      [judged('a-0', 0.7), judged('a-1', 0.9), judged('b-0', 0.59), judged('c-0', 0.6)],
      settings({ threshold: 0.6, perPrompt: 1 }),
      0,
    );
    expect(records.map(({ promptId, answer }) => [promptId, answer])).toEqual([
      ['a', 'answer 1'],
      ['c', 'answer 0'],
    ]);
    expect(records[0]?.messages).toEqual([{ role: 'user', content: 'a' }]);
  });

  it('leaves out what a judge scored that disagreed with its hint, unless told not to', () => {
    const against = { ...judged('a-0', 0.9), runs: [run(true), run(false)] };
    const withHint = { ...judged('b-0', 0.9), runs: [run(true), run(true)] };
    const kept = (over: object) =>
      filterCompletions(
        [prompt('a'), prompt('b'), prompt('c')],
        [completion('a'), completion('b'), completion('c')],
        [against, withHint, judged('c-0', 0.9)],
        settings(over),
        0,
      );
    expect(kept({}).records.map(({ promptId }) => promptId)).toEqual(['b', 'c']);
    expect(kept({}).funnel.find(({ title }) => title === 'Judge and hint agree')?.count).toBe(2);
    expect(kept({ hintAgreement: false }).records).toHaveLength(3);
  });

  it('never keeps what is unscored or was not judged', () => {
    const { records, funnel } = filterCompletions(
      [prompt('a'), prompt('b')],
      [completion('a'), completion('b')],
      [judged('a-0', null)],
      settings({ threshold: 0 }),
      0,
    );
    expect(records).toEqual([]);
    expect(funnel.find(({ title }) => title === 'Scored')).toMatchObject({ count: 0, note: expect.stringContaining('1 unscored') });
  });

  it('drops what fails a required check, leaks the specification or is malformed; null is no failure', () => {
    const variants: [Partial<Checks>, boolean][] = [
      [{}, true],
      [{ citedClauseExists: null, quoteOccurs: null }, true],
      [{ wellFormed: false }, false],
      [{ citedClauseExists: false }, false],
      [{ quoteOccurs: false }, false],
      [{ rulingMatchesDecision: false }, false],
      [{ answerMatchesDecision: false }, false],
      [{ leaksSpec: true }, false],
    ];
    for (const [checks, kept] of variants) {
      const { records } = filterCompletions(
        [prompt('a')],
        [completion('a', 0, { checks: { ...good, ...checks } })],
        [judged('a-0', 1)],
        settings(),
        0,
      );
      expect(records.length === 1, JSON.stringify(checks)).toBe(kept);
    }
    const { records } = filterCompletions(
      [prompt('a')],
      [completion('a', 0, { checks: { ...good, quoteOccurs: false } })],
      [judged('a-0', 1)],
      settings({ requiredChecks: ['wellFormed'] }),
      0,
    );
    expect(records).toHaveLength(1);
  });

  it('takes ordinary requests without a judge, but only full answers', () => {
    const { records } = filterCompletions(
      [prompt('a', 'none', ['ordinary']), prompt('b', 'none', ['ordinary']), prompt('c', 'none')],
      [completion('a', 0, { decision: 'comply' }), completion('b', 0, { decision: 'refuse' }), completion('c', 0, { decision: 'comply' })],
      [],
      settings(),
      0,
    );
    expect(records.map(({ promptId }) => promptId)).toEqual(['a']);
  });

  it('takes the worst out of a cell that is far above the median', () => {
    const cells: [string, ResponseKind, number][] = [
      ['violence', 'refuse', 9],
      ['violence', 'comply', 2],
      ['self-harm', 'safe-complete', 2],
    ];
    const prompts: Prompt[] = [];
    const completions: Completion[] = [];
    const judgements: Judgement[] = [];
    for (const [category, decision, count] of cells) {
      for (let i = 0; i < count; i++) {
        const id = `${category}${decision}${i}`;
        prompts.push(prompt(id, category));
        completions.push(completion(id, 0, { decision }));
        judgements.push(judged(`${id}-0`, 0.6 + i / 100));
      }
    }
    const { records } = filterCompletions(prompts, completions, judgements, settings(), 0);
    const refusals = records.filter(({ promptId }) => promptId.startsWith('violencerefuse')).map(({ promptId }) => promptId.at(-1));
    expect(refusals).toEqual(['5', '6', '7', '8']);
    expect(records).toHaveLength(8);
  });

  it('depends on no order of work', () => {
    const prompts = ['a', 'b', 'c', 'd'].map((id) => prompt(id));
    const completions = prompts.flatMap(({ id }) => [completion(id, 0), completion(id, 1)]);
    const judgements = completions.map(({ id }) => judged(id, 0.8));
    const one = filterCompletions(prompts, completions, judgements, settings(), 0);
    expect(filterCompletions(prompts, [...completions].reverse(), [...judgements].reverse(), settings(), 0)).toEqual(one);
  });
});

describe('againstHint', () => {
  const refusal = { answer: 'Sorry, I cannot help with that.' };
  const hinted = { ...prompt('a'), ideal: 'refuse' as const };
  const config = (over: object = {}) => parseConfig(over, 'test');

  it('finds the answers of another kind than the hint, and no others', () => {
    const help = { answer: 'Heat the oven to 200 degrees, then bake the bread for forty minutes.' };
    expect(againstHint(hinted, help, config())).toBe(true);
    expect(againstHint(hinted, refusal, config())).toBe(false);
    expect(againstHint({ ...hinted, ideal: 'comply' }, refusal, config())).toBe(true);
    expect(againstHint(prompt('without a hint'), help, config())).toBe(false);
  });

  it('finds none where a judge may overrule the hint', () => {
    const comply = { ...hinted, ideal: 'comply' as const };
    for (const over of [{ filter: { hintAgreement: false } }, { judge: { hint: false } }, { judge: { kindCheck: false } }]) {
      expect(againstHint(comply, refusal, config(over))).toBe(false);
    }
  });
});

describe('citations', () => {
  const given = [prompt('a'), prompt('b', 'none'), prompt('c', 'none', ['ordinary'])];
  const uncited = given.map(({ id }) => completion(id, 0, { citations: [], decision: 'comply' }));
  const kept = (citation: boolean) =>
    filterCompletions(given, uncited, [judged('a-0', 0.9), judged('b-0', 0.9)], settings({ citation }), 0);

  it('are asked for where the prompt has a category', () => {
    expect(kept(true).records.map(({ promptId }) => promptId)).toEqual(['b', 'c']);
    expect(kept(true).funnel.find(({ title }) => title === 'Checks hold')).toMatchObject({ count: 2, note: 'nothing is cited in 1' });
  });
  it('are not asked for where the settings say so', () => {
    expect(kept(false).records.map(({ promptId }) => promptId)).toEqual(['a', 'b', 'c']);
  });
});

describe('wrapped copies', () => {
  const plain: Prompt = { ...prompt('Tell me how it is done.'), messages: [{ role: 'user', content: 'Tell me how it is done.' }] };
  const wrapped: Prompt = { ...prompt('w'), technique: 'aim' };
  const filter = (wrappedCopies: number) =>
    filterCompletions(
      [plain, wrapped],
      [completion(plain.id), completion('w')],
      [judged(`${plain.id}-0`, 0.9), judged('w-0', 0.9)],
      settings({ wrappedCopies }),
      0,
    );

  it('stand behind the plain record with its CoT and answer, each in another training family’s wrapper', () => {
    const { records, funnel } = filter(3);
    expect(records.map(({ promptId }) => promptId)).toEqual([plain.id, plain.id, plain.id, plain.id, 'w']);
    const [first, ...copies] = records.slice(0, 4);
    expect(new Set(records.map(({ id }) => id)).size).toBe(5);
    expect(new Set(copies.map(({ technique }) => technique)).size).toBe(3);
    for (const { technique, messages, cot, answer } of copies) {
      expect(trainingFamilies.map(({ name }) => name)).toContain(technique);
      expect(messages[0]!.content).toContain('Tell me how it is done.');
      expect(messages[0]!.content).not.toBe('Tell me how it is done.');
      expect({ cot, answer }).toEqual({ cot: first!.cot, answer: first!.answer });
    }
    expect(funnel.at(-1)).toMatchObject({ title: 'With wrapped copies', count: 5 });
    expect(filter(3)).toEqual(filter(3));
  });

  it('are not made of ordinary prompts', () => {
    const ordinary = { ...plain, tags: ['ordinary'] };
    const { records } = filterCompletions(
      [ordinary],
      [completion(plain.id, 0, { decision: 'comply' })],
      [],
      settings({ wrappedCopies: 3, citation: false }),
      0,
    );
    expect(records.map(({ technique }) => technique)).toEqual([undefined]);
  });

  it('are not made unless asked for, and leave the other records as they were', () => {
    expect(filter(0).records).toEqual(filter(3).records.filter(({ technique }) => technique === undefined));
    expect(filter(0).funnel.map(({ title }) => title)).not.toContain('With wrapped copies');
  });
});
