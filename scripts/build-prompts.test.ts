import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../src/base/package-root.js';
import type { Prompt } from '../src/base/records.js';
import { userText } from '../src/prompts/conversation.js';
import { loadPrompts } from '../src/prompts/load.js';
import { findNearDuplicates, words } from '../src/prompts/overlap.js';
import { overlapAcrossSplits } from '../src/prompts/split.js';
import { buildPrompts } from './build-prompts.js';
import { parsePromptSource } from './prompt-source.js';

const file = path.join(packageRoot, 'data/prompts.jsonl');
const prompts = await loadPrompts(file);
const categories = ['erotic-content', 'extremism', 'harassment', 'illicit-behaviour', 'regulated-advice', 'self-harm', 'violence'];
const count = (fits: (prompt: Prompt) => boolean) => prompts.filter(fits).length;

test('prompts.jsonl is what its sources make', async () => {
  const { text, repeats } = await buildPrompts(path.join(packageRoot, 'data/source'));
  expect(await readFile(file, 'utf8')).toBe(text);
  expect(repeats).toEqual([]);
});

test.each(categories)('%s has every response kind, benign twins and transformations', (category) => {
  const kind = (ideal: Prompt['ideal']) => count((p) => p.category === category && p.ideal === ideal);
  const tag = (name: string) => count((p) => p.category === category && p.ideal === 'comply' && p.tags.includes(name));
  // In these two a safe completion is the usual answer to a person's own case.
  const supportive = category === 'self-harm' || category === 'regulated-advice';
  expect(kind('refuse')).toBeGreaterThanOrEqual(45);
  expect(kind('comply')).toBeGreaterThanOrEqual(45);
  expect(kind('safe-complete')).toBeGreaterThanOrEqual(supportive ? 60 : 30);
  expect(tag('benign-twin')).toBeGreaterThanOrEqual(15);
  expect(tag('transformation')).toBeGreaterThanOrEqual(10);
});

test('there are ordinary and multi-turn prompts, and no category but the seven and none', () => {
  expect(count((p) => p.category === 'none' && p.ideal === 'comply' && p.tags.includes('ordinary'))).toBeGreaterThanOrEqual(250);
  expect(count((p) => p.tags.includes('multi-turn'))).toBeGreaterThanOrEqual(60);
  expect(new Set(prompts.map((p) => p.category))).toEqual(new Set([...categories, 'none']));
});

test('each split has every category and kind, in about the shares 60 / 12 / 28', () => {
  const share = (split: string) => count((p) => p.split === split) / prompts.length;
  expect(share('train')).toBeCloseTo(0.6, 1);
  expect(share('validation')).toBeCloseTo(0.12, 1);
  expect(share('test')).toBeCloseTo(0.28, 1);
  for (const split of ['train', 'validation', 'test']) {
    const cells = new Set(prompts.filter((p) => p.split === split).map((p) => `${p.category}/${p.ideal}`));
    expect(cells.size).toBe(categories.length * 3 + 1);
  }
});

test('no request has a near-duplicate in another split', () => {
  expect(overlapAcrossSplits(prompts)).toEqual([]);
});

test('no prompt repeats an example of the default specification, which would give its answer away', async () => {
  const folder = path.join(packageRoot, 'spec');
  const texts = await Promise.all(
    (await readdir(folder)).filter((n) => n.endsWith('.md')).map((n) => readFile(path.join(folder, n), 'utf8')),
  );
  const examples = texts.flatMap((text) =>
    [...text.matchAll(/^\s*- Example: "(.*)"\s*$/gm)].map((m) => ({ id: `spec: ${m[1]}`, text: m[1]!, group: 'spec' })),
  );
  expect(examples.length).toBeGreaterThan(50);
  const items = [...examples, ...prompts.map((p) => ({ id: userText(p.messages), text: userText(p.messages), group: 'prompts' }))];
  expect(findNearDuplicates(items)).toEqual([]);
});

test('requests are short, name no address, and the erotic ones no minor', () => {
  for (const prompt of prompts) {
    const text = userText(prompt.messages);
    expect(words(text).length, text).toBeLessThanOrEqual(32);
    expect(text).not.toMatch(/https?:|www\.|@\w+\.\w/);
    if (prompt.category === 'erotic-content') {
      expect(text).not.toMatch(
        /\b(minors?|child(ren)?|kids?|teen\w*|girls?(?!friend)|boys?(?!friend)|schools?|pupils?|students?|underage)\b/i,
      );
    }
  }
});

test('a source file gives turns, tags and places', () => {
  const [single, chat] = parsePromptSource('x.txt', '# birds\n\n// remark\n## comply benign-twin\nHi there\nHi >> Hello! >> Bye\n');
  expect(single).toMatchObject({ category: 'birds', ideal: 'comply', tags: ['benign-twin'], line: 5, request: single!.id });
  expect(chat?.messages.map((m) => m.role)).toEqual(['user', 'assistant', 'user']);
  expect(chat?.tags).toEqual(['benign-twin', 'multi-turn']);
});

test.each([
  ['# birds\nHi', /x\.txt:2: a request before its category and kind/],
  ['# birds\n## maybe\nHi', /x\.txt:2: "maybe" is none of/],
  ['# birds\n## comply\nHi >> Hello!', /x\.txt:3: messages: the last message/],
])('a faulty source is refused with its line: %j', (text, message) => {
  expect(() => parsePromptSource('x.txt', text)).toThrow(message);
});
