import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { madeSpec, writeMadeRun } from './made-run.js';
import { createViewer, type Viewer } from './server.js';

let root: string;
let viewer: Viewer;
let before: NodeJS.CpuUsage;
let page: number;
let pageStatus: number;
beforeAll(async () => {
  // The test shares the machine: it must not press on what runs beside it.
  os.setPriority(19);
  root = await mkdtemp(path.join(os.tmpdir(), 'deliberate-large-'));
  await writeMadeRun(root, { completions: 100_000 });
  before = process.cpuUsage();
  viewer = await createViewer(root, madeSpec);
  const start = process.cpuUsage();
  pageStatus = (await viewer.app.inject({ url: '/', headers: { host: '127.0.0.1' } })).statusCode;
  page = milliseconds(start);
  await viewer.store.whenReady();
}, 300_000);
afterAll(async () => {
  await viewer.close();
  await rm(root, { recursive: true, force: true });
});

/** Milliseconds of processor time, all threads, of the fastest of several: what else the machine does is not what is measured. */
async function cost(url: string, times = 5): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < times; i++) {
    const start = process.cpuUsage();
    const response = await viewer.app.inject({ url, headers: { host: '127.0.0.1' } });
    expect(response.statusCode, response.body.slice(0, 500)).toBe(200);
    best = Math.min(best, milliseconds(start));
  }
  return best;
}

function milliseconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

it('is fast at 100,000 records: the page at once, the overview in a second, a filter in 200 ms', async () => {
  const reading = milliseconds(before);
  // The kinds of the answers are found meanwhile; then all is quiet.
  await viewer.store.refreshNow();
  const times: Record<string, number> = { overview: await cost('/api/overview') };
  for (const query of [
    '',
    'score=unscored',
    'clause=V4&category=violence',
    'use=over-applied',
    'decision=refuse&sort=-score&offset=40000',
    'sort=prompt',
    'q=treaty%20%22case%207%22',
    'q=nothing-of-the-kind',
  ])
    times[`records ${query}`] = await cost(`/api/records?${query}`);
  times['counts'] = await cost('/api/facets?clause=V4');
  times['trace'] = await cost('/api/trace?key=completion/c77777');
  times['policy'] = await cost('/api/spec');
  console.log(
    `Processor time at 100,000 records: page ${Math.round(page)} ms, reading ${Math.round(reading)} ms, ${Object.entries(times)
      .map(([name, time]) => `${name} ${Math.round(time)} ms`)
      .join(', ')}`,
  );
  // The page does not wait for the records.
  expect(pageStatus).toBe(200);
  expect(page).toBeLessThan(1000);
  for (const [name, time] of Object.entries(times)) expect(time, name).toBeLessThan(name === 'overview' ? 1000 : 200);
}, 300_000);
