/**
 * Sends many requests through the engine for servers, in a process of its own so that its memory is its own:
 * `node requests-program.js memory COUNT` or `share COUNT LATENCY`. The server is another process.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Pool } from 'undici';
import { internalError } from '../src/base/errors.js';
import { inParallel } from '../src/base/parallel.js';
import { ServerSettings } from '../src/base/server-settings.js';
import { openServerModel } from '../src/engines/openai/server-model.js';
import type { ChatRequest } from '../src/engines/types.js';
import { echoed, type Behaviour } from './server-behaviour.js';
import { startServerProcess } from './server-process.js';
import { resultMark } from './workload.js';

const parallel = 64;

export interface MemoryFigures {
  marks: { requests: number; peakMb: number; heapMb: number }[];
  seconds: number;
}

export interface ShareFigures {
  /** Median of the latency, ms. */
  latency: number;
  requests: number;
  /** Requests a second. */
  server: number;
  ours: number;
  mostInFlight: number;
}

const behaviour = (latency: number): Behaviour => ({
  seed: 0,
  speed: 1,
  firstToken: { median: latency, sigma: 0.5 },
  token: { median: 0, sigma: 0 },
  slots: parallel,
  loading: 0,
  faults: { error: 0, hangUp: 0, silence: 0 },
  writes: 'echo',
});

/** About what a generation sends: a specification of 800 tokens and a request. */
const specification = 'Policy on mending things: allowed. Say how it is done, and what to look out for. [M1]\n'.repeat(38);
const request = (i: number): ChatRequest => ({
  messages: [
    { role: 'system', content: specification },
    { role: 'user', content: `Request ${i}: how do I mend part ${i} of my bicycle?` },
  ],
  maxTokens: 176,
  temperature: 0.6,
  topP: 0.95,
  seed: i,
});

/** Through the engine, as a stage does it. Every reply is looked at. @returns requests a second */
async function ours(url: string, count: number, onAnswer: (answered: number) => void = () => undefined): Promise<number> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'deliberate-requests-'));
  const server = await openServerModel({
    role: 'generator',
    settings: ServerSettings.parse({ engine: 'openai', baseUrl: url, model: 'scripted', maxConcurrency: parallel }),
    cacheFile: path.join(folder, 'generator.jsonl'),
  });
  try {
    let answered = 0;
    const start = performance.now();
    await inParallel(
      Array.from({ length: count }, (_, i) => i),
      2 * parallel,
      async (i) => {
        const asked = request(i);
        const { choices } = await server.model.chat(asked);
        if (choices[0]?.text !== echoed(asked.messages[1]!.content)) throw internalError(`request ${i} got the answer ${choices[0]?.text}`);
        onAnswer(++answered);
      },
    );
    return (count * 1000) / (performance.now() - start);
  } finally {
    await server.close();
    await rm(folder, { recursive: true });
  }
}

/** The same bodies over as many connections that are kept alive, read and thrown away: what the server can do. @returns requests a second */
async function bare(url: string, count: number): Promise<number> {
  const pool = new Pool(url, { connections: parallel });
  const numbers = Array.from({ length: count }, (_, i) => i);
  const start = performance.now();
  await inParallel(numbers, parallel, async (i) => {
    const { messages, seed } = request(i);
    const body = JSON.stringify({ model: 'scripted', messages, max_tokens: 176, temperature: 0.6, top_p: 0.95, seed });
    const answer = await pool.request({
      path: '/v1/chat/completions',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    await answer.body.arrayBuffer();
  });
  const rate = (count * 1000) / (performance.now() - start);
  await pool.close();
  return rate;
}

async function memory(count: number): Promise<MemoryFigures> {
  const marks: MemoryFigures['marks'] = [];
  v8.setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const server = await startServerProcess(behaviour(20));
  try {
    const rate = await ours(server.url, count, (answered) => {
      if (answered !== count && !/^10{3,}$/.test(String(answered))) return;
      // The peak first: collecting must not hide it.
      const peakMb = process.resourceUsage().maxRSS / 1024;
      collect();
      marks.push({ requests: answered, peakMb, heapMb: process.memoryUsage().heapUsed / 2 ** 20 });
    });
    return { marks, seconds: count / rate };
  } finally {
    await server.close();
  }
}

/** A fresh server with the same seed for each, so that both meet the same latencies. */
async function share(count: number, latency: number): Promise<ShareFigures> {
  const first = await startServerProcess(behaviour(latency));
  const most = await bare(first.url, count);
  await first.close();
  const second = await startServerProcess(behaviour(latency));
  const rate = await ours(second.url, count);
  const { mostInFlight } = await second.figures();
  await second.close();
  return { latency, requests: count, server: most, ours: rate, mostInFlight };
}

const [what, count, latency] = process.argv.slice(2);
if (what === 'memory' || what === 'share') {
  const figures = what === 'memory' ? await memory(Number(count)) : await share(Number(count), Number(latency));
  console.log(resultMark + JSON.stringify(figures));
}
