import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { madeSpec, writeMadeRun } from './made-run.js';
import { RunStore } from './store.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'deliberate-store-'));
  await writeMadeRun(root, { completions: 100 });
});
afterEach(() => rm(root, { recursive: true, force: true }));

it('is closed in the midst of queries: they end first, none is begun afterwards', async () => {
  const store = await RunStore.open(root, madeSpec);
  await store.whenReady();
  let ended = 0;
  // More than there are threads for; each would take minutes.
  const asked = Array.from({ length: 8 }, () =>
    store
      .rows('select sum(range % 7) from range($1)', [1_000_000_000_000])
      .catch(() => undefined)
      .finally(() => ended++),
  );
  await store.close();
  expect(ended).toBe(8);
  await Promise.all(asked);
  await expect(store.rows('select 1')).rejects.toMatchObject({ kind: 'dependency' });
  await store.refreshNow();
}, 60_000);
