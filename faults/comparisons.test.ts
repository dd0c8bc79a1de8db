/** What the fault suite compares runs with must see what is lost, doubled or left over; else its figures say nothing. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compareStored, storedIn } from './same-records.js';
import { saveFigures } from './save-figures.js';
import { contentsOf, differences } from './scripted-run.js';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-compare-'));
  await write('records.jsonl', '{"id":"a"}\n{"id":"b","seconds":1.5}\n');
  await write('metrics.jsonl', '{"step":1,"seconds":2}\n');
  await write('state.json', '{}\n');
});
afterEach(() => rm(home, { recursive: true }));
const write = (name: string, text: string) => writeFile(path.join(home, name), text);

describe('runs of the scripted engine', () => {
  const seen = async (change: () => Promise<void>) => {
    const before = await contentsOf(home);
    await change();
    return differences(before, await contentsOf(home));
  };

  it.each([
    ['a lost record', () => write('records.jsonl', '{"id":"a"}\n'), ['records.jsonl differs']],
    ['a doubled record', () => write('records.jsonl', '{"id":"a"}\n{"id":"a"}\n{"id":"b","seconds":1.5}\n'), ['records.jsonl differs']],
    ['another text', () => write('state.json', '{} \n'), ['state.json differs']],
    ['a file too many', () => write('state.json.new', ''), ['state.json.new is left over']],
    ['a file too few', () => rm(path.join(home, 'state.json')), ['state.json is missing']],
    ['other seconds', () => write('metrics.jsonl', '{"step":1,"seconds":3}\n'), []],
  ])('%s', async (_, change, differ) => {
    expect(await seen(change)).toEqual({ differ, reordered: [] });
  });

  it('records in another order are told apart', async () => {
    expect(await seen(() => write('records.jsonl', '{"id":"b","seconds":1.5}\n{"id":"a"}\n'))).toEqual({
      differ: [],
      reordered: ['records.jsonl'],
    });
  });
});

describe('runs of the real engine', () => {
  const seen = async (change: () => Promise<void>) => {
    const before = await storedIn(home);
    await change();
    return compareStored(before, await storedIn(home));
  };

  it.each([
    ['a lost record', () => write('records.jsonl', '{"id":"a"}\n'), ['records.jsonl: record b is there 0 times, not 1']],
    ['a doubled step', () => write('metrics.jsonl', '{"step":1}\n{"step":1}\n'), ['metrics.jsonl: record 1 is there 2 times, not 1']],
    ['a file too many', () => write('adapter.new', ''), ['adapter.new is left over']],
    ['a file too few', () => rm(path.join(home, 'state.json')), ['state.json is missing']],
  ])('%s', async (_, change, wrong) => {
    expect((await seen(change)).wrong).toEqual(wrong);
  });

  it('other texts of the same records are counted', async () => {
    expect(await seen(() => write('records.jsonl', '{"id":"b","seconds":9}\n{"id":"a","answer":"new"}\n'))).toEqual({
      wrong: [],
      records: 3,
      equalRecords: 2,
      files: 1,
      equalFiles: 1,
      otherFiles: [],
    });
  });
});

describe('saved figures', () => {
  const measured = {
    name: 'kill',
    title: 'Kills',
    command: 'npm run faults',
    lines: ['3 kills.'],
    failures: [],
    seconds: 200,
    where: 'Here',
  };

  it('take the place of those of their section, again and again', async () => {
    const [begin, end] = ['<!-- figures of kill: written by npm run faults, not by hand -->', '<!-- end of kill -->'];
    await write('page.md', `before\n${begin}\n${end}\nafter\n`);
    const page = path.join(home, 'page.md');
    await saveFigures(page, measured);
    await saveFigures(page, { ...measured, lines: ['4 kills.'] });
    expect(await readFile(page, 'utf8')).toBe(
      `before\n${begin}\n### Kills\n\n- 4 kills.\n\n\`npm run faults\`, 3 min. Here.\n${end}\nafter\n`,
    );
    await saveFigures(page, { ...measured, failures: ['at /home/x: wrong'] });
    expect(await readFile(page, 'utf8')).toMatch(/\*\*WRONG: 1\. .*tells what/);
    expect(await readFile(page, 'utf8')).not.toContain('/home/x');
  });

  it('need their place', async () => {
    await write('page.md', '');
    await expect(saveFigures(path.join(home, 'page.md'), measured)).rejects.toThrow(/no place for the figures of kill/);
  });
});
