/** The orchestrator against a simulated server, small; `npm run bench -- simulate` is the whole. Runs the compiled code. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadSpec } from '../src/align/spec/parse.js';
import { packageRoot } from '../src/base/package-root.js';
import { makePrompts } from './made-prompts.js';
import { scripted, type Behaviour } from './server-behaviour.js';
import { simulate, simulationTable } from './simulate.js';

describe('a simulated run', () => {
  it('loses and doubles nothing on a rough server that sees it killed in each stage', { timeout: 180_000 }, async () => {
    const simulation = await simulate({ server: 'rough', prompts: 120, speed: 20, samples: 2, judgeRuns: 1, kills: true });
    expect(simulation.same).toBe(true);
    expect(Object.keys(simulation.run.stages)).toEqual(['generate', 'judge']);
    // A call whose answer was lost on the way is made again.
    expect(simulation.run.stages['generate']!.calls).toBeGreaterThanOrEqual(120);
    expect(simulation.run.stages['judge']!.calls).toBeGreaterThan(50);
    expect(simulation.run.stages['generate']!.retries + simulation.run.stages['judge']!.retries).toBeGreaterThan(0);
    expect(simulation.kills.map(({ stage }) => stage)).toEqual(['generate', 'judge']);
    for (const { ready, first } of simulation.kills) expect(first).toBeGreaterThan(ready);
    expect(simulationTable([simulation]).split('\n')).toHaveLength(4);
  });
});

describe('the server of a simulation', () => {
  const behaviour: Behaviour = {
    seed: 1,
    speed: 2,
    firstToken: { median: 100, sigma: 0.5 },
    token: { median: 0, sigma: 0 },
    slots: 4,
    loading: 10,
    requestsPerSecond: 3,
    faults: { error: 0, hangUp: 0, silence: 0 },
    writes: 'echo',
  };
  const asked = () => ({ model: 'm', messages: [{ role: 'user', content: 'May I?' }] });

  it('loads first, then limits, in its own time', () => {
    let now = 1000;
    const { options, work } = scripted(behaviour, () => now);
    const status = () => {
      const body = asked();
      const latency = options.latency!(1, body);
      const fault = options.fault!(1, body);
      return fault === null ? latency : fault.kind === 'status' ? fault.status : fault.kind;
    };
    expect(status()).toBe(503);
    // Ten of its seconds are five of ours.
    now += 4900;
    expect(status()).toBe(503);
    now += 200;
    const got = [status(), status(), status(), status()];
    expect(got[3]).toBe(429);
    expect(got.slice(0, 3).every((one) => typeof one === 'number' && one > 10 && one < 200)).toBe(true);
    now += 500;
    expect(status()).not.toBe(429);
    expect(work.taken).toBe(4);
  });

  it('has the median that it was given', () => {
    const { options } = scripted({ ...behaviour, speed: 1, loading: 0, requestsPerSecond: 1e9 }, () => 0);
    const latencies = Array.from({ length: 1001 }, () => options.latency!(1, asked())).sort((a, b) => a - b);
    expect(latencies[500]).toBeGreaterThan(93);
    expect(latencies[500]).toBeLessThan(107);
    expect(latencies[840]! / latencies[500]!).toBeGreaterThan(1.45);
    // Twice as many as it has slots for: each takes twice as long.
    expect(options.latency!(8, asked())).toBeGreaterThan(40);
  });
});

describe('made prompts', () => {
  it('are the same whatever their number, and of every category', async () => {
    const spec = await loadSpec(path.join(packageRoot, 'spec'));
    const [few, many] = [makePrompts(spec, 60), makePrompts(spec, 600)];
    expect(many.slice(0, 60)).toEqual(few.slice(0, 60));
    expect(new Set(many.map(({ id }) => id)).size).toBe(602);
    expect(new Set(many.map(({ category }) => category)).size).toBe(spec.categories.length + 1);
  });
});
