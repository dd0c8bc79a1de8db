import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { Random } from '../../src/base/random.js';
import { lastRequest, type Prompt } from '../../src/base/records.js';
import { loadSpec } from '../../src/align/spec/parse.js';
import type { Spec } from '../../src/align/spec/types.js';
import { loadPrompts } from '../../src/prompts/load.js';
import { findNearDuplicates, words } from '../../src/prompts/overlap.js';
import { plainRequests } from './group.js';
import { makePolicy } from './policy.js';
import { readTopics, type Family } from './topics.js';

/** The reader must learn to read, not what stands in the policy that it is tried on. */
let spec: Spec;
let prompts: Prompt[];
let families: readonly Family[];
beforeAll(async () => {
  spec = await loadSpec(path.join(packageRoot, 'spec'));
  prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
  families = readTopics(path.join(packageRoot, 'recipes', 'reasoner', 'topics'));
});

const spoken = (text: string) => ` ${words(text).join(' ')} `;
const phrases = (text: string): string[] =>
  text
    .split(/[.;:\n]/)
    .map((phrase) => spoken(phrase))
    .filter((phrase) => phrase.trim().split(' ').length >= 5);

describe('what the reader is trained on', () => {
  it('holds no phrase of a clause, summary or style of the default specification', () => {
    const own = [
      ...spec.categories.flatMap(({ summary, clauses }) => [summary, ...clauses.map(({ text }) => text)]),
      ...spec.styles.map(({ text }) => text),
    ].flatMap(phrases);
    expect(own.length).toBeGreaterThan(100);
    const drawn = Array.from({ length: 400 }, (_, i) => spoken(makePolicy(new Random(`overlap ${i}`), families).text)).join('\n');
    expect(own.filter((phrase) => drawn.includes(phrase))).toEqual([]);
    // A phrase that is there is found.
    expect(drawn.includes(spoken(makePolicy(new Random('overlap 7'), families).clauses[0]!.line.split('. ')[1]!))).toBe(true);
  });

  it('asks nothing that the prompts ask', () => {
    const asked = plainRequests(families).map((text, i) => ({ id: `recipe ${i}`, text, group: 'recipe' }));
    const own = prompts.map(({ id, messages }) => ({ id, text: lastRequest(messages), group: 'prompts' }));
    expect(asked.length).toBeGreaterThan(1000);
    const textOf = new Map([...asked, ...own].map(({ id, text }) => [id, text]));
    // Pairs of the usual bounds share an opening alone ("How do I descale a Gaggia?", "… a kettle?").
    const bounds = { jaccard: 0.75, containment: 0.9, words: 0.75 };
    expect(findNearDuplicates([...asked, ...own], bounds).map(({ a, b }) => `${textOf.get(a)} / ${textOf.get(b)}`)).toEqual([]);
  });
});
