import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinCot, splitCot } from './split-cot.js';

describe('splitCot', () => {
  it('splits one plain pair of tags', () => {
    expect(splitCot('<think>\nThe user asks.\nDecision: comply\n</think>\n Here you are. ')).toEqual({
      cot: 'The user asks.\nDecision: comply',
      answer: 'Here you are.',
      malformed: false,
    });
    expect(splitCot(' \n<thinking>a</thinking>b')).toEqual({ cot: 'a', answer: 'b', malformed: false });
    expect(splitCot('<think></think>b')).toEqual({ cot: '', answer: 'b', malformed: false });
  });

  it('takes text without tags as an answer', () => {
    expect(splitCot('I think so, and 3 < 4.')).toEqual({ cot: null, answer: 'I think so, and 3 < 4.', malformed: false });
    expect(splitCot('the <thinker> element')).toMatchObject({ cot: null, malformed: false });
    expect(splitCot('')).toEqual({ cot: null, answer: '', malformed: false });
  });

  it.each([
    ['orphan closing', 'secret</think>answer', 'answer'],
    ['doubled closing', '<think>a</think>secret</think>answer', 'answer'],
    ['doubled opening', '<think><think>secret</think>answer', 'answer'],
    ['nested', '<think>a<think>b</think>secret</think>answer', 'answer'],
    ['two blocks', '<think>a</think>secret<think>b</think>answer', 'answer'],
    ['text before the block', 'secret <think>b</think>answer', 'answer'],
    ['two names', '<think>secret</thinking>answer', 'answer'],
    ['spaces and capitals', '< Think >secret</ THINK >answer', 'answer'],
    ['never closed', '<think>secret', ''],
    ['closed by half a tag', '<think>secret</think answer', ''],
    ['closed by an escaped tag', '<think>secret&lt;/think&gt;answer', ''],
    ['closed by a JSON escape', '<think>secret\\u003c/think\\u003eanswer', ''],
    ['closed by a URL escape', '<think>secret%3C/think%3Eanswer', ''],
    ['opened again at the end', '<think>a</think>b<think>secret', ''],
    ['opened by half a tag', '<think secret', ''],
    ['opened in wide brackets', '＜think＞secret', ''],
    ['opened with a hidden character', '<th\u200bink>secret', ''],
    ['special-token bars', '<|think|>secret', ''],
    ['self-closing', '<think>secret<think/>secret', ''],
    ['a literal tag in the answer', '<think>a</think>write <think> first', ''],
  ])('%s', (_name, text, answer) => {
    const split = splitCot(text);
    expect(split).toMatchObject({ answer, malformed: true });
    expect(split.cot).not.toBeNull();
    if (text.includes('secret')) expect(split.cot).toContain('secret');
  });

  it('undoes joinCot for any text that names no tag', () => {
    const text = fc
      .string({ unit: 'binary' })
      .filter((s) => splitCot(s).cot === null)
      .map((s) => s.trim());
    fc.assert(
      fc.property(text, text, (cot, answer) => {
        expect(splitCot(joinCot(cot, answer))).toEqual({ cot, answer, malformed: false });
      }),
    );
  });

  it('never lets a word into the answer that a tag follows or an unclosed tag precedes', () => {
    const tag = fc.constantFrom(
      '<think>',
      '</think>',
      '<thinking>',
      '</thinking>',
      '&lt;/think&gt;',
      '</think',
      '<THINK >',
      '< / think>',
      '\\<think>',
      '</thought>',
    );
    const piece = fc.oneof(
      tag,
      fc.nat(99).map((n) => ` word${n}. `),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const { answer, cot } = splitCot(pieces.join(''));
        const lastTag = pieces.findLastIndex((p) => !p.startsWith(' '));
        const tail = pieces
          .slice(lastTag + 1)
          .join('')
          .trim();
        expect(['', tail]).toContain(answer);
        if (pieces.filter((p) => /^<\s*\//.test(p)).length === 0 && lastTag !== -1) expect(answer).toBe('');
        expect(cot === null).toBe(lastTag === -1);
        // Nothing is lost either: every word is on one side.
        for (const word of pieces.filter((p) => p.startsWith(' '))) expect(`${cot ?? ''}\n${answer}`).toContain(word.trim());
      }),
    );
  });

  it('splits its own answer into nothing more', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('<', '>', '/', 'think', ' ', 'a', '\n', '&lt;', '\\') }), (text) => {
        expect(splitCot(splitCot(text).answer).cot).toBeNull();
      }),
      { numRuns: 500 },
    );
  });

  it('takes time in proportion to the text', () => {
    const started = performance.now();
    splitCot('<'.repeat(50_000) + '\\'.repeat(50_000) + '<' + ' '.repeat(50_000) + '&amp;'.repeat(20_000));
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
