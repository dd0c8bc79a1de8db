import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { JsonlLog, readJsonl, writeJsonl } from './jsonl.js';

const Note = z.strictObject({ id: z.string(), text: z.string() });
let folder: string;
let count = 0;
const fresh = () => path.join(folder, `${count++}.jsonl`);
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'deliberate-jsonl-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const notes = (n: number) => Array.from({ length: n }, (_, i) => ({ id: String(i), text: `note ${i}` }));

describe('a log', () => {
  it('gives back any text, line separators and lone surrogates included', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }).map((text) => `${text}\u2028\r\n\u0000`)), async (texts) => {
        const file = fresh();
        const log = await JsonlLog.open(file, Note);
        await log.append(...texts.map((text, i) => ({ id: String(i), text })));
        await log.append({ id: 'surrogate', text: 'a\ud800b' });
        await log.close();
        expect((await readJsonl(file, Note)).map(({ text }) => text)).toEqual([...texts, 'a\ud800b']);
      }),
      { numRuns: 20 },
    );
  });

  it('keeps appends that come in at once whole and in order', async () => {
    const file = fresh();
    const log = await JsonlLog.open(file, Note);
    await Promise.all(notes(200).map((note) => log.append(note)));
    await log.close();
    expect(await readJsonl(file, Note)).toEqual(notes(200));
  });

  it('goes on after a crash at any byte', async () => {
    const file = fresh();
    await writeJsonl(file, notes(3));
    const bytes = await readFile(file);
    for (let length = 0; length <= bytes.length; length++) {
      await writeFile(file, bytes.subarray(0, length));
      const log = await JsonlLog.open(file, Note);
      const whole = log.records.length;
      expect(log.records).toEqual(notes(whole));
      await log.append(...notes(3).slice(whole));
      await log.close();
      expect(await readFile(file)).toEqual(bytes);
    }
  });

  it('drops the NULs that a crash of the machine leaves', async () => {
    for (const padding of ['\0\0\0\0', '{"id":"3"\0\0\0', '\0\0\0\0\n', '\0\0\n\0\0']) {
      const file = fresh();
      await writeJsonl(file, notes(2));
      await appendFile(file, padding);
      const log = await JsonlLog.open(file, Note);
      await log.append({ id: '9', text: 'later' });
      await log.close();
      expect(await readJsonl(file, Note)).toEqual([...notes(2), { id: '9', text: 'later' }]);
    }
  });

  it('refuses a bad line in the middle, by number', async () => {
    const file = fresh();
    await writeFile(file, '{"id":"1","text":"a"}\n{"id":\n{"id":"2","text":"b"}\n');
    await expect(readJsonl(file, Note)).rejects.toThrow(`${file}:2: is not JSON`);
    await writeFile(file, '{"id":"1","text":"a"}\n{"id":"2","text":"b","extra":1}\n');
    await expect(readJsonl(file, Note)).rejects.toThrow(`${file}:2: is not a record`);
  });

  it('refuses a damaged byte, which would else read as another character', async () => {
    const file = fresh();
    await writeJsonl(file, notes(3));
    const bytes = await readFile(file);
    bytes[bytes.indexOf('note 1')] = 0xc3;
    await writeFile(file, bytes);
    await expect(readJsonl(file, Note)).rejects.toThrow(`${file}:2: is not UTF-8`);
  });

  it('refuses numbers that JSON cannot hold', async () => {
    await expect(writeJsonl(fresh(), [{ loss: Number.NaN }])).rejects.toThrow("internal: a record's field loss is NaN");
  });

  it('says which file cannot be written', async () => {
    await writeFile(path.join(folder, 'file'), '');
    await expect(JsonlLog.open(path.join(folder, 'file', 'log.jsonl'), Note)).rejects.toThrow(
      /log\.jsonl: cannot be read or written \(ENOTDIR\)/,
    );
  });
});
