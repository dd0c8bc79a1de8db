import { beforeAll, describe, expect, it } from 'vitest';
import path from 'node:path';
import { parseConfig } from '../base/config.js';
import { packageRoot } from '../base/package-root.js';
import type { Message } from '../base/records.js';
import type { ChatModel, ChatRequest } from '../engines/types.js';
import { CompiledSpecs } from './compiled-specs.js';
import { expectedGrade } from './judge-by-grades.js';
import { readVerdict } from './judge-by-json.js';
import { Judge, lowestScore } from './judge.js';
import { clauseLine, writeCot } from './spec/lines.js';
import { loadSpec } from './spec/parse.js';
import type { Clause } from './spec/types.js';

let specs: CompiledSpecs;
let refused: Clause;
let allowed: Clause;
beforeAll(async () => {
  const spec = await loadSpec(path.join(packageRoot, 'spec'));
  specs = new CompiledSpecs(spec, { maxTokens: 1000, countTokens: (text) => Math.ceil(text.length / 4) });
  const { clauses } = spec.categories.find(({ name }) => name === 'violence')!;
  refused = clauses.find(({ ruling }) => ruling === 'refuse')!;
  allowed = clauses.find(({ ruling }) => ruling === 'comply')!;
});

const messages: Message[] = [{ role: 'user', content: 'A request.' }];
const reading = (clause: Clause) =>
  `<think>\n${writeCot({ restated: 'The user asks for something.', clause: clauseLine(clause), style: null, decision: clause.ruling })}\n`;
const settings = (over: object = {}) => parseConfig({ judge: over }, 'test').judge;

interface Scripted extends ChatModel {
  requests: ChatRequest[];
  graded: Message[][];
}

const verdict = 'Wanted: refuse. Got: refuse. Style: kept.';
const isGradeTurn = ({ messages: asked }: Pick<ChatRequest, 'messages'>) => /^Answer ##\d+$/m.test(asked.at(-1)?.content ?? '');

/** Gives these texts in turn, the last for ever; several to a request for several; and to grade turns the same verdict in words. */
function model(texts: string[], logprobs?: number[]): Scripted {
  const requests: ChatRequest[] = [];
  let given = 0;
  const graded: Message[][] = [];
  return {
    name: 'scripted',
    requests,
    graded,
    async chat(request) {
      requests.push(request);
      const choices = Array.from({ length: request.n ?? 1 }, () => {
        const text = isGradeTurn(request) ? verdict : texts[Math.min(given++, texts.length - 1)]!;
        return { text, stopReason: 'stop' as const, tokens: 1 };
      });
      return { choices, usage: { promptTokens: 0, completionTokens: 0 } };
    },
    ...(logprobs && {
      choiceLogprobs: async (request: { messages: readonly Message[] }) => {
        graded.push([...request.messages]);
        return logprobs;
      },
    }),
  };
}

const sure = (grade: number) => [1, 2, 3, 4, 5].map((g) => (g === grade ? 0 : -50));

describe('the judge by grades', () => {
  it('reads once for all answers to a prompt, and grades each', async () => {
    const scripted = model([reading(refused)], sure(5));
    const judge = new Judge({ model: scripted, specs, settings: settings({ kindCheck: false }), seed: 0 });
    const [one] = await judge.judgeAnswer({ messages, answer: 'No.', category: 'violence' }, 1);
    await judge.judgeAnswer({ messages, answer: 'Yes.', category: 'violence' }, 1);
    expect(one?.score).toBeCloseTo(1);
    expect(one?.rationale).toContain(clauseLine(refused));
    expect(scripted.requests.filter((request) => !isGradeTurn(request))).toHaveLength(1);
    expect(scripted.graded).toHaveLength(2);
    expect(scripted.graded[0]?.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user', 'assistant']);
    expect(scripted.graded[0]?.[4]?.content).toBe(`${verdict} Grade: `);
    expect(one?.rationale).toContain(verdict);
  });

  it('runs with different readings and different wordings', async () => {
    const scripted = model([reading(refused), reading(refused), reading(refused), reading(allowed)], sure(3));
    const runs = await new Judge({ model: scripted, specs, settings: settings({ kindCheck: false }), seed: 0 }).judgeAnswer(
      { messages, answer: 'No.', category: 'violence' },
      2,
    );
    expect(new Set(runs.map(({ rationale }) => rationale)).size).toBe(2);
    expect(new Set(scripted.graded.map((asked) => asked[3]?.content.replace(/##\d+/g, ''))).size).toBe(2);
    expect(new Set(scripted.requests.filter((request) => !isGradeTurn(request)).map(({ seed }) => seed)).size).toBe(2);
  });

  it('scores an answer of another kind than it read as due without asking for a grade', async () => {
    const scripted = model([reading(refused)], sure(5));
    const judge = new Judge({ model: scripted, specs, settings: settings(), seed: 0 });
    const score = async (answer: string) => (await judge.judgeAnswer({ messages, answer, category: 'violence' }, 1))[0]?.score;
    expect(await score('First, take two pieces of wood and join them with glue.')).toBe(0);
    expect(scripted.graded).toHaveLength(0);
    expect(await score("I'm sorry, but I can't help with that.")).toBeCloseTo(1);
  });

  const readBy = async (texts: string[]) => {
    const judge = new Judge({ model: model(texts, sure(5)), specs, settings: settings(), seed: 0 });
    const [run] = await judge.judgeAnswer({ messages, answer: 'No.', category: 'violence' }, 1);
    return run?.rationale;
  };

  it('leaves out readings that cite what the specification does not say', async () => {
    const madeUp = reading({ ...refused, text: 'Something made up for this test.' });
    expect(await readBy([madeUp, madeUp, reading(allowed)])).toContain(clauseLine(allowed));
  });

  it('goes by the decision of most readings', async () => {
    expect(await readBy([reading(allowed), reading(refused), reading(refused)])).toContain(clauseLine(refused));
  });

  it('believes that no clause applies only if no reading finds one', async () => {
    const none = '<think>\nThe user asks for something.\nPolicy on this: none.\nDecision: comply\n';
    expect(await readBy([none, none, reading(refused)])).toContain(clauseLine(refused));
    expect(await readBy([none])).toContain('Policy on this: none.');
  });

  it('is unscored, not zero, when no reading holds', async () => {
    const [run] = await new Judge({ model: model(['<think>\nhm'], sure(1)), specs, settings: settings(), seed: 0 }).judgeAnswer(
      { messages, answer: 'No.', category: 'violence' },
      1,
    );
    expect(run).toEqual({ score: null, rationale: '', unscored: 'none of 3 readings cites the specification correctly' });
  });

  it('says whether it agrees with the hint, and looks for a reading that does', async () => {
    const hinted = (texts: string[]) =>
      new Judge({ model: model(texts, sure(5)), specs, settings: settings(), seed: 0 }).judgeCompletion(
        { messages, answer: 'No.', category: 'violence', cot: 'c', hint: 'refuse' },
        1,
      );
    expect((await hinted([reading(allowed), reading(refused)]))[0]).toMatchObject({ agreesWithHint: true });
    expect((await hinted([reading(allowed)]))[0]).toMatchObject({ agreesWithHint: false });
  });

  it('is not shown a CoT that is passed beside an answer in RL', async () => {
    const scripted = model([reading(refused)], sure(5));
    const request = { messages, answer: 'No.', category: 'violence', cot: 'SECRET' };
    await new Judge({ model: scripted, specs, settings: settings(), seed: 0 }).judgeAnswer(request, 2);
    expect(JSON.stringify([scripted.requests, scripted.graded])).not.toContain('SECRET');
  });

  it('is unscored when the words before the grade lead to none', async () => {
    const scripted = model([reading(refused)], sure(5));
    const { chat } = scripted;
    scripted.chat = async (request) =>
      isGradeTurn(request)
        ? {
            choices: [{ text: 'Wanted: refuse. Got: ref', stopReason: 'length', tokens: 40 }],
            usage: { promptTokens: 0, completionTokens: 0 },
          }
        : chat(request);
    const [run] = await new Judge({ model: scripted, specs, settings: settings({ kindCheck: false }), seed: 0 }).judgeAnswer(
      { messages, answer: 'No.', category: 'violence' },
      1,
    );
    expect(run).toMatchObject({ score: null, unscored: 'the verdict came to no grade' });
    expect(scripted.graded).toHaveLength(0);
  });

  it('asks a failed reading again', async () => {
    const scripted = model([reading(refused)], sure(5));
    const { chat } = scripted;
    let failed = false;
    scripted.chat = (request) => (failed ? chat(request) : ((failed = true), Promise.reject(new Error('down'))));
    const judge = new Judge({ model: scripted, specs, settings: settings(), seed: 0 });
    await expect(judge.judgeAnswer({ messages, answer: 'No.', category: 'violence' }, 1)).rejects.toThrow('down');
    expect((await judge.judgeAnswer({ messages, answer: 'No.', category: 'violence' }, 1))[0]?.score).toBeCloseTo(1);
  });
});

describe('expectedGrade', () => {
  it('weighs grades by their probabilities', () => {
    expect(expectedGrade(sure(4))).toBeCloseTo(4);
    expect(expectedGrade([Math.log(0.25), -Infinity, -Infinity, -Infinity, Math.log(0.25)])).toBeCloseTo(3);
    expect(expectedGrade([-Infinity, -Infinity, -Infinity, -Infinity, -Infinity])).toBeNull();
    expect(expectedGrade([0, 0, Number.NaN, 0, 0])).toBeNull();
  });
});

describe('the judge by JSON', () => {
  it('takes the grade, and asks again for what cannot be read', async () => {
    const scripted = model(['I would say 5.', '{"grade": 9}', 'Well: {"rationale": "fine", "grade": 4}']);
    const [run] = await new Judge({ model: scripted, specs, settings: settings(), seed: 0 }).judgeAnswer(
      { messages, answer: 'No.', category: 'violence' },
      1,
    );
    expect(run).toEqual({ score: 0.75, rationale: 'fine' });
    expect(scripted.requests).toHaveLength(3);
  });

  it('is unscored when nothing can be read', async () => {
    const [run] = await new Judge({ model: model(['no']), specs, settings: settings(), seed: 0 }).judgeAnswer(
      { messages, answer: 'No.', category: 'violence' },
      1,
    );
    expect(run).toEqual({ score: null, rationale: '', unscored: 'the verdict is not JSON' });
  });

  it('shows CoT and hint in stage 1, neither in RL, and in another order each run', async () => {
    const scripted = model(['{"grade": 5, "agrees_with_hint": true}']);
    const judge = new Judge({ model: scripted, specs, settings: settings(), seed: 0 });
    const [run] = await judge.judgeCompletion({ messages, answer: 'No.', category: 'violence', cot: 'MY THOUGHTS', hint: 'refuse' }, 1);
    expect(run).toMatchObject({ score: 1, agreesWithHint: true });
    await judge.judgeAnswer({ messages, answer: 'No.', category: 'violence' }, 2);
    const texts = scripted.requests.map((request) => request.messages[0]?.content ?? '');
    expect(texts[0]).toMatch(/MY THOUGHTS[\s\S]*/);
    expect(texts[0]).toContain('"refuse"');
    expect(texts[1]).not.toMatch(/MY THOUGHTS|Another AI|reasoning, between/);
    expect(texts[1]?.indexOf('You review')).toBe(0);
    expect(texts[2]?.indexOf('You review')).toBeGreaterThan(0);
  });

  it('knows a verdict that is cut off, filtered or incomplete', () => {
    expect(readVerdict('{"grade": 5}', 'length', false)).toBe('the verdict was cut off');
    expect(readVerdict('', 'filter', false)).toBe('the judge gave no verdict (filter)');
    expect(readVerdict('{"rationale": "x"}', 'stop', false)).toBe("the verdict's grade is not as asked");
    expect(readVerdict('{"grade": 5}', 'stop', true)).toBe('the verdict does not say whether it agrees with the hint');
    expect(readVerdict('<think>{"grade": 1}</think>{"grade": 5}', 'stop', false)).toMatchObject({ grade: 5 });
  });
});

describe('lowestScore', () => {
  it('is the minimum, and null as soon as one run is unscored', () => {
    const run = (score: number | null) => ({ score, rationale: '' });
    expect(lowestScore([run(0.9), run(0.4)])).toBe(0.4);
    expect(lowestScore([run(0.9), run(null)])).toBeNull();
    expect(lowestScore([])).toBeNull();
  });
});
