import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutAtStop, firstStop, StopCutter, TextStream } from './text-stream.js';

/** Tokens are bytes, as in the worst case of a byte-level tokenizer. */
const bytes = (text: string): number[] => [...new TextEncoder().encode(text)];
const decode = (tokens: readonly number[]): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(tokens));

const pieces = (tokens: readonly number[], options: { stop?: string[]; stopAfter?: string } = {}): string[] => {
  const stream = new TextStream({ decode, ...options });
  return tokens.map((token) => stream.push(token));
};

describe('TextStream', () => {
  it('gives a character once its bytes are there', () => {
    expect(pieces(bytes('aé😀b'))).toEqual(['a', '', 'é', '', '', '', '😀', 'b']);
  });

  it('gives, piece by piece, what the tokens decode to as a whole', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const whole = decode(bytes(text));
        expect(pieces(bytes(`${text}.`)).join('')).toBe(`${whole}.`);
      }),
    );
  });

  it('never gives what a stop string takes away', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', 'é'), maxLength: 30 });
    const stop = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(letters, letters, stop, fc.boolean(), (before, after, stop, later) => {
        const text = `${before}|${after}`;
        const options = later ? { stop, stopAfter: '|' } : { stop };
        // The sampler ends at the token that completes a stop string.
        const end = [...text].findIndex((_, i) => cut(text, i, options));
        const written = end === -1 ? text : [...text].slice(0, end + 1).join('');
        const final = cutAtStop(written, stop, options.stopAfter);
        const given = pieces(bytes(written), options).join('');
        expect(final.startsWith(given)).toBe(true);
        if (end !== -1) expect(given).toBe(final);
      }),
    );
  });
});

/** Whether the text up to and with character i holds a stop string that counts. */
function cut(text: string, i: number, { stop, stopAfter }: { stop: string[]; stopAfter?: string }): boolean {
  const written = [...text].slice(0, i + 1).join('');
  return cutAtStop(written, stop, stopAfter) !== written;
}

describe('stop strings', () => {
  it('count in the answer only, and not in the white space before it', () => {
    expect(cutAtStop('<think>\na\n</think>\nb\nc', ['\n'], '</think>')).toBe('<think>\na\n</think>\nb');
    expect(cutAtStop('<think>\na\n', ['\n'], '</think>')).toBe('<think>\na\n');
    expect(cutAtStop('a b', [' '])).toBe('a');
    expect(firstStop('xyz', [])).toBe(-1);
  });

  it('are recognised over pieces; what turns out to be none is given after all', () => {
    const cutter = new StopCutter(['END']);
    expect([cutter.push('a E'), cutter.push('N'), cutter.push('x E'), cutter.push('ND b'), cutter.push('c')]).toEqual([
      'a ',
      '',
      'ENx ',
      '',
      '',
    ]);
    expect(cutter.stopped).toBe(true);
    const open = new StopCutter(['END']);
    expect(open.push('a EN') + open.rest()).toBe('a EN');
  });
});
