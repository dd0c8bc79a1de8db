import { describe, expect, it } from 'vitest';
import { checkPatterns } from './tokenizer-patterns.js';

const split = (pattern: string) => ({
  normalizer: null,
  pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
  decoder: null,
});

describe("a tokenizer's regular expressions", () => {
  it('pass where they come to an end, whether they are known or not', async () => {
    await checkPatterns(split("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+"), 'tokenizer.json');
    await checkPatterns({ normalizer: null, pre_tokenizer: null, decoder: null }, 'tokenizer.json');
  });

  it('are refused where a line of letters would take them years', async () => {
    await expect(checkPatterns(split('(a+)+$'), 'tokenizer.json', 2000)).rejects.toThrow(
      /tokenizer\.json: its regular expressions take more than 2 s/,
    );
  });

  it('are refused where the file is nested deeper than any is', async () => {
    let deep: unknown = null;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    await expect(checkPatterns({ normalizer: deep, pre_tokenizer: null, decoder: null }, 'tokenizer.json')).rejects.toMatchObject({
      kind: 'input',
    });
  });
});
