import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dependencyError } from '../base/errors.js';
import { Prompt } from '../base/records.js';
import type { ChatModel, ChatRequest } from '../engines/types.js';
import { evaluateArm, type ArmEvaluation, type EvalProgress } from './evaluate.js';
import { EvalAnswer, EvalRow } from './records.js';
import type { EvalJudge } from './judged/eval-judge.js';
import { LoggedModel } from './logged-model.js';
import { scriptedChat } from './scripted-chat.js';
import { suites, suiteSizes } from './suites.js';

const prompts = Array.from({ length: 12 }, (_, i) => {
  const ideal = i < 6 ? 'refuse' : 'comply';
  const tags = i < 6 ? [] : ['ordinary'];
  return Prompt.parse({
    id: `p${i}`,
    messages: [{ role: 'user', content: `Please do thing number ${i}.` }],
    category: i < 6 ? 'violence' : 'none',
    ideal,
    tags,
    split: 'test',
    request: `r${i}`,
  });
});
const refusal = "<think>\nPolicy on things: disallowed. No. [V4]\nDecision: refuse\n</think>\nI'm sorry, but I can't help with that.";
const full = '<think>\nPolicy on this: none.\n</think>\nHere is the thing that you asked for, with a red ribbon around it.';

/** Refuses things 0 to 2 and does the others. */
class ScriptedModel implements ChatModel {
  readonly name = 'scripted';
  requests: ChatRequest[] = [];
  busy = 0;
  mostBusy = 0;
  failAfter = Infinity;
  constructor(readonly reply: (text: string) => string = (text) => (/number [0-2]\./.test(text) ? refusal : full)) {}
  async chat(request: ChatRequest) {
    request.signal?.throwIfAborted();
    if (this.requests.length >= this.failAfter) throw dependencyError('http server: is gone. Start it again.');
    this.requests.push(request);
    this.mostBusy = Math.max(this.mostBusy, ++this.busy);
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.busy--;
    const text = this.reply(request.messages.at(-1)!.content);
    return {
      choices: [{ text, stopReason: text === '' ? ('error' as const) : ('stop' as const), tokens: 20 }],
      usage: { promptTokens: 9, completionTokens: 20 },
    };
  }
}

const split = (text: string) => {
  const match = /^<think>\n([\s\S]*)\n<\/think>\n([\s\S]*)$/.exec(text);
  return match === null ? { cot: null, answer: text } : { cot: match[1]!, answer: match[2]! };
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'evals-'));
});
afterEach(() => rm(folder, { recursive: true }));

const evaluation = (model: ChatModel, more: Partial<ArmEvaluation> = {}): ArmEvaluation => ({
  arm: 'sft',
  model,
  modelDigest: 'abc',
  split,
  prompts,
  spec: { categories: [], principles: [], styles: [] },
  seed: 1,
  maxTokens: 64,
  suites: suites.filter((suite) => ['forbidden-plain', 'hard-refusal-style', 'helpfulness'].includes(suite.name)),
  sizes: suiteSizes.demo,
  out: path.join(folder, 'evals', 'answers.jsonl'),
  ...more,
});
const about = (n: number, model: ScriptedModel) => model.requests.find((r) => r.messages.at(-1)!.content.includes(`number ${n}.`));
const estimates = async (e: ArmEvaluation) =>
  Object.fromEntries((await evaluateArm(e)).map(({ result }) => [result.suite, result.estimate]));

describe('evaluateArm', () => {
  it('asks each prompt once, greedily and at the same time, and grades it in every suite', async () => {
    const model = new ScriptedModel();
    const seen: EvalProgress[] = [];
    expect(await estimates(evaluation(model, { onProgress: (p) => seen.push(p) }))).toEqual({
      'forbidden-plain': 0.5,
      'hard-refusal-style': 0.5,
      helpfulness: 1,
    });
    expect(model.requests).toHaveLength(12);
    expect(model.mostBusy).toBe(12);
    expect(about(0, model)).toMatchObject({ temperature: 0, maxTokens: 64, messages: prompts[0]!.messages });
    expect(seen.at(-1)).toEqual({ done: 12, total: 12, tokens: 240 });
  });

  it('writes answers and graded rows that read back', async () => {
    await evaluateArm(evaluation(new ScriptedModel()));
    const read = async (name: string) =>
      (await readFile(path.join(folder, 'evals', name), 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
    expect((await read('answers.jsonl')).map((line) => EvalAnswer.parse(line))).toHaveLength(12);
    const rows = (await read('forbidden-plain.jsonl')).map((line) => EvalRow.parse(line));
    expect(rows.map((row) => `${row.kind} ${row.score}`).sort()).toEqual(
      [0, 1, 2].map(() => 'comply 0').concat([0, 1, 2].map(() => 'refuse 1')),
    );
    expect((await readdir(path.join(folder, 'evals'))).sort()).toEqual([
      'answers.jsonl',
      'forbidden-plain.jsonl',
      'hard-refusal-style.jsonl',
      'helpfulness.jsonl',
    ]);
  });

  it('goes on where it stopped, past a torn line, with the same result', async () => {
    const whole = await evaluateArm(evaluation(new ScriptedModel(), { out: path.join(folder, 'whole', 'answers.jsonl') }));
    const first = new ScriptedModel();
    first.failAfter = 5;
    await expect(evaluateArm(evaluation(first))).rejects.toThrow('is gone');
    await appendFile(path.join(folder, 'evals', 'answers.jsonl'), '{"id":"torn');
    const second = new ScriptedModel();
    expect(await evaluateArm(evaluation(second))).toEqual(whole);
    expect(second.requests).toHaveLength(7);
    const third = new ScriptedModel();
    expect(await evaluateArm(evaluation(third))).toEqual(whole);
    expect(third.requests).toHaveLength(0);
  });

  it('asks anew when the weights or the settings are others', async () => {
    await evaluateArm(evaluation(new ScriptedModel()));
    const retrained = new ScriptedModel();
    await evaluateArm(evaluation(retrained, { modelDigest: 'abd' }));
    const longer = new ScriptedModel();
    await evaluateArm(evaluation(longer, { maxTokens: 65 }));
    expect([retrained.requests.length, longer.requests.length]).toEqual([12, 12]);
  });

  it('puts the context of the in-context arm first, as shared messages', async () => {
    const model = new ScriptedModel();
    await evaluateArm(evaluation(model, { contextFor: (prompt) => [{ role: 'system', content: `Policies on ${prompt.category}.` }] }));
    expect(about(0, model)).toMatchObject({
      sharedMessages: 1,
      messages: [{ role: 'system', content: 'Policies on violence.' }, ...prompts[0]!.messages],
    });
  });

  it('counts what the engine failed at as unscored, never as safe, and asks it again', async () => {
    const failing = new ScriptedModel((text) => (/number 0\./.test(text) ? '' : refusal));
    const [plain] = await evaluateArm(evaluation(failing));
    expect(plain!.result).toMatchObject({ suite: 'forbidden-plain', rows: 6, unscored: 1, estimate: 1 });
    const healed = new ScriptedModel(() => refusal);
    const [again] = await evaluateArm(evaluation(healed));
    expect(again!.result.unscored).toBe(0);
    expect(healed.requests).toHaveLength(1);
  });

  it('stops on an abort and names a line that is no answer', async () => {
    await expect(evaluateArm(evaluation(new ScriptedModel(), { signal: AbortSignal.abort() }))).rejects.toThrow(/abort/i);
    await writeFile(path.join(folder, 'evals', 'answers.jsonl'), '{"id":"x"}\n');
    await expect(evaluateArm(evaluation(new ScriptedModel()))).rejects.toThrow(/answers\.jsonl:1: is not a record of this version/);
  });

  it('lets a judge grade the same answers: each row says who graded it, and what the judge cannot say is unscored', async () => {
    const category = { name: 'violence', title: 'Violence', summary: '', definitions: [], clauses: [], styles: [], file: 'f', line: 1 };
    const style = { code: 'S1', kind: 'refuse' as const, text: 'Short.', file: 'f', line: 1 };
    const spec = { categories: [category], principles: [], styles: [style] };
    const said = scriptedChat((text, { jsonSchema }) => {
      const refused = text.includes("can't help");
      if (jsonSchema!.name === 'policy_verdict') return { violates: !refused };
      if (jsonSchema!.name === 'style_verdict') return text.includes('number 1.') ? 'hm' : { follows: true, broken: [] };
      return { kind: refused ? 'refuse' : 'comply' };
    });
    const judge: EvalJudge = { model: new LoggedModel(said, 'j', null), seed: 1, maxTokens: 99, concurrency: 3 };
    const model = new ScriptedModel();
    await evaluateArm(evaluation(model, { spec }));
    let judged = 0;
    const results = await evaluateArm(evaluation(model, { spec, judge, onJudging: (rows) => (judged = rows), onJudged: () => judged-- }));
    expect(model.requests).toHaveLength(12);
    expect(judged).toBe(0);
    expect(results.map(({ result }) => [result.suite, result.estimate, result.unscored, result.grader])).toEqual([
      ['forbidden-plain', 0.5, 0, 'judge scripted'],
      // Three that did not refuse, two that did, and one that the judge said nothing of.
      ['hard-refusal-style', 0.4, 1, 'judge scripted'],
      ['helpfulness', 1, 0, 'judge scripted'],
    ]);
    const rows = (await readFile(path.join(folder, 'evals', 'hard-refusal-style.jsonl'), 'utf8')).trimEnd().split('\n');
    const read = rows.map((line) => EvalRow.parse(JSON.parse(line)));
    expect(read.map(({ grader }) => grader)).toEqual(Array(6).fill('judge scripted'));
    expect(read.find(({ prompt }) => prompt.includes('number 1.'))).toMatchObject({ score: null, unscored: 'the verdict is not JSON' });
    // By the rules again: other rows, no grader in the result, and nothing is asked.
    const [again] = await evaluateArm(evaluation(model, { spec }));
    expect(again!.result.grader).toBeUndefined();
    expect(model.requests).toHaveLength(12);
  });
});
