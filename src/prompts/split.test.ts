import { expect, test } from 'vitest';
import type { Prompt } from '../base/records.js';
import { overlapAcrossSplits, splitPrompts } from './split.js';

const prompt = (id: string, content: string, more: Partial<Prompt> = {}): Prompt => ({
  id,
  messages: [{ role: 'user', content }],
  request: id,
  technique: 'none',
  tags: [],
  source: 'test',
  category: 'birds',
  ideal: 'comply',
  ...more,
});
const many = (n: number, more: Partial<Prompt> = {}) =>
  Array.from({ length: n }, (_, i) =>
    prompt(`${more.category ?? 'birds'}${i}`, `alpha${i} beta${i} gamma${i} ${more.category ?? ''}`, more),
  );
const count = (prompts: Prompt[], split: string) => prompts.filter((p) => p.split === split).length;

test('each cell is shared out by the shares', () => {
  const split = splitPrompts([...many(50), ...many(50, { category: 'trees' })], { seed: 1 });
  for (const category of ['birds', 'trees']) {
    const cell = split.filter((p) => p.category === category);
    expect([count(cell, 'train'), count(cell, 'validation'), count(cell, 'test')]).toEqual([30, 6, 14]);
  }
});

test('many cells of one or two prompts still add up to the shares', () => {
  const split = splitPrompts(
    Array.from({ length: 100 }, (_, i) => prompt(`p${i}`, `one${i} two${i} three${i}`, { tags: [`t${i}`] })),
    { seed: 1 },
  );
  expect(count(split, 'train')).toBeGreaterThan(50);
  expect(count(split, 'test')).toBeGreaterThan(20);
  expect(count(split, 'validation')).toBeGreaterThan(5);
});

test('the result keeps the order and does not depend on it; the seed changes it', () => {
  const prompts = many(40);
  const forward = splitPrompts(prompts, { seed: 1 });
  const backward = splitPrompts([...prompts].reverse(), { seed: 1 });
  expect(forward.map((p) => p.id)).toEqual(prompts.map((p) => p.id));
  expect(backward.reverse()).toEqual(forward);
  expect(splitPrompts(prompts, { seed: 2 })).not.toEqual(forward);
});

test('variants of a request stay together', () => {
  const variants = many(30).flatMap((p) => [
    p,
    { ...p, id: `${p.id}x`, technique: 'wrap', messages: [{ role: 'user' as const, content: 'wrapped' }] },
  ]);
  const split = splitPrompts(variants, { seed: 1 });
  const splitsOf = new Map<string, Set<string | undefined>>();
  for (const p of split) splitsOf.set(p.request, (splitsOf.get(p.request) ?? new Set()).add(p.split));
  expect([...splitsOf.values()].every((set) => set.size === 1)).toBe(true);
});

test('near-duplicates stay together, also across cells', () => {
  const twins = Array.from({ length: 30 }, (_, i) => [
    prompt(`a${i}`, `How do I mend a${i} broken b${i} c${i} window?`),
    prompt(`b${i}`, `Tell me how do I mend a${i} broken b${i} c${i} window?`, { category: 'trees' }),
  ]).flat();
  const split = splitPrompts(twins, { seed: 1 });
  expect(overlapAcrossSplits(split)).toEqual([]);
  expect(new Set(split.map((p) => p.split)).size).toBe(3);
});

test('near-duplicates in different splits are reported by request', () => {
  const text = 'Why do swifts sleep on the wing?';
  const found = overlapAcrossSplits([prompt('a', text, { split: 'train' }), prompt('b', `${text} Please.`, { split: 'test' })]);
  expect(found).toMatchObject([{ a: 'a', b: 'b' }]);
});

test.each([
  { train: 0.5, validation: 0.1, test: 0.1 },
  { train: 1.2, validation: -0.1, test: -0.1 },
  { train: NaN, validation: 0.5, test: 0.5 },
])('shares %o are refused', (shares) => {
  expect(() => splitPrompts(many(3), { seed: 1, shares })).toThrow(/split shares/);
});
