import { describe, expect, it } from 'vitest';
import type { Prompt } from '../base/records.js';
import { encodings, heldOutFamilies } from '../prompts/jailbreaks/wrap.js';
import { idleEncodings, wrapAll, wrapEach, wrapSeeded } from './select.js';

const asking = (content: string): Prompt => ({
  id: content,
  messages: [{ role: 'user', content }],
  request: content,
  technique: 'none',
  tags: [],
  source: 'test',
  split: 'test',
});
const english = asking('How do I repair the slipping chain of an old bicycle?');
// No letter that these spellings change.
const chinese = asking('如何修理旧自行车打滑的链条？');
const idle = heldOutFamilies.filter((technique) => wrapSeeded(chinese, technique, 1) === null).map(({ name }) => name);

describe('a prompt in which some techniques find nothing to change', () => {
  it('is wrapped in as many others where there are as many', () => {
    expect(idle).toEqual(['bon', 'leetspeak_light', 'disemvowel_light']);
    const wrapped = wrapAll([english, chinese], 'held-out', 20, 1);
    expect(wrapped.filter(({ request }) => request === chinese.request)).toHaveLength(20);
    expect(wrapped.filter(({ request }) => request === english.request)).toHaveLength(20);
    expect(new Set(wrapped.map(({ id }) => id)).size).toBe(40);
    expect(wrapAll([chinese], 'held-out', Infinity, 1)).toHaveLength(heldOutFamilies.length - idle.length);
  });

  it('is wrapped in the next one where each prompt gets one', () => {
    const many = heldOutFamilies.map((_, i) => ({ ...chinese, id: `${i}` }));
    const wrapped = wrapEach(many, 'held-out', 1);
    expect(wrapped).toHaveLength(many.length);
    expect(wrapped.filter(({ technique }) => idle.includes(technique))).toEqual([]);
  });

  it('is left out of an encoding that leaves it as it is, which is counted', () => {
    const without = ['rot_13', 'leetspeak', 'disemvowel'];
    expect(wrapAll([chinese], 'encodings', Infinity, 1).map(({ technique }) => technique)).toEqual(
      encodings.map(({ name }) => name).filter((name) => !without.includes(name)),
    );
    expect([...idleEncodings([english, chinese])]).toEqual(without.map((name) => [name, 1]));
  });
});
