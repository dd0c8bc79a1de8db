import { expect, test } from 'vitest';
import fc from 'fast-check';
import { Random } from '../base/random.js';
import { clusterNearDuplicates, findNearDuplicates, overlapDefaults, wordGrams, words } from './overlap.js';

const pairsOf = (...texts: string[]) => findNearDuplicates(texts.map((text, i) => ({ id: String(i), text }))).map(({ a, b }) => a + b);

test('a request with a few words changed is a near-duplicate', () => {
  expect(
    pairsOf('Explain how tides are caused by the pull of the moon.', 'Can you explain how tides are caused by the pull of the moon?'),
  ).toEqual(['01']);
});

test('a request inside a longer one is a near-duplicate', () => {
  expect(
    pairsOf(
      'name the three longest rivers of Africa',
      'I have a geography quiz tomorrow and no atlas, so please name the three longest rivers of Africa for me',
    ),
  ).toEqual(['01']);
});

test('other grammar around the same content words is a near-duplicate', () => {
  expect(pairsOf('How do I prune an old apple tree?', 'Pruning old apple trees: what is the way?')).toEqual(['01']);
});

test('the same opening with another topic is not', () => {
  expect(pairsOf('How do I make a kite at home?', 'How do I make a soup at home?')).toEqual([]);
});

test('variants of one request are not compared', () => {
  const text = 'Explain how tides are caused by the moon.';
  expect(
    findNearDuplicates([
      { id: 'a', text, group: 'r' },
      { id: 'b', text, group: 'r' },
    ]),
  ).toEqual([]);
});

test('words drop case, punctuation and apostrophes, and split CJK', () => {
  expect(words('Don’t STOP—now! 日本')).toEqual(['dont', 'stop', 'now', '日', '本']);
});

test('the index finds exactly what comparing all pairs by n-grams finds', () => {
  const text = fc
    .array(fc.constantFrom('red', 'blue', 'old', 'cat', 'dog', 'runs'), { minLength: 1, maxLength: 8 })
    .map((w) => w.join(' '));
  fc.assert(
    fc.property(fc.array(text, { minLength: 2, maxLength: 12 }), (texts) => {
      const o = { ...overlapDefaults, words: 2 };
      const expected: string[] = [];
      for (let i = 0; i < texts.length; i++) {
        for (let j = i + 1; j < texts.length; j++) {
          const [x, y] = [wordGrams(texts[i]!, o.n), wordGrams(texts[j]!, o.n)];
          const shared = [...x].filter((gram) => y.has(gram)).length;
          const smaller = Math.min(x.size, y.size);
          if (shared / (x.size + y.size - shared) >= o.jaccard || (shared / smaller >= o.containment && smaller >= o.minGrams))
            expected.push(`${i}-${j}`);
        }
      }
      const found = findNearDuplicates(
        texts.map((t, i) => ({ id: String(i), text: t })),
        o,
      ).map(({ a, b }) => `${a}-${b}`);
      expect(found).toEqual(expected);
    }),
  );
});

test('10,000 prompts take seconds, not minutes', () => {
  const random = new Random(1);
  const vocabulary = Array.from({ length: 3000 }, (_, i) => `w${i}`);
  const items = Array.from({ length: 10_000 }, (_, i) => ({
    id: String(i),
    text: `how do i ${Array.from({ length: 10 }, () => vocabulary[Math.floor(random.uniform() ** 2 * 3000)]).join(' ')}`,
  }));
  items.push({ id: 'copy', text: items[17]!.text });
  const start = performance.now();
  const found = findNearDuplicates(items);
  expect(performance.now() - start).toBeLessThan(15_000);
  expect(found.map(({ a, b }) => [a, b])).toContainEqual(['17', 'copy']);
}, 30_000);

test('clusters follow chains of near-duplicates', () => {
  expect(
    clusterNearDuplicates(
      ['a', 'b', 'c', 'd'],
      [
        { a: 'a', b: 'b' },
        { a: 'd', b: 'b' },
      ],
    ),
  ).toEqual([['a', 'b', 'd'], ['c']]);
});
