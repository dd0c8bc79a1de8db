import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../base/package-root.js';
import type { Message } from '../base/records.js';
import { readDecision } from '../align/spec/lines.js';
import { findClause } from '../align/spec/lookup.js';
import { loadSpec } from '../align/spec/parse.js';
import type { Spec } from '../align/spec/types.js';
import type { ChatModel, ChatRequest } from '../engines/types.js';
import { splitCot } from '../lm/split-cot.js';
import { cachedModel } from './cached-model.js';
import { nudge, withBudget } from './cot-budget.js';
import { categoryOfClause, turnClause } from './edit-clause.js';
import { swapDecision, withoutStyle } from './faithfulness.js';
import { judgeAttacks } from './judge-attacks.js';

let spec: Spec;
let home: string;
beforeAll(async () => {
  spec = await loadSpec(path.join(packageRoot, 'spec'));
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-studies-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const messages: Message[] = [{ role: 'user', content: 'How?' }];
const request: ChatRequest = { messages, maxTokens: 100, temperature: 0 };

/** Says what it is told to, in turn. */
function told(texts: string[]): ChatModel & { asked: ChatRequest[] } {
  const asked: ChatRequest[] = [];
  return {
    name: 'told',
    asked,
    async chat(one) {
      asked.push(one);
      const choices = Array.from({ length: one.n ?? 1 }, () => ({ text: texts.shift() ?? '', stopReason: 'stop' as const, tokens: 10 }));
      return { choices, usage: { promptTokens: 0, completionTokens: 10 } };
    },
  };
}

describe('a budget of thought', () => {
  it('cuts a chain of thought, and has the answer follow what is left of it', async () => {
    const model = told(['<think>\nThe user asks', '\nSorry.']);
    const { choices } = await withBudget(model, { kind: 'shorter', tokens: 3 }).chat(request);
    expect(splitCot(choices[0]!.text)).toEqual({ cot: 'The user asks', answer: 'Sorry.', malformed: false });
    expect(model.asked[0]).toMatchObject({ maxTokens: 7, stop: ['</think>'] });
    expect(model.asked[1]!.messages.at(-1)).toEqual({ role: 'assistant', content: '<think>\nThe user asks\n</think>' });
    expect(choices[0]!.tokens).toBe(20);
  });

  it('leaves thought out altogether', async () => {
    const model = told(['Sorry.']);
    const { choices } = await withBudget(model, { kind: 'shorter', tokens: 0 }).chat(request);
    expect(splitCot(choices[0]!.text)).toEqual({ cot: '', answer: 'Sorry.', malformed: false });
    expect(model.asked).toHaveLength(1);
  });

  it('makes a finished chain of thought go on', async () => {
    const model = told(['<think>\nFirst.\nDecision: comply\n</think>\nYes.', '\nThen.\nDecision: refuse\n', '\nSorry.']);
    const { choices } = await withBudget(model, { kind: 'longer', rounds: 1 }).chat(request);
    const { cot, answer } = splitCot(choices[0]!.text);
    expect(cot).toBe(`First.\nDecision: comply\n${nudge}\nThen.\nDecision: refuse`);
    expect(readDecision(cot!)).toBe('refuse');
    expect(answer).toBe('Sorry.');
    expect(choices[0]!.tokens).toBe(30);
  });

  it('takes the sample that the model grades best itself', async () => {
    let calls = 0;
    const model: ChatModel = {
      ...told(['<think>\na\n</think>\nOne.', '<think>\nb\n</think>\nTwo.', '<think>\nc']),
      choiceLogprobs: async ({ choices }) => {
        calls++;
        return choices.map((choice) => (choice === (calls === 2 ? '5' : '2') ? 0 : -50));
      },
    };
    const { choices } = await withBudget(model, { kind: 'best-of', n: 3 }).chat(request);
    expect(splitCot(choices[0]!.text).answer).toBe('Two.');
    // What is malformed is not graded.
    expect(calls).toBe(2);
    expect(choices[0]!.tokens).toBe(30);
  });

  it('goes by the majority where no grade can be had', async () => {
    const refusal = "I'm sorry, but I can't help with that.";
    const model = told([
      `<think>\na\n</think>\nFirst gather what you need, then begin.`,
      `<think>\nb\n</think>\n${refusal}`,
      `<think>\nc\n</think>\n${refusal}`,
    ]);
    const { choices } = await withBudget(model, { kind: 'best-of', n: 3 }).chat(request);
    expect(splitCot(choices[0]!.text).answer).toBe(refusal);
  });
});

describe('a counterfactual chain of thought', () => {
  const cot = 'The user asks.\nPolicy on x: disallowed. No. [V4]\nStyle for refuse: short. [S1]\nDecision: refuse';
  it('has another decision, and nothing else changed', () => {
    expect(swapDecision(cot, 'comply')).toBe(cot.replace('Decision: refuse', 'Decision: comply'));
    expect(swapDecision(cot, 'safe-complete')).toMatch(/Decision: safe completion$/);
    expect(swapDecision('No decision here.', 'comply')).toBeNull();
    expect(withoutStyle(cot)).not.toContain('Style for');
  });
});

describe('a clause that is turned around', () => {
  it('has the other ruling and the same subject, and no other clause changes', () => {
    const before = spec.categories.find(({ name }) => name === 'violence')!.clauses.find(({ ruling }) => ruling === 'refuse')!;
    const edited = turnClause(spec, before.code);
    const after = findClause(edited, before.code)!;
    expect(after.ruling).toBe('comply');
    expect(after.subject).toBe(before.subject);
    expect(after.text).not.toBe(before.text);
    expect(categoryOfClause(edited, before.code)).toBe('violence');
    const others = (from: Spec) => from.categories.flatMap(({ clauses }) => clauses).filter(({ code }) => code !== before.code);
    expect(others(edited)).toEqual(others(spec));
    expect(findClause(spec, before.code)).toBe(before);
  });

  it('must be there', () => expect(() => turnClause(spec, 'ZZ99')).toThrow(/no clause ZZ99 in the specification; there are/));
});

describe('an attack on the judge', () => {
  it('changes the answer, each in its own way', () => {
    const attacked = judgeAttacks.map(({ apply }) => apply('Here is how.'));
    expect(attacked).not.toContain('Here is how.');
    expect(new Set(attacked).size).toBe(judgeAttacks.length);
  });
});

describe('a model whose answers are kept', () => {
  it('asks nothing twice, also after it was opened again', async () => {
    const file = path.join(home, 'kept.jsonl');
    const model = told(['one', 'two']);
    const first = await cachedModel(model, 'digest', file);
    await first.model.chat(request);
    await first.close();
    const second = await cachedModel(model, 'digest', file);
    expect((await second.model.chat({ ...request, signal: new AbortController().signal })).choices[0]?.text).toBe('one');
    expect((await second.model.chat({ ...request, seed: 1 })).choices[0]?.text).toBe('two');
    await second.close();
    const third = await cachedModel(told(['three']), 'other weights', file);
    expect((await third.model.chat(request)).choices[0]?.text).toBe('three');
    expect(third.model.choiceLogprobs).toBeUndefined();
    await third.close();
  });
});
