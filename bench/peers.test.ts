import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findBatchedBench, peersAtHand } from './peers.js';

let folder: string;
let program: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'peers-'));
  program = path.join(folder, process.platform === 'win32' ? 'llama-batched-bench.exe' : 'llama-batched-bench');
  await writeFile(program, '');
});
afterAll(() => rm(folder, { recursive: true }));

it('finds a peer on the PATH, or where it is named', () => {
  const PATH = [path.join(folder, 'absent'), '', folder].join(path.delimiter);
  expect(findBatchedBench({ PATH })).toBe(program);
  expect(findBatchedBench({ PATH, LLAMA_BATCHED_BENCH: '/mine' })).toBe('/mine');
  expect(peersAtHand({ PATH })).toBe(true);
  expect(peersAtHand({ PEERS_PYTHON: 'python3' })).toBe(true);
  expect(findBatchedBench({ PATH: path.join(folder, 'absent') })).toBeNull();
  expect(peersAtHand({})).toBe(false);
});
