import { describe, expect, it } from 'vitest';
import { ratio, table } from './table.js';
import { type Measurement, median, sections, sizes, workload } from './workload.js';

const ours = (changes: Partial<Measurement>): Measurement => ({
  section: 'sft',
  who: 'deliberate',
  unit: 'tokens/s',
  values: [500, 490, 900],
  ...changes,
});

describe('the benchmark', () => {
  it('compares medians, so that one disturbed run does not count', () => {
    expect(median([3, 100, 1])).toBe(3);
    expect(median([1, 2, 3, 100])).toBe(2.5);
    expect(ratio(ours({}), ours({ who: 'TRL 1, f32', values: [1, 100, 110] }))).toBe(5);
    expect(
      ratio(ours({ section: 'grpo', unit: 's', values: [10] }), ours({ section: 'grpo', who: 'TRL 1, f32', unit: 's', values: [40] })),
    ).toBe(4);
  });

  it('says which bar a ratio passes and which it misses', () => {
    const lines = table([
      ours({}),
      ours({ who: 'TRL 1, f32', values: [100] }),
      ours({ who: 'TRL 1, bf16', values: [300] }),
      ours({ section: 'decode', batch: 8, values: [300] }),
      ours({ section: 'decode', batch: 8, who: 'llama.cpp', values: [200] }),
      ours({ section: 'decode', batch: 32, values: [300] }),
      ours({ section: 'decode', batch: 32, who: 'llama.cpp', values: [200] }),
    ]).split('\n');
    expect(lines).toHaveLength(7);
    expect(lines[1]).toMatch(/TRL 1, f32: 100 tokens\/s .* 5\.00× +passes ≥ 3×/);
    expect(lines[2]).toMatch(/1\.67× +misses ≥ 1\.8×/);
    // Batch 8 has no bar, batch 32 has one.
    expect(lines[4]).toMatch(/1\.50×$/);
    expect(lines[6]).toMatch(/1\.50× +passes ≥ 1\.3×/);
  });

  it('gives the peers the tokens that we train on', () => {
    const { sft, grpo } = workload('model.gguf', 3);
    expect(sections).toEqual(['sft', 'decode', 'prefix', 'grpo']);
    expect(sft.tokens.map((tokens) => tokens.length)).toEqual(new Array<number>(sizes.sft.sequences).fill(sizes.sft.length));
    expect(new Set(grpo.prompts.map(String)).size).toBe(sizes.grpo.prompts);
    expect(workload('model.gguf', 3)).toEqual(workload('model.gguf', 3));
  });
});
