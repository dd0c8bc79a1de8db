import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinCot, splitCot } from '../lm/split-cot.js';
import { readReply, ReplyStream, type ReplyOptions } from './reply-stream.js';

/** Sends the text in the given pieces. @returns the fields joined, and those that went out before the end */
function streamed(pieces: readonly string[], options: ReplyOptions) {
  const stream = new ReplyStream(options);
  const parts = pieces.map((piece) => stream.push(piece));
  const early = {
    reasoning: parts.map((part) => part.reasoning ?? '').join(''),
    content: parts.map((part) => part.content ?? '').join(''),
  };
  const { part } = stream.finish(pieces.join(''));
  return { early, reasoning: early.reasoning + (part.reasoning ?? ''), content: early.content + (part.content ?? '') };
}

const cutInto = (text: string, cuts: readonly number[]): string[] => {
  const at = [...new Set(cuts.map((cut) => Math.floor(cut * text.length)))].sort((a, b) => a - b);
  return [...at, text.length].map((end, i) => text.slice(at[i - 1] ?? 0, end));
};
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', '<', '/', '.', 'think', 'é') });
const plain = text.filter((one) => splitCot(one).cot === null).map((one) => one.trim());
const stop = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n', ' '), minLength: 1, maxLength: 3 }), { maxLength: 3 });

describe('a reply as it is written', () => {
  it('is joined what it is as a whole, however it was cut, when it is well-formed', () => {
    const wellFormed = fc.oneof(
      fc.tuple(plain, plain, fc.constantFrom('', ' ', '\n')).map(([cot, answer, space]) => space + joinCot(cot, answer)),
      fc.tuple(plain, plain).map(([cot, answer]) => `<thinking>${cot}</thinking>${answer}`),
      plain,
    );
    fc.assert(
      fc.property(wellFormed, cuts, stop, (whole, at, stop) => {
        fc.pre(!splitCot(whole).malformed);
        const options = { show: true, stop };
        const { reasoning, content } = streamed(cutInto(whole, at), options);
        const expected = readReply(whole, options);
        expect({ reasoning, content }).toEqual({ reasoning: expected.reasoning ?? '', content: expected.content });
      }),
      { numRuns: 1000 },
    );
  });

  it('sends reasoning and answer early', () => {
    const { early } = streamed(['<thi', 'nk>\nThe user', ' asks.\n</th', 'ink>\nHere', ' it is.'], { show: true, stop: [] });
    expect(early).toEqual({ reasoning: 'The user asks.', content: 'Here it is.' });
  });

  it('loses nothing of a malformed one', () => {
    for (const whole of ['<think>a</think>b</think>c', '<think>never closed', 'a</think>b', '<think', '<think>a</ think >b']) {
      const { reasoning, content } = streamed([...whole], { show: true, stop: [] });
      for (const letter of ['a', 'b', 'c', 'never closed']) if (whole.includes(letter)) expect(reasoning + content).toContain(letter);
    }
  });

  it('counts stop strings in the answer alone', () => {
    const options = { show: true, stop: ['\n', 'Decision'] };
    const whole = '<think>\none\nDecision: comply\n</think>\nfirst\nsecond';
    expect(readReply(whole, options)).toEqual({ reasoning: 'one\nDecision: comply', content: 'first', stopped: true });
    expect(streamed([...whole], options)).toMatchObject({ reasoning: 'one\nDecision: comply', content: 'first' });
  });

  it('has no white space before a stop string, whether the engine stopped there or went on', () => {
    const options = { show: true, stop: ['here'] };
    for (const written of ['<think>\none\n</think>\nfirst \n', '<think>\none\n</think>\nfirst \nhere second']) {
      expect(readReply(written, options).content).toBe('first');
      expect(streamed([...written], options).content).toBe('first');
    }
  });
});

describe('a hidden chain of thought', () => {
  const tags = [
    '<think>',
    '</think>',
    '<thinking>',
    '</thinking>',
    '<think',
    '</ think >',
    '&lt;/think&gt;',
    '<|think|>',
    'SECRET',
    ' answer ',
  ];

  it('never goes out, whatever the tags: the content is what follows the last tag, and only at the end', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...tags), { maxLength: 8 }), cuts, (parts, at) => {
        const whole = parts.join('');
        const { early, reasoning, content } = streamed(cutInto(whole, at), { show: false, stop: [] });
        expect(early).toEqual({ reasoning: '', content: '' });
        expect(reasoning).toBe('');
        expect(content).toBe(splitCot(whole).answer);
      }),
      { numRuns: 1000 },
    );
  });

  it('is in no field of a whole reply either', () => {
    expect(readReply('<think>\nSECRET\n</think>\nanswer', { show: false, stop: [] })).toEqual({
      reasoning: null,
      content: 'answer',
      stopped: false,
    });
    expect(readReply('<think>\nSECRET', { show: false, stop: [] })).toEqual({ reasoning: null, content: '', stopped: false });
  });
});
