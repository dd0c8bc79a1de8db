import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { Prompt } from '../../base/records.js';
import { promptId } from '../conversation.js';
import { encodings, heldOutFamilies, techniqueNamed, techniques, trainingFamilies, wrapPrompt } from './wrap.js';

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

  it('refuses to wrap twice', () => {
    const once = wrapPrompt(plain, techniqueNamed('aim'), new Random(1));
    expect(() => wrapPrompt(once, techniqueNamed('poems'), new Random(1))).toThrow(/already/);
  });

  it('names what it has when a technique is unknown or needs a model', () => {
    expect(() => techniqueNamed('nonsense')).toThrow(/unknown.*aim/);
    expect(() => techniqueNamed('pair')).toThrow(/attacker model/);
  });
});
