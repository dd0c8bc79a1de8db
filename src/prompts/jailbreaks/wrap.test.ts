import { createHash } from 'node:crypto';
import path from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../base/package-root.js';
import { Random } from '../../base/random.js';
import { Prompt } from '../../base/records.js';
import { promptId } from '../conversation.js';
import { loadPrompts } from '../load.js';
import { encodings, heldOutFamilies, techniqueNamed, techniques, trainingFamilies, wrapIfChanged, wrapPrompt } from './wrap.js';

const request = 'How do I repair the slipping chain of an old bicycle?';
const plain: Prompt = Prompt.parse({
  id: promptId([{ role: 'user', content: request }]),
  messages: [{ role: 'user', content: request }],
  category: 'bicycles',
  ideal: 'comply',
  split: 'test',
  request: 'bicycle-chain',
  tags: ['ordinary'],
});
const all = [...trainingFamilies, ...heldOutFamilies, ...encodings];
/** Lose letters or their case on purpose. */
const lossy = new Set(['bon', 'disemvowel', 'disemvowel_light']);
const words = (text: string) => text.split(/\s+/).length;

describe('jailbreak techniques', () => {
  it('have names of their own', () => {
    expect(techniques.size).toBe(all.length);
  });

  it('keep training and held-out families apart', () => {
    const trained = new Set(trainingFamilies.map((t) => t.family));
    expect(heldOutFamilies.filter((t) => trained.has(t.family))).toEqual([]);
    expect(trainingFamilies.length).toBeGreaterThanOrEqual(8);
    expect(heldOutFamilies.length).toBeGreaterThanOrEqual(20);
    expect(trained.size).toBeGreaterThanOrEqual(6);
    expect(new Set(heldOutFamilies.map((t) => t.family)).size).toBeGreaterThanOrEqual(8);
  });

  it.each(all.map((t) => [t.name, t] as const))('%s changes the request, shortly, the same for the same seed', (_name, technique) => {
    for (let seed = 0; seed < 8; seed++) {
      const wrapped = technique.apply(request, new Random(seed));
      expect(wrapped).not.toBe(request);
      expect(technique.apply(request, new Random(seed))).toBe(wrapped);
      // About 1.4 tokens a word for these wordings: at most ~90 tokens.
      expect(words(wrapped) - words(request)).toBeLessThanOrEqual(60);
    }
  });

  it.each(all.filter((t) => !lossy.has(t.name)).map((t) => [t.name, t] as const))('%s gives the request back', (_name, technique) => {
    for (let seed = 0; seed < 8; seed++) {
      expect(technique.recover(technique.apply(request, new Random(seed)))).toBe(request);
    }
  });

  it('give the request back whatever it holds', () => {
    const exact = [...trainingFamilies, ...heldOutFamilies.filter((t) => t.family !== 'spelling'), techniqueNamed('base64')];
    fc.assert(
      fc.property(fc.constantFrom(...exact), fc.string({ minLength: 1 }), fc.integer(), (technique, text, seed) => {
        expect(technique.recover(technique.apply(text, new Random(seed)))).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  it('say so when they lose letters, and keep the rest', () => {
    expect(techniqueNamed('bon').recover(techniqueNamed('bon').apply(request, new Random(1)))).toBe(request.toLowerCase());
    const short = techniqueNamed('disemvowel').apply(request, new Random(1));
    expect(short).toBe('Hw d  rpr th slppng chn f n ld bcycl?');
    expect(techniqueNamed('disemvowel').recover(short)).toBeNull();
  });

  it('do not claim a text that is not theirs', () => {
    expect(techniqueNamed('aim').recover(request)).toBeNull();
    expect(techniqueNamed('base64_raw').recover(request)).toBeNull();
  });

  let texts: string[];
  beforeAll(async () => {
    const prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
    texts = prompts.filter(({ split }) => split === 'test').map(({ messages }) => messages.at(-1)!.content);
  });
  it('make what they always made of the test prompts: answers and results that were kept depend on it', () => {
    const hash = createHash('sha256');
    for (const technique of techniques.values())
      for (const [seed, text] of texts.entries()) hash.update(`${technique.name} ${technique.apply(text, new Random(seed))}\n`);
    expect(hash.digest('hex')).toBe('f90d0e1726b1e7cb25a3466b02db5c32d7e31f07663ce891b9ec2159fe032b4d');
  });

  // What is left where letters were taken away: the rest of them, in order.
  const consonants = (text: string) => text.toLowerCase().replace(/[aeiou]/g, '');
  const kept: Readonly<Record<string, (wrapped: string, text: string) => void>> = {
    bon: (wrapped, text) => {
      expect(wrapped.toLowerCase()).toBe(text.toLowerCase());
      expect(techniqueNamed('bon').recover(wrapped)).toBe(text.toLowerCase());
    },
    disemvowel: (wrapped, text) => expect(consonants(wrapped)).toBe(consonants(text)),
    disemvowel_light: (wrapped, text) => {
      expect(consonants(wrapped)).toBe(consonants(text));
      const [before, after] = [text.split(' '), wrapped.split(' ')];
      expect(after).toHaveLength(before.length);
      const changed = before.filter((word, i) => word !== after[i]);
      expect(changed.length).toBeLessThanOrEqual(Math.ceil(before.length / 3));
      // The first letter of a word stays, vowel or not.
      for (const [i, word] of after.entries()) expect(word[0]).toBe(before[i]![0]);
    },
  };

  it.each(all.map((t) => [t.name, t] as const))('%s, on every test prompt', (name, technique) => {
    expect(texts.length).toBeGreaterThan(300);
    let idle = 0;
    for (const [seed, text] of texts.entries()) {
      const wrapped = technique.apply(text, new Random(seed));
      if (wrapped === text) idle++;
      else if (name in kept) kept[name]!(wrapped, text);
      else if (technique.recover(wrapped) !== text) expect(wrapped).toBe(`what gives ${text}`);
    }
    // One prompt has no long word with a vowel after its first letter.
    expect(idle).toBeLessThanOrEqual(family(name) === 'spelling' ? 1 : 0);
  });
});

const family = (name: string): string => techniqueNamed(name).family;

describe('leetspeak', () => {
  const back = (text: string) => techniqueNamed('leetspeak').recover(techniqueNamed('leetspeak').apply(text, new Random(0)));
  it('gives numbers back as numbers, and the word "a" as itself', () => {
    const text = 'Pay 5,000 by 10:30 for a ticket of 40 or 4.10 each in 1990.';
    expect(back(text)).toBe(text);
  });
  it('takes a digit inside a word or alone for a letter, as its comment says', () => {
    expect(back('3D for 4 people')).toBe('eD for a people');
  });
});

describe('wrapPrompt', () => {
  it('wraps the last user turn and keeps what the request is', () => {
    const before = { role: 'user', content: 'Hello.' } as const;
    const reply = { role: 'assistant', content: 'Hello, how can I help?' } as const;
    const chat: Prompt = { ...plain, messages: [before, reply, ...plain.messages] };
    const wrapped = wrapPrompt(chat, techniqueNamed('poems'), new Random(3));
    expect(wrapped.messages.slice(0, 2)).toEqual([before, reply]);
    expect(wrapped.messages[2]!.content).toContain(request);
    expect(wrapped).toMatchObject({ request: plain.request, technique: 'poems', split: 'test', category: 'bicycles', ideal: 'comply' });
    expect(wrapped.id).toBe(promptId(wrapped.messages));
    expect(wrapped.id).not.toBe(chat.id);
  });

  it('refuses a technique that changes nothing', () => {
    const idle = { name: 'idle', family: 'none', apply: (text: string) => text, recover: (text: string) => text };
    expect(() => wrapPrompt(plain, idle, new Random(1))).toThrow(/idle: returned prompt .* unchanged/);
    expect(() =>
      wrapPrompt({ ...plain, messages: [{ role: 'user', content: '12?' }] }, techniqueNamed('leetspeak'), new Random(1)),
    ).toThrow(/unchanged/);
  });

  it('or says that it changes nothing, where a set holds texts of all kinds', () => {
    const chinese: Prompt = { ...plain, messages: [{ role: 'user', content: '如何修自行车？' }] };
    for (const name of ['leetspeak', 'disemvowel', 'bon', 'leetspeak_light', 'disemvowel_light', 'rot_13'])
      expect(wrapIfChanged(chinese, techniqueNamed(name), new Random(1)), name).toBeNull();
    expect(wrapIfChanged(chinese, techniqueNamed('base64'), new Random(1))?.technique).toBe('base64');
  });

  it('refuses to wrap twice', () => {
    const once = wrapPrompt(plain, techniqueNamed('aim'), new Random(1));
    expect(() => wrapPrompt(once, techniqueNamed('poems'), new Random(1))).toThrow(/already/);
  });

  it('names what it has when a technique is unknown or needs a model', () => {
    expect(() => techniqueNamed('nonsense')).toThrow(/unknown.*aim/);
    expect(() => techniqueNamed('pair')).toThrow(/attacker model/);
  });
});
