/** `npm run bench -- requests [--count 100000] [--save]`: rate, memory and share of the server's throughput at 64 parallel requests. */
import { parseArgs } from 'node:util';
import { inputError } from '../src/base/errors.js';
import { runAndRead } from './process.js';
import type { MemoryFigures, ShareFigures } from './requests-program.js';
import { fillScalePage, markdownTable, measuredOn } from './scale-page.js';
import { compiled } from './server-process.js';

/** A hundred thousand requests may raise the peak by so much over that of a tenth of them, MB. */
const mostGrowth = 64;
/** What stays in memory of a request: its place in the cache of answers, bytes. */
const mostKept = 400;
const leastShare = 0.95;

export interface RequestFigures {
  memory: MemoryFigures;
  shares: ShareFigures[];
}

/** @throws dependency error when a process fails, for example on an answer that is not the one to its request */
export async function measureRequests(count: number, shares: readonly { requests: number; latency: number }[]): Promise<RequestFigures> {
  const program = compiled('requests-program');
  const figures: RequestFigures = {
    memory: (await runAndRead(process.execPath, [program, 'memory', String(count)])) as MemoryFigures,
    shares: [],
  };
  for (const { requests, latency } of shares)
    figures.shares.push((await runAndRead(process.execPath, [program, 'share', String(requests), String(latency)])) as ShareFigures);
  return figures;
}

/** What is beyond its bound; empty when all holds. */
export function faultsOf({ memory: { marks }, shares }: RequestFigures): string[] {
  const faults: string[] = [];
  const last = marks.at(-1);
  const before = marks.at(-2);
  if (last !== undefined && before !== undefined) {
    const growth = last.peakMb - before.peakMb;
    const kept = ((last.heapMb - before.heapMb) * 2 ** 20) / (last.requests - before.requests);
    if (growth > mostGrowth)
      faults.push(`peak memory grew by ${growth.toFixed(0)} MB from ${before.requests} to ${last.requests} requests`);
    if (kept > mostKept) faults.push(`${kept.toFixed(0)} bytes of each request stay in memory`);
  }
  for (const { latency, ours, server } of shares)
    if (latency > 0 && ours / server < leastShare)
      faults.push(`${((100 * ours) / server).toFixed(1)} % of the server's throughput at a latency of ${latency} ms`);
  return faults;
}

export function requestTables({ memory: { marks, seconds }, shares }: RequestFigures): string {
  const last = marks.at(-1);
  const rate = (value: number) => value.toFixed(0);
  return [
    `${last?.requests.toLocaleString('en')} requests in ${seconds.toFixed(0)} s (${rate((last?.requests ?? 0) / seconds)} a second), each of 3.4 kB with an answer of 0.5 kB, with the cache of answers:`,
    '',
    markdownTable(
      ['Requests', 'peak memory', 'heap in use'],
      marks.map(({ requests, peakMb, heapMb }) => [requests.toLocaleString('en'), `${peakMb.toFixed(0)} MB`, `${heapMb.toFixed(1)} MB`]),
    ),
    '',
    'At most 64 requests at once, the start with 8 included:',
    '',
    markdownTable(
      ['Latency of the server', 'requests', 'server, requests/s', 'through the engine', 'share', 'most at once'],
      shares.map(({ latency, requests, server, ours, mostInFlight }) => [
        latency === 0 ? 'none' : `median ${latency} ms, σ of its logarithm .5`,
        requests.toLocaleString('en'),
        rate(server),
        rate(ours),
        `${((100 * ours) / server).toFixed(1)} %`,
        String(mostInFlight),
      ]),
    ),
  ].join('\n');
}

export async function requests(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { count: { type: 'string', default: '100000' }, save: { type: 'boolean', default: false } },
  });
  const count = Number(values.count);
  if (!Number.isInteger(count) || count < 2000) throw inputError(`--count must be a whole number, 2000 or more, not ${values.count}.`);
  const share = Math.max(1000, count / 10);
  const machine = measuredOn();
  const figures = await measureRequests(count, [
    { requests: share, latency: 250 },
    { requests: share, latency: 0 },
  ]);
  const text = `${machine}\n\n${requestTables(figures)}`;
  console.log(text);
  if (values.save) await fillScalePage('requests', text);
  const faults = faultsOf(figures);
  for (const fault of faults) console.log(`WRONG: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}
