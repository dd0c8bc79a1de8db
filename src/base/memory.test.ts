import { describe, expect, it } from 'vitest';
import { inputError } from './errors.js';
import { memoryError, needingMemory } from './memory.js';

/** More than any machine has, or than an array may hold: which of the two is the runtime's to say. */
const far = 2 ** 52;

describe('want of memory', () => {
  it.each([
    ['array', () => new Float32Array(far)],
    ['buffer', () => new ArrayBuffer(far)],
  ])('is told by a sentence with how much was asked for and how much is free: %s', async (_name, make) => {
    const failed = needingMemory<unknown>(far, 'the test', make);
    await expect(failed).rejects.toThrow(
      /^there is not enough memory: the test needs 4503599\.6 GB, and [\d.]+ GB of this machine's [\d.]+ GB are free\. End other programs, set engine\.memoryGb lower/,
    );
    await expect(failed).rejects.toMatchObject({ kind: 'dependency', cause: expect.any(RangeError) });
  });

  it('is told where nobody knows how much was asked for', () => {
    expect(memoryError(new RangeError('Array buffer allocation failed'))?.message).toContain(
      'not enough memory: Array buffer allocation failed, and',
    );
  });

  it('is not what other errors mean', async () => {
    const other = inputError('a file named bad_alloc is missing.');
    await expect(needingMemory(8, 'it', () => Promise.reject(other))).rejects.toBe(other);
    for (const error of [new RangeError('Invalid array length'), new RangeError('Invalid typed array length: -1'), 'bad_alloc', null])
      expect(memoryError(error)).toBeNull();
    expect(await needingMemory(8, 'it', () => 3)).toBe(3);
  });
});
