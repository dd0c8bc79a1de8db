import { describe, expect, it } from 'vitest';
import { redact } from './redact.js';

describe('redact', () => {
  it('hides a key as it is, in an address and in a header of basic authorization', () => {
    const key = 'sk/ä+1$&';
    const said = `key ${key}, /?key=${encodeURIComponent(key)}, Basic ${Buffer.from(key).toString('base64')}`;
    expect(redact(said, key)).toBe('key ***, /?key=***, Basic ***');
  });

  it('leaves texts alone where there is no key', () => {
    expect(redact('as said', undefined)).toBe('as said');
    expect(redact('as said', '')).toBe('as said');
  });
});
