import { describe, expect, it } from 'vitest';
import { Decoder } from './decoder.js';
import { freshLora } from './lora.js';
import { Sampler, type SampleJob } from './sampler.js';
import { tinyConfig, tinyModel } from './tiny-model.js';

// Nothing ends a sample but its length, so that lengths are known.
const parts = tinyModel(tinyConfig({ eosTokens: [] }));
const adapter = freshLora(parts.config, parts.lora, 0);
const decode = (tokens: readonly number[]): string => tokens.map((token) => String.fromCharCode(32 + token)).join('');
const newSampler = (patience?: number, rows = 8) => new Sampler(new Decoder(parts, { threads: 1 }), rows, patience);
const job = (params: Partial<SampleJob['params']>, over: Partial<SampleJob> = {}): SampleJob => ({
  adapter,
  adapterVersion: '0',
  promptTokens: [5, 6, 7],
  sharedPrefix: 0,
  n: 1,
  params: { maxTokens: 40, seed: 1, ...params },
  decode,
  ...over,
});

describe('Sampler', () => {
  it('tells each token as it is picked', async () => {
    const told: number[][] = [[], []];
    const sequences = await newSampler().sample(job({}, { n: 2, onToken: (copy, token) => told[copy]?.push(token) }));
    expect(told).toEqual(sequences.map(({ tokens }) => tokens));
    expect(told[0]).not.toEqual(told[1]);
  });

  it('keeps to top-p and top-k where the vocabulary is smaller than the widest nucleus', async () => {
    const greedy = await newSampler().sample(job({ temperature: 0 }));
    expect(await newSampler().sample(job({ topK: 1 }))).toEqual(greedy);
    expect(await newSampler().sample(job({ topP: 1e-6 }))).toEqual(greedy);
    const [free] = await newSampler().sample(job({ topP: 0.999 }));
    expect(new Set(free?.tokens).size).toBeGreaterThan(3);
  });

  it('stops writing when a request is aborted, and serves the others', async () => {
    const sampler = newSampler();
    const controller = new AbortController();
    let told = 0;
    const onToken = () => {
      if (++told === 6) controller.abort(new Error('left'));
    };
    const left = sampler.sample(job({ maxTokens: 200 }, { n: 2, onToken, signal: controller.signal }));
    const other = sampler.sample(job({ seed: 2 }));
    await expect(left).rejects.toThrow('left');
    await other;
    // Two rows a step: the step in which it happened is finished, no other is begun.
    expect(told).toBeLessThanOrEqual(7);
  });

  it('looks for stop strings only after the text given', async () => {
    const sampler = newSampler();
    // A text in which some character comes before and after another one that comes once before that.
    for (let seed = 0; ; seed++) {
      expect(seed).toBeLessThan(50);
      const [free] = await sampler.sample(job({ maxTokens: 100, seed }));
      const text = decode(free?.tokens ?? []);
      const after = text[1] ?? '';
      const stop = text[0] ?? '';
      const again = text.indexOf(stop, 2);
      if (again === -1 || after === stop || stop === ' ' || after === ' ') continue;
      const [early] = await sampler.sample(job({ maxTokens: 100, seed, stop: [stop] }));
      expect(decode(early?.tokens ?? [])).toBe(stop);
      const [late] = await sampler.sample(job({ maxTokens: 100, seed, stop: [stop], stopAfter: after }));
      expect(decode(late?.tokens ?? [])).toBe(text.slice(0, again + 1));
      expect(late?.stopReason).toBe('stop');
      return;
    }
  });

  it('lets requests of another prefix in before those of the present one are done, where it has patience', async () => {
    const order = async (patience?: number) => {
      const sampler = newSampler(patience);
      const ended: string[] = [];
      const ask = async (name: string, adapterVersion: string, maxTokens: number) => {
        await sampler.sample(job({ maxTokens }, { adapterVersion, n: 4 }));
        ended.push(name);
      };
      await Promise.all([ask('a1', 'a', 8), ask('a2', 'a', 4), ask('b', 'b', 2), ask('a3', 'a', 8), ask('a4', 'a', 8)]);
      return ended;
    };
    expect(await order()).toEqual(['a2', 'a1', 'a3', 'a4', 'b']);
    expect(await order(0)).toEqual(['a2', 'a1', 'b', 'a3', 'a4']);
  });
});
