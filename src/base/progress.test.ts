import { describe, expect, it } from 'vitest';
import { createProgress, duration } from './progress.js';
import { inParallel } from './parallel.js';

function recorder(isTTY: boolean) {
  const lines: string[] = [];
  const stream = {
    isTTY,
    write: (text: string) => lines.push(text) > 0,
    on: () => undefined,
    columns: 80,
  } as unknown as NodeJS.WriteStream;
  return { lines, stream };
}

describe('progress', () => {
  it('is plain lines with rate and time left where there is no terminal', () => {
    const { lines, stream } = recorder(false);
    let time = 0;
    const task = createProgress({ stream, every: 1000, now: () => time }).task('generate', 4);
    for (let i = 0; i < 4; i++) {
      time += 2000;
      task.advance(1, 100);
    }
    task.done('all good');
    expect(lines.map((line) => line.replace(/\s+/g, ' ').trim())).toEqual([
      'generate 1/4 50 tokens/s 6 s left',
      'generate 2/4 50 tokens/s 4 s left',
      'generate 3/4 50 tokens/s 2 s left',
      'generate 4/4 in 8 s 50 tokens/s all good',
    ]);
  });

  it('says durations as people do', () => {
    expect([4.4, 89, 95, 3600, 6000].map(duration)).toEqual(['4 s', '89 s', '2 min', '60 min', '1 h 40 min']);
  });
});

describe('inParallel', () => {
  it('never does more than its limit at once, and does all', async () => {
    let [now, most, done] = [0, 0, 0];
    await inParallel(Array.from({ length: 20 }), 3, async () => {
      most = Math.max(most, ++now);
      await new Promise(setImmediate);
      now--;
      done++;
    });
    expect([most, done]).toEqual([3, 20]);
  });

  it('waits for what is in flight, begins nothing more, and throws the first failure', async () => {
    const done: number[] = [];
    const work = async (item: number) => {
      if (item === 1) throw new Error('first');
      await new Promise((resolve) => setTimeout(resolve, 5));
      done.push(item);
    };
    await expect(inParallel([0, 1, 2, 3, 4, 5], 3, work)).rejects.toThrow('first');
    expect(done).toEqual([0, 2]);
  });

  it('ends with the reason of the abort', async () => {
    const controller = new AbortController();
    let begun = 0;
    const work = async () => {
      if (++begun === 2) controller.abort(new Error('stop'));
    };
    await expect(inParallel([1, 2, 3, 4], 1, work, controller.signal)).rejects.toThrow('stop');
    expect(begun).toBe(2);
  });
});
