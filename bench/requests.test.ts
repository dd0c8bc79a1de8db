/** Many requests through the engine for servers, at a fraction of the size; `npm run bench -- requests` is the whole. Runs the compiled code. */
import { describe, expect, it } from 'vitest';
import { faultsOf, measureRequests, requestTables, type RequestFigures } from './requests.js';
import { fillSection } from './scale-page.js';

describe('many requests', () => {
  it('are all answered rightly, in memory that does not grow with them', { timeout: 120_000 }, async () => {
    const figures = await measureRequests(2000, [{ requests: 300, latency: 30 }]);
    const { marks } = figures.memory;
    expect(marks.map(({ requests }) => requests)).toEqual([1000, 2000]);
    expect(marks[1]!.heapMb - marks[0]!.heapMb).toBeLessThan(4);
    expect(marks[1]!.peakMb).toBeLessThan(marks[0]!.peakMb + 64);
    expect(figures.shares[0]!.mostInFlight).toBeGreaterThan(8);
    expect(figures.shares[0]!.mostInFlight).toBeLessThanOrEqual(64);
  });

  const figures: RequestFigures = {
    memory: {
      marks: [
        { requests: 1000, peakMb: 100, heapMb: 20 },
        { requests: 11_000, peakMb: 110, heapMb: 22 },
      ],
      seconds: 10,
    },
    shares: [
      { latency: 250, requests: 1000, server: 200, ours: 196, mostInFlight: 64 },
      { latency: 0, requests: 1000, server: 4000, ours: 1000, mostInFlight: 64 },
    ],
  };

  it('are held to their bounds', () => {
    expect(faultsOf(figures)).toEqual([]);
    const slow = structuredClone(figures);
    slow.shares[0]!.ours = 180;
    expect(faultsOf(slow)).toEqual([expect.stringContaining('90.0 %')]);
    const leaking = structuredClone(figures);
    leaking.memory.marks[1]!.heapMb = 200;
    leaking.memory.marks[1]!.peakMb = 300;
    expect(faultsOf(leaking)).toHaveLength(2);
  });

  it('are shown as tables', () => {
    const text = requestTables(figures);
    expect(text).toContain('| 11,000 | 110 MB | 22.0 MB |');
    expect(text).toContain('| 98.0 % | 64 |');
  });
});

describe('a page that commands fill', () => {
  it('keeps all but what stands between the marks', () => {
    const page = 'Before <!-- a:start -->old<!-- a:end --> after <!-- b:start --><!-- b:end -->';
    expect(fillSection(page, 'a', 'new')).toBe('Before <!-- a:start -->\nnew\n<!-- a:end --> after <!-- b:start --><!-- b:end -->');
    expect(() => fillSection(page, 'c', 'new')).toThrow('<!-- c:start -->');
    expect(() => fillSection(`${page}${page}`, 'a', 'new')).toThrow('each once');
  });
});
