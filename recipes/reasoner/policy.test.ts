import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.js';
import { readCitations } from '../../src/align/spec/lines.js';
import { loadSpec } from '../../src/align/spec/parse.js';
import { topicText, wordingsPerRuling } from './clause-texts.js';
import { estimateTokens, makePolicy } from './policy.js';
import { readTopics, splitTopics } from './topics.js';

const { training, trainingWhole, heldOutSubtopics } = splitTopics(readTopics(new URL('topics', import.meta.url).pathname), 1);
const policies = Array.from({ length: 60 }, (_, i) => makePolicy(new Random(`policy ${i}`), training));

describe('makePolicy', () => {
  it('gives the same policy for the same seed', () => {
    expect(makePolicy(new Random('a'), training).text).toBe(makePolicy(new Random('a'), training).text);
    expect(makePolicy(new Random('a'), training).text).not.toBe(makePolicy(new Random('b'), training).text);
  });

  it('holds every clause and style that it reports, letter by letter', () => {
    for (const policy of policies) {
      const lines = policy.text.split('\n');
      for (const clause of policy.clauses) expect(lines).toContain(clause.line);
      for (const style of Object.values(policy.styles)) expect(lines).toContain(style.line);
    }
  });

  it('uses no code twice', () => {
    for (const { text } of policies) {
      const codes = [...text.matchAll(/ \[([A-Z]{1,4}\d+)\]$/gm)].map((match) => match[1]);
      expect(new Set(codes).size).toBe(codes.length);
    }
  });

  it('can be read back: subject, text and code of each line', () => {
    for (const { clauses } of policies) {
      for (const clause of clauses) {
        expect(readCitations(`Policy on ${clause.line}`)).toMatchObject([{ code: clause.code, subject: clause.subject }]);
      }
    }
  });

  it('never names a subtopic that it calls uncovered', () => {
    for (const { text, uncovered } of policies) {
      for (const { subtopic } of uncovered) expect(text).not.toMatch(new RegExp(`^(?:questions about )?${subtopic.subject}: `, 'm'));
    }
  });

  it('rules differently on the same subtopic in different policies', () => {
    const family = training[0]!;
    const rulings = new Map<string, Set<string>>();
    for (let i = 0; i < 40; i++) {
      for (const { about, ruling } of makePolicy(new Random(i), training, { about: [family] }).clauses) {
        if (!('subtopic' in about) || about.family !== family) continue;
        const subject = about.subtopic.subject;
        rulings.set(subject, (rulings.get(subject) ?? new Set()).add(ruling));
      }
    }
    expect([...rulings.values()].filter((seen) => seen.size === 3).length).toBeGreaterThan(rulings.size / 2);
  });

  it('has clauses of at least two rulings and of one family or two', () => {
    for (const { clauses, families } of policies) {
      expect(new Set(clauses.map((clause) => clause.ruling)).size).toBeGreaterThan(1);
      expect(families.length).toBeLessThanOrEqual(2);
    }
  });

  it('keeps to its length budget', () => {
    for (let i = 0; i < 10; i++) {
      expect(estimateTokens(makePolicy(new Random(i), training, { lengthBudget: 500, clauses: 14, richness: 1 }).text)).toBeLessThanOrEqual(
        500,
      );
    }
  });

  it('grows with richness to the length of real specifications', () => {
    const length = (richness: number) =>
      Array.from({ length: 20 }, (_, i) =>
        estimateTokens(makePolicy(new Random(i), training, { richness, lengthBudget: 1000 }).text),
      ).reduce((a, b) => a + b) / 20;
    expect(length(1)).toBeGreaterThan(length(0) + 100);
  });

  it('covers what must be covered', () => {
    const policy = makePolicy(new Random(3), trainingWhole, {
      mustCover: ({ subject }) => [...heldOutSubtopics].some((key) => key.endsWith(`/${subject}`)),
      richness: 0,
    });
    const covered = policy.clauses.filter(
      ({ about }) => 'subtopic' in about && heldOutSubtopics.has(`${about.family.name}/${about.subtopic.subject}`),
    );
    expect(covered.length).toBeGreaterThan(0);
  });

  it('has no clause when compiled without detail', () => {
    const policy = makePolicy(new Random(3), training, { withoutDetail: true });
    expect(policy.clauses).toEqual([]);
    expect(policy.text).not.toMatch(/^Policy on/m);
  });

  it('refuses to work with too few families', () => {
    expect(() => makePolicy(new Random(1), training.slice(0, 1))).toThrow(/too few/);
  });
});

describe('the wordings', () => {
  it('are hundreds for each ruling, from 3 to 20 words', () => {
    for (const ruling of ['comply', 'refuse', 'safe-complete'] as const) {
      expect(wordingsPerRuling(ruling)).toBeGreaterThan(300);
      for (let i = 0; i < 200; i++) {
        const words = topicText(new Random(i), ruling, 'house cats', 'cats').split(' ').length;
        expect(words).toBeGreaterThanOrEqual(2);
        expect(words).toBeLessThanOrEqual(22);
      }
    }
  });

  it('are none of the default specification', async () => {
    const spec = await loadSpec(new URL('../../spec', import.meta.url).pathname);
    const own = [
      ...spec.categories.flatMap((category) => [category.summary, ...category.clauses.map((clause) => clause.text)]),
      ...spec.principles.map((p) => p.text),
      ...spec.styles.map((s) => s.text),
    ];
    for (const { text } of policies) {
      expect(own.filter((sentence) => text.includes(sentence))).toEqual([]);
      expect(spec.categories.filter((category) => text.includes(`Policy on ${category.title}`))).toEqual([]);
    }
  });
});
