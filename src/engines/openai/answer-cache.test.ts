import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AnswerCache, answerKey } from './answer-cache.js';

let home: string;
beforeAll(async () => void (home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-cache-'))));
afterAll(() => rm(home, { recursive: true, force: true }));

const key = (n: number) => answerKey('http://host/v1', { n });
const filled = async (name: string, count: number) => {
  const file = path.join(home, name);
  const cache = new AnswerCache(file);
  await Promise.all(Array.from({ length: count }, (_, n) => cache.set(key(n), { text: `answer ${n} \u2028 ü` })));
  await cache.close();
  return file;
};

describe('the cache of answers', () => {
  it('has a key for the whole request, whatever the order of its fields', () => {
    expect(answerKey('a', { x: 1, y: 2 })).toBe(answerKey('a', { y: 2, x: 1 }));
    expect(new Set([answerKey('a', { x: 1 }), answerKey('b', { x: 1 }), answerKey('a', { x: 2 })]).size).toBe(3);
  });

  it('finds its answers again, in this process and in the next', async () => {
    const file = await filled('plain.jsonl', 200);
    const cache = new AnswerCache(file);
    for (const n of [0, 7, 199]) expect(await cache.get(key(n))).toEqual({ text: `answer ${n} \u2028 ü` });
    expect(await cache.get(key(200))).toBeUndefined();
    await cache.set(key(200), 'new');
    expect(await cache.get(key(200))).toBe('new');
    await cache.close();
  });

  it('loses the torn line alone, wherever a kill cut it, and goes on behind it', async () => {
    const whole = await readFile(await filled('whole.jsonl', 3));
    const second = whole.indexOf(0x0a) + 1;
    const third = whole.indexOf(0x0a, second) + 1;
    for (const at of [third + 1, third + 20, third + 60, whole.length - 2]) {
      const file = path.join(home, `torn-${at}.jsonl`);
      await writeFile(file, whole.subarray(0, at));
      const cache = new AnswerCache(file);
      expect(await cache.get(key(1))).toBeDefined();
      expect(await cache.get(key(2))).toBeUndefined();
      await cache.set(key(3), 'after');
      await cache.close();
      const next = new AnswerCache(file);
      expect(await next.get(key(3))).toBe('after');
      expect(await next.get(key(2))).toBeUndefined();
      expect(await next.get(key(0))).toBeDefined();
      await next.close();
    }
  });

  it('misses on lines that are not its own', async () => {
    const file = await filled('foreign.jsonl', 2);
    await appendFile(file, `\0\0\0\0\nnot json\n{"key":"${key(5)}","value":\n{"key":"${key(6)}","value":6}\n`);
    const cache = new AnswerCache(file);
    expect(await cache.get(key(5))).toBeUndefined();
    expect(await cache.get(key(6))).toBe(6);
    expect(await cache.get(key(1))).toBeDefined();
    await cache.close();
  });

  it('misses when the file has shrunk under it', async () => {
    const file = await filled('shrunk.jsonl', 2);
    const cache = new AnswerCache(file);
    expect(await cache.get(key(1))).toBeDefined();
    await truncate(file, (await stat(file)).size - 10);
    expect(await cache.get(key(1))).toBeUndefined();
    await cache.close();
  });
});
