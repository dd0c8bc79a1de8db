import { describe, expect, it } from 'vitest';
import { cutAtSentence, readAnswers } from './answers.js';

describe('readAnswers', () => {
  it('looks answers up, cut at the end of a sentence', () => {
    const answerOf = readAnswers('{"request":"a","answer":"One. Two. Thr"}\n\n{"request":"b","answer":"no end"}\n', 'a.jsonl');
    expect(answerOf('a')).toBe('One. Two.');
    expect(answerOf('b')).toBeUndefined();
    expect(answerOf('c')).toBeUndefined();
  });

  it('says which line is wrong', () => {
    expect(() => readAnswers('{"request":"a","answer":"A."}\n{"request":1}', 'a.jsonl')).toThrow(/a\.jsonl:2/);
    expect(() => readAnswers('nonsense', 'a.jsonl')).toThrow(/a\.jsonl:1/);
  });
});

it('does not take the number of a list item for a sentence', () => {
  expect(cutAtSentence('Do this. Then:\n1. Stop the')).toBe('Do this.');
  expect(cutAtSentence('It costs 2.50 or')).toBeNull();
});
