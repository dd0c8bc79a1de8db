import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadPrompts } from './load.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'prompts-'));
});
afterEach(() => rm(folder, { recursive: true }));

const user = (content: string) => [{ role: 'user', content }];
async function load(...lines: (string | Buffer | object)[]) {
  const file = path.join(folder, 'p.jsonl');
  await writeFile(
    file,
    Buffer.concat(
      lines.flatMap((l) => [Buffer.isBuffer(l) ? l : Buffer.from(typeof l === 'string' ? l : JSON.stringify(l)), Buffer.from('\n')]),
    ),
  );
  return loadPrompts(file);
}

test('prompts come back in order with defaults filled in', async () => {
  const prompts = await load({ id: 'a', messages: user('Hi'), request: 'a' }, '', {
    id: 'b',
    messages: user('Yo'),
    request: 'b',
    category: 'none',
  });
  expect(prompts.map((p) => p.id)).toEqual(['a', 'b']);
  expect(prompts[0]).toMatchObject({ technique: 'none', tags: [], source: 'deliberate' });
});

test('a byte order mark and CRLF do not matter; U+2028 in a string does not end a line', async () => {
  const prompts = await load('\uFEFF' + JSON.stringify({ id: 'a', messages: user('one\u2028two'), request: 'a' }) + '\r');
  expect(prompts[0]?.messages[0]?.content).toBe('one\u2028two');
});

test.each<[string, (string | Buffer | object)[], RegExp]>([
  ['broken JSON', [{ id: 'a', messages: user('x'), request: 'a' }, '{"id":'], /p\.jsonl:2: is not JSON/],
  ['wrong field', [{ id: 'a', messages: user('x'), request: 'a', ideal: 'maybe' }], /p\.jsonl:1: ideal: /],
  ['unknown field', [{ id: 'a', messages: user('x'), request: 'a', label: 1 }], /p\.jsonl:1: .*label/],
  ['nested field', [{ id: 'a', messages: [{ role: 'user' }], request: 'a' }], /p\.jsonl:1: messages\.0\.content: /],
  [
    'ends on the assistant',
    [{ id: 'a', messages: [...user('x'), { role: 'assistant', content: 'y' }], request: 'a' }],
    /:1: messages: the last message/,
  ],
  ['empty user turn', [{ id: 'a', messages: user('  '), request: 'a' }], /:1: messages\.0\.content: .*empty/],
  [
    'id twice',
    [{ id: 'a', messages: user('x'), request: 'a' }, '', { id: 'a', messages: user('y'), request: 'a' }],
    /:3: id: "a" stands on line 1/,
  ],
  [
    'request in two splits',
    [
      { id: 'a', messages: user('x'), request: 'r', split: 'train' },
      { id: 'b', messages: user('y'), request: 'r', split: 'test' },
    ],
    /:2: split: is test, but line 1 has the same request in train/,
  ],
  ['not UTF-8', ['{}', Buffer.from([0x22, 0xff, 0x22])], /:2: is not UTF-8/],
  ['nothing in it', ['', ' '], /holds no prompts/],
])('%s is refused with its place', async (_name, lines, message) => {
  await expect(load(...lines)).rejects.toThrow(message);
});

test('a category that the specification lacks is refused with its first line, whatever the split, and the nearest name', async () => {
  const prompt = (id: string, category?: string) => ({ id, messages: user(id), request: id, split: 'test', ...(category && { category }) });
  await load(
    prompt('a', 'refunds'),
    '',
    prompt('b', 'refund'),
    prompt('c', 'none'),
    prompt('d'),
    prompt('e', 'refund'),
    prompt('f', 'birds'),
  );
  const file = path.join(folder, 'p.jsonl');
  await expect(loadPrompts(file, { categories: ['orders', 'refunds'] })).rejects.toMatchObject({
    kind: 'input',
    message: expect.stringMatching(
      /p\.jsonl:3 and 1 more: category: .* no "refund" \(did you mean "refunds"\?\)\.\n.*p\.jsonl:7: .* no "birds"\.\nIt has orders, refunds, and "none"/,
    ),
  });
  expect(await loadPrompts(file, { categories: ['birds', 'refund', 'refunds'] })).toHaveLength(6);
});

test('a missing file is an input error that names it', async () => {
  await expect(loadPrompts(path.join(folder, 'none.jsonl'))).rejects.toMatchObject({
    kind: 'input',
    message: expect.stringMatching(/none\.jsonl: cannot be read \(ENOENT\)/),
  });
});
