import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../base/config.js';
import { packageRoot } from '../base/package-root.js';
import { Random } from '../base/random.js';
import type { Prompt } from '../base/records.js';
import { encodings, heldOutFamilies, techniqueNamed, trainingFamilies, wrapPrompt } from '../prompts/jailbreaks/wrap.js';
import { loadPrompts } from '../prompts/load.js';
import { readCategory } from './categorise.js';
import { choosePrompts } from './prepare.js';
import { loadSpec } from './spec/parse.js';

let all: Prompt[];
beforeAll(async () => {
  all = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
});
const settings = (over: object = {}) => parseConfig({ prompts: over }, 'test').prompts;

describe('choosePrompts', () => {
  it('takes the asked numbers, of every category and kind, none of the test split', () => {
    const { train, ordinary, validation, test } = choosePrompts(all, settings(), 0);
    expect([train.length, ordinary.length, validation.length]).toEqual([56, 12, 12]);
    const counts = new Map<string, number>();
    for (const { category, ideal } of train) counts.set(`${category}/${ideal}`, (counts.get(`${category}/${ideal}`) ?? 0) + 1);
    expect(counts.size).toBeGreaterThanOrEqual(21);
    const testRequests = new Set(all.filter(({ split }) => split === 'test').map(({ request }) => request));
    const trainRequests = new Set([...train, ...ordinary].map(({ request }) => request));
    expect([...train, ...ordinary, ...validation].filter(({ request }) => testRequests.has(request))).toEqual([]);
    expect(validation.filter(({ request }) => trainRequests.has(request))).toEqual([]);
    expect(test).toHaveLength(all.filter(({ split, technique }) => split === 'test' && technique === 'none').length);
  });

  it('wraps about the share asked for, in training families alone, requests of all kinds alike', () => {
    const { train } = choosePrompts(all, settings({ train: 700, wrappedShare: 0.4 }), 0);
    const names = new Set(trainingFamilies.map(({ name }) => name));
    const wrapped = train.filter(({ technique }) => technique !== 'none');
    expect(wrapped.every(({ technique }) => names.has(technique))).toBe(true);
    for (const kind of ['comply', 'safe-complete', 'refuse']) {
      const share = wrapped.filter(({ ideal }) => ideal === kind).length / train.filter(({ ideal }) => ideal === kind).length;
      expect(share, kind).toBeGreaterThan(0.28);
      expect(share, kind).toBeLessThan(0.52);
    }
  });

  it('takes no prompt that came wrapped: its technique may be held out, alone or in a combination', () => {
    const some = all.filter(({ split, category }) => split === 'train' && category !== 'none').slice(0, 40);
    const wrapped = some.map((prompt, i) =>
      wrapPrompt(prompt, techniqueNamed(['poems', 'aim+poems', 'aim+base64', 'prefix_injection'][i % 4]!), new Random(i)),
    );
    const { train } = choosePrompts([...some, ...wrapped], settings({ train: 700, wrappedShare: 0.5 }), 0);
    const heldOut = new Set([...heldOutFamilies, ...encodings].map(({ family }) => family));
    const families = train.flatMap(({ technique }) => (technique === 'none' ? [] : techniqueNamed(technique).family.split('+')));
    expect(families.length).toBeGreaterThan(5);
    expect(families.filter((family) => heldOut.has(family))).toEqual([]);
    expect(train).toHaveLength(some.length);
  });

  it('chooses the same by the same seed, and other prompts by another', () => {
    expect(choosePrompts([...all].reverse(), settings(), 0).train).toEqual(choosePrompts(all, settings(), 0).train);
    expect(choosePrompts(all, settings(), 1).train).not.toEqual(choosePrompts(all, settings(), 0).train);
  });

  it('draws splits where there are none, and says when there is nothing to train on', () => {
    const plain = all.slice(0, 200).map((prompt): Prompt => {
      const copy = { ...prompt };
      delete copy.split;
      return copy;
    });
    expect(choosePrompts(plain, settings({ train: 30 }), 0).train).toHaveLength(30);
    expect(() =>
      choosePrompts(
        all.filter(({ split }) => split === 'test'),
        settings(),
        0,
      ),
    ).toThrow('no prompt of the training split');
  });
});

describe('readCategory', () => {
  it('takes a category that is named alone, and none for everything else', async () => {
    const spec = await loadSpec(path.join(packageRoot, 'spec'));
    expect(readCategory(spec, 'self-harm')).toBe('self-harm');
    expect(readCategory(spec, '<think>\nviolence?\n</think>\nThe category is Self-harm.')).toBe('self-harm');
    expect(readCategory(spec, 'violence or self-harm')).toBe('none');
    expect(readCategory(spec, 'none')).toBe('none');
    expect(readCategory(spec, 'nonviolence')).toBe('none');
    expect(readCategory(spec, '')).toBe('none');
  });
});
