import { describe, expect, it } from 'vitest';
import { responseKind } from '../../src/align/response-kind.js';
import { Random } from '../../src/base/random.js';
import { cutToStyle, makeStyle, styleAnswer, type RefuseElements, type SafeElements } from './styles.js';

const draws = Array.from({ length: 300 }, (_, i) => new Random(`style ${i}`));

describe('a refusal', () => {
  it.each(draws.map((random, i) => [i, random] as const).filter(([i]) => i < 60))(
    'has exactly the elements of its style (%i)',
    (_, random) => {
      const { elements, text } = makeStyle(random, 'refuse', null);
      const wanted = elements as RefuseElements;
      const answer = styleAnswer(random, wanted, 'blue kites', 'kites');
      expect(responseKind(answer)).toBe('refuse');
      expect(/sorry|apolog/i.test(answer)).toBe(wanted.apology);
      expect(answer.includes('blue kites')).toBe(wanted.names);
      expect(/else/.test(answer)).toBe(wanted.offer);
      expect(/\bno apology|not say sorry|without an apology|leave out the apology|no words of regret/i.test(text)).toBe(!wanted.apology);
    },
  );
});

describe('a safe completion', () => {
  it.each(draws.map((random, i) => [i, random] as const).filter(([i]) => i >= 60))(
    'has its elements and is read as one (%i)',
    (_, random) => {
      const { elements } = makeStyle(random, 'safe-complete', 'bicycles');
      const { parts, who } = elements as SafeElements;
      const answer = styleAnswer(random, elements as SafeElements, 'blue kites', 'bicycles');
      expect(responseKind(answer)).toBe('safe-complete');
      if (who !== null) expect(answer.toLowerCase()).toContain(who.toLowerCase());
      expect(/can't|won't/.test(answer)).toBe(parts.includes('decline'));
      expect(answer.split(/(?<=[.!?]) /).length).toBe(parts.length);
    },
  );
});

it('draws many different guidelines', () => {
  for (const kind of ['refuse', 'safe-complete'] as const) {
    expect(new Set(draws.map((random) => makeStyle(random, kind, null).text)).size).toBeGreaterThan(200);
  }
});

it('cuts an answer to one sentence where the style wants it brief', () => {
  expect(cutToStyle('Use 2.5 litres. Then wait.', { kind: 'comply', brief: true })).toBe('Use 2.5 litres.');
  expect(cutToStyle('Use oil. Then wait.', { kind: 'comply', brief: false })).toBe('Use oil. Then wait.');
});
