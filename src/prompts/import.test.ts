import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { importPrompts, type ImportOptions } from './import.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'import-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function from(text: string, options: Partial<ImportOptions> & Pick<ImportOptions, 'columns'>) {
  const format = options.format ?? 'csv';
  const file = path.join(folder, `in.${format}`);
  await writeFile(file, text);
  return importPrompts(file, { format, source: 'theirs', ...options });
}

test('CSV columns are mapped; quotes, commas, line breaks and a byte order mark are read', async () => {
  const { prompts } = await from('\uFEFFtext,topic,verdict\r\n"Say ""hi"", please",greetings,safe\r\n"two\nlines",,unsafe\r\n', {
    columns: { prompt: 'text', category: 'topic', ideal: 'verdict' },
    ideals: { safe: 'comply', unsafe: 'refuse' },
  });
  expect(prompts.map((p) => [p.messages[0]?.content, p.category, p.ideal, p.source])).toEqual([
    ['Say "hi", please', 'greetings', 'comply', 'theirs'],
    ['two\nlines', undefined, 'refuse', 'theirs'],
  ]);
  expect(prompts[0]?.request).toBe(prompts[0]?.id);
});

test('JSONL columns may be nested and may hold a conversation', async () => {
  const messages = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello' },
    { role: 'user', content: 'Bye' },
  ];
  const { prompts } = await from(JSON.stringify({ chat: messages, meta: { label: 'comply' }, n: 7 }), {
    format: 'jsonl',
    columns: { prompt: 'chat', ideal: 'meta.label', id: 'n' },
  });
  expect(prompts).toEqual([
    { id: '7', request: '7', messages, ideal: 'comply', technique: 'none', tags: ['multi-turn'], source: 'theirs' },
  ]);
});

test('tags and splits come along; what is of no category and to be complied with is tagged ordinary', async () => {
  const columns = { prompt: 'p', category: 'c', ideal: 'i', tags: 't', split: 's' };
  const { prompts, ordinary } = await from(
    'p,c,i,t,s\nHi,none,comply,,train\nYo,none,refuse,"benign-twin; mine",Test\nHey,greetings,comply,,\nHo,none,comply,ordinary,\n',
    { columns },
  );
  expect(prompts.map(({ tags, split }) => [tags, split])).toEqual([
    [['ordinary'], 'train'],
    [['benign-twin', 'mine'], 'test'],
    [[], undefined],
    [['ordinary'], undefined],
  ]);
  expect(ordinary).toBe(1);
  const listed = await from(JSON.stringify({ p: 'Hi', t: ['a', 'b'] }), { format: 'jsonl', columns: { prompt: 'p', tags: 't' } });
  expect(listed.prompts[0]?.tags).toEqual(['a', 'b']);
});

test('a repeated prompt is left out and reported', async () => {
  const { prompts, duplicates } = await from('p\nHi\nYo\nHi\n', { columns: { prompt: 'p' } });
  expect(prompts).toHaveLength(2);
  expect(duplicates).toEqual([{ line: 4, sameAs: 2 }]);
});

test('ids do not depend on labels', async () => {
  const plain = await from('p,c\nHi,a\n', { columns: { prompt: 'p' } });
  const labelled = await from('p,c\nHi,a\n', { columns: { prompt: 'p', category: 'c' } });
  expect(labelled.prompts[0]?.id).toBe(plain.prompts[0]?.id);
});

test.each<[string, string, Partial<ImportOptions> & Pick<ImportOptions, 'columns'>, RegExp]>([
  ['missing column', 'a,b\n1,2\n', { columns: { prompt: 'text' } }, /in\.csv:1: has no column "text"; its columns are a, b/],
  ['ragged row', 'p,c\nHi,a\nYo\n', { columns: { prompt: 'p' } }, /in\.csv:3: is not valid CSV/],
  ['open quote', 'p\n"Hi\n', { columns: { prompt: 'p' } }, /in\.csv:\d+: is not valid CSV/],
  [
    'record that begins before its fault',
    'p,i\r\n\r\n"two\r\nlines",comply\r\n"three\nmore\nlines",bad\r\n',
    { columns: { prompt: 'p', ideal: 'i' } },
    /in\.csv:5: column i: "bad" is none of comply/,
  ],
  [
    'record after an empty line, the last without a line feed',
    '\uFEFFp,i\n\nHi,comply\n\n\nYo,bad',
    { columns: { prompt: 'p', ideal: 'i' } },
    /in\.csv:6: column i: "bad" is none of comply/,
  ],
  ['label without meaning', 'p,i\nHi,bad\n', { columns: { prompt: 'p', ideal: 'i' } }, /in\.csv:2: column i: "bad" is none of comply/],
  ['inherited name as label', 'p,i\nHi,constructor\n', { columns: { prompt: 'p', ideal: 'i' }, ideals: {} }, /"constructor" is none of/],
  ['split without meaning', 'p,s\nHi,dev\n', { columns: { prompt: 'p', split: 's' } }, /in\.csv:2: column s: "dev" is none of train/],
  [
    'same prompt, other split',
    'p,s\nHi,train\nHi,test\n',
    { columns: { prompt: 'p', split: 's' } },
    /in\.csv:3: repeats the prompt of line 2/,
  ],
  ['number as tags', '{"p":"Hi","t":1}', { format: 'jsonl', columns: { prompt: 'p', tags: 't' } }, /in\.jsonl:1: column t: must be text/],
  ['empty prompt', 'p,c\n  ,x\n', { columns: { prompt: 'p' } }, /in\.csv:2: column p: .*empty/],
  ['id twice', 'p,n\nHi,1\nYo,1\n', { columns: { prompt: 'p', id: 'n' } }, /in\.csv:3: column n: "1" stands on line 2/],
  ['empty id', 'p,n\nHi,\n', { columns: { prompt: 'p', id: 'n' } }, /in\.csv:2: column n: is empty/],
  ['same prompt, other label', 'p,c\nHi,a\nHi,b\n', { columns: { prompt: 'p', category: 'c' } }, /in\.csv:3: repeats the prompt of line 2/],
  ['only a header', 'p\n', { columns: { prompt: 'p' } }, /holds no prompts/],
  ['JSONL without the column', '{"a":1}', { format: 'jsonl', columns: { prompt: 'p' } }, /in\.jsonl:1: has no column "p"/],
  [
    'JSONL number as prompt',
    '{"p":1}',
    { format: 'jsonl', columns: { prompt: 'p' } },
    /in\.jsonl:1: column p: must be text or a list of messages/,
  ],
  ['JSONL that is not an object', '3', { format: 'jsonl', columns: { prompt: 'p' } }, /in\.jsonl:1: has no column "p"/],
])('%s is refused with its place', async (_name, text, options, message) => {
  await expect(from(text, options)).rejects.toThrow(message);
});
