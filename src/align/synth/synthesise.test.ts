import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../base/package-root.js';
import { silent } from '../../base/progress.js';
import type { Message } from '../../base/records.js';
import type { ChatModel, ChatRequest } from '../../engines/types.js';
import { promptId } from '../../prompts/conversation.js';
import { findNearDuplicates } from '../../prompts/overlap.js';
import { loadSpec } from '../spec/parse.js';
import type { Spec } from '../spec/types.js';
import { checkQuestion, readCheck, readWritten, writingQuestion } from './questions.js';
import { synthesisePrompts, type SynthesisOptions } from './synthesise.js';

let spec: Spec;
let home: string;
beforeAll(async () => {
  const whole = await loadSpec(path.join(packageRoot, 'spec'));
  const category = whole.categories.find(({ name }) => name === 'regulated-advice')!;
  // One clause of each ruling.
  const clauses = (['comply', 'safe-complete', 'refuse'] as const).flatMap(
    (ruling) => category.clauses.find((clause) => clause.ruling === ruling) ?? [],
  );
  spec = { ...whole, categories: [{ ...category, clauses }] };
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-synth-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const words = 'apple river stone cloud tiger piano sugar window garden candle rocket violin pepper saddle market lantern'.split(' ');
/** Sixteen words by number, so that no two texts are alike unless they are meant to be. */
const text = (n: number) => Array.from({ length: 6 }, (_, i) => `${words[(n * 7 + i * 3) % 16]}${n * 6 + i}`).join(' ');

const model = (name: string, reply: (request: ChatRequest) => string): ChatModel & { asked: ChatRequest[] } => {
  const asked: ChatRequest[] = [];
  return {
    name,
    asked,
    async chat(request) {
      request.signal?.throwIfAborted();
      asked.push(request);
      return { choices: [{ text: reply(request), stopReason: 'stop', tokens: 1 }], usage: { promptTokens: 1, completionTokens: 1 } };
    },
  };
};

const codeIn = (messages: readonly Message[]) => /^This policy: .*\[([A-Z]+\d+)\]$/m.exec(messages[1]!.content)?.[1] ?? '';
const countIn = (messages: readonly Message[]) => Number(/^Write (\d+) /m.exec(messages[1]!.content)?.[1]);
let number = 0;
/** Writes "CODE kind words": the checker below can then tell. */
const writer = (over?: (n: number, code: string) => string | undefined) =>
  model('writer', ({ messages }) => {
    const asked = messages[1]!.content;
    const multi = asked.includes('Write') && asked.includes('conversations that');
    const aside = /come close to this policy|harmless messages that look/.test(asked);
    const requests = Array.from({ length: countIn(messages) }, () => {
      number++;
      const one = over?.(number, codeIn(messages)) ?? `${aside ? 'elsewhere' : codeIn(messages)} ${text(number)}`;
      return multi ? [`begin ${text(number + 5000)}`, 'Yes?', one] : one;
    });
    return `<think>\nLet me write.\n</think>\nHere they are: ${JSON.stringify({ requests })}`;
  });
const checker = (over?: (asked: string) => string | undefined) =>
  model('checker', ({ messages }) => {
    const asked = messages[1]!.content;
    const code = /user: ([A-Z]+\d+) /.exec(asked)?.[1] ?? 'none';
    return over?.(asked) ?? JSON.stringify({ clause: code, sound: true });
  });

const synthesise = (log: string, over: Partial<SynthesisOptions> = {}) => {
  const [w, c] = [writer(), checker()];
  return synthesisePrompts({
    spec,
    writer: { model: w, digest: 'w' },
    checker: { model: c, digest: 'c' },
    perKind: 3,
    seed: 1,
    log: path.join(home, log),
    maxTokens: 500,
    concurrency: 4,
    progress: silent,
    ...over,
  });
};
const wrap = (one: ChatModel) => ({ model: one, digest: one.name });

describe('prompts written for a policy', () => {
  it('are as many as asked for of each kind for every clause, labelled by it, and no two alike', async () => {
    const { prompts, short } = await synthesise('plain.jsonl');
    expect(short).toEqual([]);
    const [allowed, safe, refused] = spec.categories[0]!.clauses;
    const of = (code: string, tag: string) => prompts.filter(({ tags }) => tags.includes(`clause:${code}`) && tags.includes(tag));
    for (const clause of [allowed!, safe!, refused!]) {
      for (const tag of ['synth:plain', 'synth:just-inside', 'multi-turn']) {
        expect(of(clause.code, tag)).toHaveLength(3);
        for (const { ideal } of of(clause.code, tag)) expect(ideal).toBe(clause.ruling);
      }
      // No policy of the category applies; another category's may, so nothing is said about it.
      for (const prompt of of(clause.code, 'synth:just-outside')) expect(prompt).not.toHaveProperty('ideal');
      expect(of(clause.code, 'synth:just-outside')).toHaveLength(3);
    }
    expect(of(allowed!.code, 'benign-twin')).toHaveLength(0);
    expect(of(refused!.code, 'benign-twin').map(({ ideal }) => ideal)).toEqual(['comply', 'comply', 'comply']);
    for (const { messages, tags } of prompts) expect(messages).toHaveLength(tags.includes('multi-turn') ? 3 : 1);
    for (const { id, request, messages, category } of prompts)
      expect([id, request, category]).toEqual([promptId(messages), id, 'regulated-advice']);
    expect(findNearDuplicates(prompts.map(({ id, messages }) => ({ id, text: messages.at(-1)!.content })))).toEqual([]);
  });

  it('are dropped when the second pass sorts them elsewhere, cannot be read, or calls them unsound', async () => {
    const refused = spec.categories[0]!.clauses[2]!.code;
    const verdicts = ['{"clause": "none", "sound": true}', 'I cannot say.', `{"clause": "${refused}", "sound": false}`];
    let n = 0;
    const judge = checker((asked) => (asked.includes(`user: ${refused} `) ? verdicts[n++ % 3] : undefined));
    const { prompts, short, disagreed } = await synthesise('disagree.jsonl', { checker: wrap(judge) });
    expect(disagreed).toBeGreaterThan(0);
    expect(prompts.some(({ tags }) => tags.includes(`clause:${refused}`) && tags.includes('synth:plain'))).toBe(false);
    expect(short).toContainEqual({ clause: refused, kind: 'plain', kept: 0 });
    expect(short).not.toContainEqual(expect.objectContaining({ clause: refused, kind: 'benign-twin' }));
  });

  it('repeat neither each other nor what is there already', async () => {
    const same = writer((n, code) => (n % 2 === 0 ? `${code} sell the lantern market rocket saddle` : undefined));
    const first = await synthesise('alike.jsonl', { writer: wrap(same) });
    expect(first.duplicates).toBeGreaterThan(0);
    expect(first.prompts.filter(({ messages }) => messages.at(-1)!.content.includes('sell the lantern')).length).toBeLessThanOrEqual(1);
    const again = await synthesise('alike.jsonl', { writer: wrap(same), existing: first.prompts });
    const before = new Set(first.prompts.map(({ id }) => id));
    expect(again.prompts.filter(({ id }) => before.has(id))).toEqual([]);
  });

  it('are asked for again, with those at hand named, until there are enough', async () => {
    let n = 0;
    const half = checker((asked) => (/user: [A-Z]+\d+ /.test(asked) && n++ % 2 === 0 ? '{"clause": "none", "sound": true}' : undefined));
    const w = writer();
    const { short } = await synthesise('rounds.jsonl', { checker: wrap(half), writer: wrap(w), concurrency: 1 });
    expect(short.length).toBeLessThan(3);
    const later = w.asked.filter(({ messages }) => messages[1]!.content.includes('Written already'));
    expect(later.length).toBeGreaterThan(0);
  });

  it('go on where they were stopped: no reply is asked for twice', async () => {
    const controller = new AbortController();
    const [w, c] = [writer(), checker()];
    let replies = 0;
    const stopping = {
      ...w,
      chat: async (request: ChatRequest) => (++replies > 6 ? (controller.abort(new Error('stop')), w.chat(request)) : w.chat(request)),
    };
    const given = { writer: wrap(stopping), checker: wrap(c) };
    await expect(synthesise('stopped.jsonl', { ...given, signal: controller.signal })).rejects.toThrow('stop');
    await synthesise('stopped.jsonl', { writer: wrap(w), checker: wrap(c) });
    const keys = [...w.asked, ...c.asked].map(({ messages, seed }) => JSON.stringify([messages, seed]));
    expect(new Set(keys).size).toBe(keys.length);
    const done = w.asked.length + c.asked.length;
    await synthesise('stopped.jsonl', { writer: wrap(w), checker: wrap(c) });
    expect(w.asked.length + c.asked.length).toBe(done);
  });
});

describe('questions and replies', () => {
  it('the check does not say what the message was written for', () => {
    const category = spec.categories[0]!;
    const asked = JSON.stringify(checkQuestion(category, [{ role: 'user', content: 'hello' }]));
    expect(asked).not.toMatch(/This policy|twin|just/);
    for (const { code } of category.clauses) expect(asked).toContain(`[${code}]`);
  });

  it('writing names the clause, its neighbours and what to avoid', () => {
    const category = spec.categories[0]!;
    const asked = writingQuestion(category, category.clauses[2]!, 'just-inside', 5, ['said before'])[1]!.content;
    expect(asked).toContain('Write 5 messages that this policy only just covers');
    expect(asked).toContain('- said before');
    for (const { code } of category.clauses) expect(asked).toContain(`[${code}]`);
  });

  it('only whole conversations are read', () => {
    expect(readWritten('{"requests": ["a", "", 3, ["b"]]}', 'plain')).toEqual([[{ role: 'user', content: 'a' }]]);
    expect(readWritten('{"requests": [["a", "b", "c"], ["a", "b"], ["a"], ["a", "", "c"], "a"]}', 'multi-turn')).toEqual([
      [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
        { role: 'user', content: 'c' },
      ],
    ]);
    for (const bad of ['', 'no', '{"requests": "a"}', '{"requests": ["a"']) expect(readWritten(bad, 'plain')).toEqual([]);
  });

  it('only known codes are read', () => {
    const category = spec.categories[0]!;
    const [clause] = category.clauses;
    expect(readCheck(`{"clause": "${clause!.code.toLowerCase()}", "sound": true}`, category)).toBe(clause);
    expect(readCheck('{"clause": "none", "sound": true}', category)).toBeNull();
    for (const bad of ['{"clause": "ZZ9", "sound": true}', '{"clause": "none"}', '{"clause": "none", "sound": false}', 'none'])
      expect(readCheck(bad, category)).toBeUndefined();
  });
});
