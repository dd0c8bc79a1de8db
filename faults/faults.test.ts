/** The fault suite at a fraction of its size; `npm run faults` is the whole. Runs the compiled code where it needs processes. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fullDisk } from './full-disk.js';
import { judgeAttacks } from './judge-attacks.js';
import { jsonl } from './jsonl.js';
import { fullKills, killed } from './kill.js';
import { killedAtEach } from './kill-each.js';
import { modelFiles } from './model-files.js';
import { secrets } from './secrets.js';
import type { FaultOptions, Figures } from './section.js';
import { thinkTags } from './think-tags.js';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-faults-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** Section, scale, and what its first line must say so that something was really done. */
const sections: Record<string, [(options: FaultOptions) => Promise<Figures>, number, RegExp]> = {
  'kill −9 loses and doubles nothing': [killed, 5 / fullKills, /^\d+ kills in \d+ runs, [5-9] at random instants/],
  'kill −9 at a file operation leaves nothing behind': [killedAtEach, 1 / 70, /^(?:[7-9]|1\d) runs, each killed once/],
  'a full disk ends the run in a sentence, and it goes on': [fullDisk, 0.1, /^A run needs \d+ kB|^Skipped: (?:only root|no tmpfs)/],
  'torn and hostile records are read whole or refused by line': [jsonl, 0.03, /^Cut at \d\d+ of/],
  'damaged model files end in a sentence': [modelFiles, 0.004, /^gguf: 12 files/],
  'answers that talk to the judge move no verdict': [judgeAttacks, 0.05, /[1-9]\d* verdicts .*: 0 moved/],
  'no chain of thought comes through the splitter': [thinkTags, 0.01, /^5 properties on 1000 texts/],
  'no key is written anywhere': [secrets, 0.1, /[1-9]\d* requests carried the key; .* found nowhere/],
};

describe('faults', () => {
  it.each(Object.entries(sections))('%s', { timeout: 180_000 }, async (_, [section, scale, first]) => {
    const { lines, failures } = await section({ seed: 1, scale, home, say: () => undefined });
    expect(failures).toEqual([]);
    expect(lines[0]).toMatch(first);
  });
});
