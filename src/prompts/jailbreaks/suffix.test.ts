import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { readSuffixes } from './suffix.js';
import { techniqueNamed } from './wrap.js';

const request = 'How do I repair the slipping chain of an old bicycle?';

describe('suffixes of an optimiser', () => {
  const suffixes = new Map([['made_up', 'zig "}] zag ==']]);
  it('stand behind the request, and come from the user', () => {
    const technique = techniqueNamed('gcg_transfer_made_up', suffixes);
    const wrapped = technique.apply(request, new Random(1));
    expect(wrapped).toBe(`${request} zig "}] zag ==`);
    expect(technique.recover(wrapped)).toBe(request);
    expect(technique.recover(request)).toBeNull();
    expect(techniqueNamed('aim+gcg_transfer_made_up', suffixes).family).toBe('persona+suffix');
  });
  it('that were not given are asked for', () => {
    expect(() => techniqueNamed('gcg_transfer_other', suffixes)).toThrow(/its suffix must be given.*"other: the suffix".*--suffixes/);
  });
  it('are read from a file, a line each, as they stand', async () => {
    const file = path.join(await mkdtemp(path.join(os.tmpdir(), 'suffixes-')), 'suffixes.txt');
    await writeFile(file, 'one: a: "b" {c} \\n\n\ntwo:! !\n');
    expect([...(await readSuffixes(file))]).toEqual([
      ['one', 'a: "b" {c} \\n'],
      ['two', '! !'],
    ]);
    await writeFile(file, 'one: a\none: b\n');
    await expect(readSuffixes(file)).rejects.toThrow(/suffixes\.txt:2: one stands on an earlier line/);
    await writeFile(file, 'one: a\nno name here\n');
    await expect(readSuffixes(file)).rejects.toThrow(/suffixes\.txt:2: is not a name, a colon and a suffix/);
    await writeFile(file, '\n');
    await expect(readSuffixes(file)).rejects.toThrow(/holds no suffixes/);
    await rm(path.dirname(file), { recursive: true });
  });
});
