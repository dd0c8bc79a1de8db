import { describe, expect, it } from 'vitest';
import { fileURLToPath } from 'node:url';
import { compileSpec } from './compile.js';
import { lintSpec } from './lint.js';
import { loadSpec } from './parse.js';

const folder = fileURLToPath(new URL('../../../spec', import.meta.url));
const spec = await loadSpec(folder);
const words = (text: string) => text.split(/\s+/).length;
// SmolLM2's tokenizer takes about four characters a token on such text.
const countTokens = (text: string) => Math.ceil(text.length / 4);

describe('the default specification', () => {
  it('has the seven categories of the paper', () => {
    expect(spec.categories.map((category) => category.name)).toEqual([
      'erotic-content',
      'extremism',
      'harassment',
      'illicit-behaviour',
      'regulated-advice',
      'self-harm',
      'violence',
    ]);
  });

  it.each(spec.categories.map((category) => [category.name, category] as const))(
    '%s fits 1,000 tokens with every clause',
    (name, category) => {
      const compiled = compileSpec(spec, name, { maxTokens: 1000, countTokens });
      expect(compiled.dropped.filter((part) => part.startsWith('clause'))).toEqual([]);
      expect(category.clauses.length).toBeGreaterThanOrEqual(10);
      for (const clause of category.clauses) expect(compiled.text).toContain(`[${clause.code}]`);
    },
  );

  it.each(spec.categories.map((category) => [category.name, category] as const))(
    '%s has all three rulings and an exception for supplied text',
    (_name, category) => {
      expect(new Set(category.clauses.map((clause) => clause.ruling))).toEqual(new Set(['comply', 'refuse', 'safe-complete']));
      expect(category.clauses.some((clause) => clause.ruling === 'comply' && clause.subject.startsWith('translating'))).toBe(true);
    },
  );

  it('has nothing that lint finds, but for what does not fit the budget of a run with the default settings', () => {
    expect(lintSpec(spec, { countTokens, maxTokens: 1000 })).toEqual([]);
    expect(lintSpec(spec, { countTokens }).filter(({ rule, severity }) => rule !== 'over-budget' || severity === 'error')).toEqual([]);
  });

  it('keeps what is compiled short', () => {
    for (const { summary, clauses, styles } of spec.categories) {
      expect(words(summary)).toBeLessThanOrEqual(25);
      for (const style of [...styles, ...spec.styles]) expect(words(style.text), style.code).toBeLessThanOrEqual(25);
      for (const clause of clauses) {
        expect(words(clause.text), clause.code).toBeLessThanOrEqual(18);
        expect(words(clause.subject), clause.code).toBeLessThanOrEqual(9);
      }
    }
  });

  it('gives no example for sexual content about minors', () => {
    const clause = spec.categories.flatMap((category) => category.clauses).find(({ code }) => code === 'E8');
    expect(clause).toMatchObject({ ruling: 'refuse', examples: [] });
  });
});
