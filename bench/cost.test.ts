import { describe, expect, it } from 'vitest';
import { estimateOf } from './cost.js';
import { measuredRuns } from './measured-runs.js';

describe.each(measuredRuns.map((run) => [run.name, run] as const))('the cost model on %s', (_name, run) => {
  it.each(Object.entries(run.seconds))('comes near to what %s took', async (stage, seconds) => {
    const estimate = (await estimateOf(run)).find((cost) => cost.stage === stage)!.seconds!;
    expect(estimate / seconds).toBeGreaterThan(0.5);
    expect(estimate / seconds).toBeLessThan(2);
  });
});
