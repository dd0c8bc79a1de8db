import { describe, expect, it } from 'vitest';
import { AdaptiveLimit, type Outcome } from './adaptive-limit.js';

/** A server in simulated time: `serve` says how long a request takes and how it ends, by the requests in flight. */
async function simulate(
  limit: AdaptiveLimit,
  clock: { now: number },
  requests: number,
  serve: (inFlight: number) => { takes: number; outcome: Outcome },
) {
  const ends: { at: number; end: () => void }[] = [];
  let done = 0;
  let most = 0;
  const one = async () => {
    const permit = await limit.acquire();
    const { takes, outcome } = serve(ends.length + 1);
    await new Promise<void>((end) => ends.push({ at: clock.now + takes, end }));
    limit.release(permit, outcome);
    done++;
  };
  for (let i = 0; i < requests; i++) void one();
  while (done < requests) {
    await new Promise(setImmediate);
    most = Math.max(most, ends.length);
    const next = ends.sort((a, b) => a.at - b.at).shift();
    if (next === undefined) continue;
    clock.now = Math.max(clock.now, next.at);
    next.end();
  }
  return most;
}

const ok: Outcome = { kind: 'ok' };

describe('the adaptive limit', () => {
  it('grows to the most while the pace holds', async () => {
    const clock = { now: 0 };
    const limit = new AdaptiveLimit({ max: 64, now: () => clock.now });
    expect(limit.limit).toBe(8);
    await simulate(limit, clock, 400, () => ({ takes: 100, outcome: ok }));
    expect(limit.limit).toBe(64);
  });

  it('grows on a server that batches: slower a request, faster on the whole', async () => {
    const clock = { now: 0 };
    const limit = new AdaptiveLimit({ max: 64, now: () => clock.now });
    await simulate(limit, clock, 600, (inFlight) => ({ takes: 100 + 3 * inFlight, outcome: ok }));
    expect(limit.limit).toBe(64);
  });

  it('keeps 95 % of what a server does at 64 at once, its own start included', async () => {
    const clock = { now: 0 };
    const limit = new AdaptiveLimit({ max: 64, now: () => clock.now });
    let lengths = 0;
    // Completions of many lengths, slower as the batch grows.
    const takes = (inFlight: number) => (50 + ((lengths++ * 37) % 101)) * (1 + inFlight / 64);
    await simulate(limit, clock, 6400, (inFlight) => ({ takes: takes(inFlight), outcome: ok }));
    const best = (6400 / 64) * 100 * 2;
    expect(clock.now).toBeLessThan(best / 0.95);
  });

  it('stays near what the server can do at once where more only wait', async () => {
    const clock = { now: 0 };
    const limit = new AdaptiveLimit({ max: 512, now: () => clock.now });
    await simulate(limit, clock, 3000, (inFlight) => ({ takes: 100 * Math.max(1, inFlight / 16), outcome: ok }));
    expect(limit.limit).toBeGreaterThanOrEqual(16);
    expect(limit.limit).toBeLessThan(128);
  });

  it('halves once for one wave of overload, however many requests report it', async () => {
    const clock = { now: 0 };
    const limit = new AdaptiveLimit({ max: 64, start: 32, now: () => clock.now });
    const permits = await Promise.all(Array.from({ length: 32 }, () => limit.acquire()));
    clock.now = 10;
    for (const permit of permits) limit.release(permit, { kind: 'overload' });
    expect(limit.limit).toBe(16);
  });

  it('finds its way around a server that refuses above a number', async () => {
    const clock = { now: 0 };
    const limit = new AdaptiveLimit({ max: 256, now: () => clock.now });
    let refused = 0;
    await simulate(limit, clock, 3000, (inFlight) =>
      inFlight > 40 ? (refused++, { takes: 5, outcome: { kind: 'overload' } }) : { takes: 100, outcome: ok },
    );
    expect(limit.limit).toBeGreaterThanOrEqual(16);
    expect(limit.limit).toBeLessThanOrEqual(64);
    expect(refused).toBeLessThan(600);
  });

  it('gives no permit before the server said, and then to repeated requests first', async () => {
    const limit = new AdaptiveLimit({ max: 2, start: 1 });
    const permit = await limit.acquire();
    const begun = performance.now();
    const order: string[] = [];
    const fresh = limit.acquire().then((one) => (order.push('new'), limit.release(one, ok)));
    limit.release(permit, { kind: 'overload', retryAfter: 60 });
    const again = limit.acquire({ again: true }).then((one) => (order.push('again'), limit.release(one, ok)));
    await Promise.all([fresh, again]);
    expect(performance.now() - begun).toBeGreaterThan(50);
    expect(order).toEqual(['again', 'new']);
  });

  it('lets a request that is aborted leave the queue', async () => {
    const limit = new AdaptiveLimit({ max: 1, start: 1 });
    const permit = await limit.acquire();
    const controller = new AbortController();
    const waiting = limit.acquire({ signal: controller.signal });
    controller.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
    limit.release(permit, ok);
    await expect(limit.acquire()).resolves.toBeDefined();
  });
});
