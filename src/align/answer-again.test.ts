import { describe, expect, it } from 'vitest';
import type { Prompt } from '../base/records.js';
import type { ChatModel, ChatRequest } from '../engines/types.js';
import { answerAgain, lacksOnlyAnswer } from './answer-again.js';
import { checkCompletion } from './check.js';
import { clauseLine } from './spec/lines.js';
import { loadSpec } from './spec/parse.js';
import { packageRoot } from '../base/package-root.js';

const spec = await loadSpec(`${packageRoot}/spec`);
const [category] = spec.categories;
const allowed = category!.clauses.find(({ ruling }) => ruling === 'comply')!;
const prompt: Prompt = {
  id: 'p',
  messages: [{ role: 'user', content: 'How does the court decide about such a case?' }],
  category: category!.name,
  ideal: 'comply',
  split: 'train',
  request: 'r',
  technique: 'none',
  tags: [],
  source: 'ours',
};
const completionWith = (answer: string, cot = `The user asks about courts.\n${clauseLine(allowed)}\nDecision: comply`) => ({
  id: 'c',
  promptId: 'p',
  sample: 1,
  cot,
  answer,
  stopReason: 'stop' as const,
  repaired: 0,
  ...checkCompletion({ cot, answer, malformed: false, stopReason: 'stop', spec, category: category!.name }),
});
const refusal = "I'm sorry, I can't help with this.";
const help = 'A judge hears both sides, looks at the evidence, and then decides what the law says about the case.';

/** Says one text after the other, and keeps what it was asked. */
function modelSaying(texts: readonly (string | Error)[]): { model: ChatModel; asked: ChatRequest[] } {
  const asked: ChatRequest[] = [];
  const choices = texts.map((text) =>
    text instanceof Error ? ({ text: '', stopReason: 'error', tokens: 0 } as const) : ({ text, stopReason: 'stop', tokens: 1 } as const),
  );
  const chat = async (request: ChatRequest) => {
    asked.push(request);
    return { choices: choices.slice(0, request.n), usage: { promptTokens: 0, completionTokens: choices.length } };
  };
  return { model: { name: 'sayer', chat }, asked };
}
const again = (texts: readonly (string | Error)[], completion: ReturnType<typeof completionWith>) => {
  const { model, asked } = modelSaying(texts);
  const request: ChatRequest = { messages: prompt.messages, sharedMessages: 0, n: texts.length, maxTokens: 50 };
  return { asked, found: answerAgain(model, request, completion, { prompt, spec, seed: 7 }) };
};

describe('lacksOnlyAnswer', () => {
  it('is true of a CoT that holds before an answer of another kind, and of nothing else', () => {
    expect(lacksOnlyAnswer(completionWith(refusal))).toBe(true);
    expect(lacksOnlyAnswer(completionWith(help))).toBe(false);
    expect(
      lacksOnlyAnswer(completionWith(refusal, 'The user asks.\nPolicy on nothing: allowed. Anything goes here. [ZZ9]\nDecision: comply')),
    ).toBe(false);
    expect(lacksOnlyAnswer(completionWith(refusal, `${clauseLine(allowed)}\nThe policy above says so.\nDecision: comply`))).toBe(false);
    expect(lacksOnlyAnswer({ ...completionWith(refusal), cot: null })).toBe(false);
  });
});

describe('answerAgain', () => {
  it('keeps CoT and id, and the first answer that does what was decided', async () => {
    const completion = completionWith(refusal);
    const { asked, found } = again([refusal, ` ${help}\n`, 'Another answer that would help as well, with many words in it.'], completion);
    expect(await found).toEqual({
      ...completion,
      answer: help,
      checks: { ...completion.checks, answerMatchesDecision: true },
      answersTried: 3,
    });
    // The answer is asked for behind the very CoT.
    expect(asked).toHaveLength(1);
    expect(asked[0]!.messages.at(-1)).toEqual({ role: 'assistant', content: `<think>\n${completion.cot}\n</think>` });
  });

  it('leaves the completion as it was where no answer fits, and says how many were tried', async () => {
    const completion = completionWith(refusal);
    expect(await again([refusal, ''], completion).found).toEqual({ ...completion, answersTried: 3 });
  });

  it('keeps nothing of what an engine failed at', async () => {
    expect(await again([refusal, new Error('down')], completionWith(refusal)).found).toBeNull();
  });
});
