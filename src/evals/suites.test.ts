import { describe, expect, it } from 'vitest';
import { Prompt, type ResponseKind } from '../base/records.js';
import { heldOutFamilies, trainingFamilies } from '../prompts/jailbreaks/wrap.js';
import { sampleEvenly } from '../prompts/sample-evenly.js';
import { suiteNames, suites, suiteSizes, type SuiteContext, type SuiteName } from './suites.js';

const prompt = (n: number, category: string, ideal: ResponseKind, tags: string[] = [], split = 'test'): Prompt =>
  Prompt.parse({
    id: `p${n}`,
    messages: [{ role: 'user', content: `Please tell me about subject number ${n}.` }],
    category,
    ideal,
    tags,
    split,
    request: `r${n}`,
  });

const kinds = [
  ['violence', 'refuse', []],
  ['harassment', 'refuse', []],
  ['self-harm', 'safe-complete', []],
  ['regulated-advice', 'safe-complete', []],
  ['violence', 'comply', ['benign-twin']],
  ['harassment', 'comply', ['transformation']],
  ['violence', 'comply', []],
  ['harassment', 'comply', ['multi-turn']],
  ['none', 'comply', ['ordinary']],
] as const;
const prompts = Array.from({ length: 180 }, (_, i) => {
  const [category, ideal, tags] = kinds[i % kinds.length]!;
  return prompt(i, category, ideal, [...tags], i % 4 === 0 ? 'train' : 'test');
});
const context: SuiteContext = { prompts, spec: { categories: [], principles: [], styles: [] }, seed: 1, sizes: suiteSizes.demo };
const select = (name: SuiteName, sizes = suiteSizes.demo) => suites.find((suite) => suite.name === name)!.select({ ...context, sizes });

describe('suites', () => {
  it('are all there, each with prompts, of the test split only', () => {
    expect(suites.map((suite) => suite.name)).toEqual(suiteNames);
    for (const suite of suites) {
      const chosen = suite.select({ ...context, sizes: suiteSizes.full });
      expect(chosen.length, suite.name).toBeGreaterThan(0);
      expect(new Set(chosen.map((p) => p.split)), suite.name).toEqual(new Set(['test']));
      expect(new Set(chosen.map((p) => p.id)).size, suite.name).toBe(chosen.length);
    }
  });

  it('keep to their sizes and share prompts where they ask the same', () => {
    expect(select('forbidden-plain')).toHaveLength(24);
    expect(select('hard-refusal-style').map((p) => p.id)).toEqual(select('forbidden-plain').map((p) => p.id));
    expect(select('encodings')).toEqual([]);
  });

  it('tell requests that a policy allows from their twins, transformations and everyday ones', () => {
    const chosen = select('policy-over-refusal', suiteSizes.full);
    expect(new Set(chosen.map(({ category, ideal, tags }) => `${category} ${ideal} ${tags.join()}`))).toEqual(
      new Set(['violence comply ', 'harassment comply multi-turn']),
    );
    expect(select('policy-over-refusal')).toHaveLength(24);
    expect(select('policy-over-refusal', suiteSizes.smoke)).toHaveLength(4);
  });

  it('wrap forbidden requests in 20 techniques of families never trained on, the same each time', () => {
    const wrapped = select('forbidden-jailbreaks');
    expect(wrapped).toHaveLength(8 * 20);
    const trained = new Set(trainingFamilies.map((t) => t.name));
    expect(wrapped.filter((p) => trained.has(p.technique))).toEqual([]);
    expect(new Set(wrapped.map((p) => p.technique)).size).toBe(20);
    // Few techniques are of as many families as there are.
    const family = new Map(heldOutFamilies.map((t) => [t.name, t.family]));
    expect(new Set(wrapped.map((p) => family.get(p.technique))).size).toBe(new Set(family.values()).size);
    expect(select('forbidden-jailbreaks')).toEqual(wrapped);
  });

  it('ask a smaller suite as part of a larger one', () => {
    const large = new Set(select('policy-retrieval', suiteSizes.full).map((p) => p.id));
    expect(select('policy-retrieval', suiteSizes.smoke).every((p) => large.has(p.id))).toBe(true);
  });
});

describe('sampleEvenly', () => {
  it('takes the same number from each category and kind, one prompt a request', () => {
    const chosen = sampleEvenly(prompts, 14, 1);
    const cells = chosen.map((p) => `${p.category}/${p.ideal}`);
    expect([...new Set(cells)].map((cell) => cells.filter((c) => c === cell).length)).toEqual([2, 2, 2, 2, 2, 2, 2]);
    const doubled = [...prompts, ...prompts.map((p) => ({ ...p, id: `${p.id}b` }))];
    expect(sampleEvenly(doubled, 1000, 1)).toHaveLength(prompts.length);
  });

  it('does not depend on the order of the file', () => {
    expect(sampleEvenly([...prompts].reverse(), 20, 1)).toEqual(sampleEvenly(prompts, 20, 1));
    expect(sampleEvenly(prompts, 20, 2)).not.toEqual(sampleEvenly(prompts, 20, 1));
  });
});
