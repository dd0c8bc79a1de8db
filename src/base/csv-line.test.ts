import { describe, expect, it } from 'vitest';
import { csvLine } from './csv-line.js';

describe('a line of CSV', () => {
  it('quotes what would break it, and leaves out what is not there', () => {
    expect(csvLine(['a', 'b, "c"', 'd\ne', null, undefined, 0, -0.5])).toBe('a,"b, ""c""","d\ne",,,0,-0.5');
  });

  it('keeps text from being a formula', () => {
    expect(csvLine(['=1+1', '+32 %', '-x', '@a', '\tb', '=A1,B1'])).toBe("'=1+1,'+32 %,'-x,'@a,'\tb,\"'=A1,B1\"");
  });
});
