import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../base/config.js';
import { sha256 } from '../evals/ask-set.js';
import { parseStudySettings } from './config.js';
import { chosenSets, withFiles } from './suites-study.js';

let home: string;
let file: string;
const config = parseConfig({}, 'test');
const suitesOf = (suites: unknown) => parseStudySettings({ suites }, 'mine.yaml').suites;

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-suites-'));
  file = path.join(home, 'harm.csv');
  await writeFile(file, 'category,source,forbidden_prompt\nPans,made up,Scrub a pan.\nForks,made up,Bend a fork.\n');
});
afterAll(() => rm(home, { recursive: true, force: true }));

describe('study.suites', () => {
  it('is our own sets, which need neither file nor judge', () => {
    const own = [{ name: 'escalation' }, { name: 'tool-injection' }, { name: 'multilingual' }, { name: 'harm-in-cot' }];
    expect(parseStudySettings({}, 'test').suites).toEqual(own);
  });

  it('takes a name, or a name and a file', () => {
    expect(suitesOf(['multilingual', { name: 'xstest', file: 'x.csv' }])).toEqual([
      { name: 'multilingual' },
      { name: 'xstest', file: 'x.csv' },
    ]);
    expect(suitesOf([])).toEqual([]);
  });

  it('is refused with the name of what is wrong', () => {
    expect(() => suitesOf(['multilingal'])).toThrow(/mine\.yaml: study\.suites\.0\.name: .*"multilingual"/);
    expect(() => suitesOf(['escalation', { name: 'escalation' }])).toThrow(/study\.suites: escalation stands twice/);
  });
});

describe('files of public sets', () => {
  it('lie beside the settings, and are known by their digests', async () => {
    const [found] = await withFiles(suitesOf([{ name: 'strongreject', file: 'harm.csv' }]), home);
    expect(found).toEqual({ name: 'strongreject', file, sha256: await sha256(file) });
    await expect(withFiles([{ name: 'strongreject', file, sha256: 'another' }], home)).rejects.toThrow(/not another/);
    await expect(withFiles([{ name: 'xstest', file: 'none.csv' }], home)).rejects.toThrow(/none\.csv: cannot be read \(ENOENT\)/);
  });

  it('are read before a model is asked', async () => {
    const chosen = (suites: unknown) => chosenSets(parseStudySettings({ suites, eval: { plain: 1 } }, 'test'), config, []);
    const [set] = await chosen([{ name: 'strongreject', file }]);
    expect(set).toMatchObject({ names: ['held-out'], items: [{ part: 'strongreject' }] });
    await expect(chosen(['strongreject'])).rejects.toThrow(/study\.suites: strongreject: needs file with the published file/);
    await expect(chosen([{ name: 'simpleqa', file }])).rejects.toThrow(/study\.suites: simpleqa: only a judge/);
    await expect(chosen([{ name: 'xstest', file }])).rejects.toThrow(/harm\.csv:1: has no column "id"/);
  });

  it('are not needed where prompts hold nothing for a set of ours', async () => {
    const [set] = await chosenSets(parseStudySettings({ suites: ['harm-in-cot'] }, 'test'), config, []);
    expect(set!.items).toEqual([]);
  });
});
