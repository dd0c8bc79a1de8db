/** Some of the kills of a merge; `npm run faults -- --only merge` is all. Runs the compiled code. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { killedMerges } from './merge.js';

it('a merge that is killed leaves all or nothing, and goes on', { timeout: 180_000 }, async () => {
  const home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-merge-faults-'));
  try {
    const { lines, failures } = await killedMerges({ seed: 0, scale: 0.3, home, say: () => undefined });
    expect(failures).toEqual([]);
    expect(lines[0]).toMatch(/^\d+ merges of 3 shards.*absent [1-9]/);
  } finally {
    await rm(home, { recursive: true });
  }
});
