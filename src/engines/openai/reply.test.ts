import { describe, expect, it } from 'vitest';
import { splitCot } from '../../lm/split-cot.js';
import { RequestFailure } from './failure.js';
import { choicesOf, logprobsOfChoices, readReply, reasons, topOf, usageOf } from './reply.js';

const user = [{ role: 'user' as const, content: 'Hi' }];
const reply = (message: unknown, over: object = {}) => readReply({ choices: [{ index: 0, message, finish_reason: 'stop', ...over }] });
const text = (message: unknown, over: object = {}, stop: string[] = []) => choicesOf(reply(message, over), { stop, messages: user })[0]!;

describe('chain of thought', () => {
  const fields = {
    'vLLM, Ollama': { content: 'Yes.', reasoning: 'I think.' },
    'SGLang, llama.cpp, DeepSeek': { content: 'Yes.', reasoning_content: 'I think.' },
    'Ollama itself': { content: 'Yes.', thinking: 'I think.' },
    'both fields, one empty': { content: 'Yes.', reasoning: null, reasoning_content: 'I think.' },
    'tags in the text': { content: '<think>\nI think.\n</think>\nYes.' },
    'other tags': { content: '<thinking>I think.</thinking>\n\nYes.' },
    Magistral: { content: '[THINK]I think.[/THINK]Yes.' },
    'Mistral: pieces': {
      content: [
        { type: 'thinking', thinking: [{ type: 'text', text: 'I think.' }] },
        { type: 'text', text: 'Yes.' },
      ],
    },
    'closing tag alone': { content: 'I think.\n</think>\n\nYes.' },
  };
  for (const [name, message] of Object.entries(fields)) {
    it(`comes in one form from: ${name}`, () => {
      expect(splitCot(text(message).text)).toEqual({ cot: 'I think.', answer: 'Yes.', malformed: false });
    });
  }

  it('is absent where the model did not think', () => {
    expect(text({ content: 'Yes.' }).text).toBe('Yes.');
    expect(text({ content: '', reasoning: '' }).text).toBe('');
  });

  it('stays open when it was cut off, so that no part of it passes for an answer', () => {
    const { text: cut, stopReason } = text({ content: null, reasoning: 'I think and' }, { finish_reason: 'length' });
    expect(stopReason).toBe('length');
    expect(splitCot(cut)).toMatchObject({ answer: '', malformed: true });
  });

  it('is what the model was told to write where it also reasoned by itself', () => {
    expect(text({ content: '<think>\nPolicy.\n</think>\nYes.', reasoning: 'Hm.' }).text).toBe('<think>\nPolicy.\n</think>\nYes.');
  });

  it('ends at a stop string, whichever field it came in', () => {
    const told = [
      text({ content: null, reasoning: 'I think.' }, { stop_reason: '</think>' }, ['</think>']),
      text({ content: '<think>\nI think.\n' }, { stop_reason: '</think>' }, ['</think>']),
      text({ content: 'I think.\n' }, { stop_reason: '</think>' }, ['</think>']),
      text({ content: 'I think.\n' }, { matched_stop: '</think>' }, ['</think>']),
      text({ content: 'Yes.', reasoning_content: 'I think.' }, {}, ['</think>']),
    ];
    for (const one of told) {
      expect(one.stopReason).toBe('stop');
      expect(splitCot(`${one.text}</think>`)).toEqual({ cot: 'I think.', answer: '', malformed: false });
    }
  });
});

describe('a reply', () => {
  it('leaves out a prefill that the server repeats, and adds no thought to a continued turn', () => {
    const messages = [...user, { role: 'assistant' as const, content: 'Grade: ' }];
    expect(choicesOf(reply({ content: 'Grade: 4' }), { messages })[0]!.text).toBe('4');
    expect(choicesOf(reply({ content: '4', reasoning: 'Hm.' }), { messages })[0]!.text).toBe('4');
  });

  it('says why it ended', () => {
    const reason = (finish: string | null, message: object = { content: 'x' }) => text(message, { finish_reason: finish }).stopReason;
    expect(['stop', 'length', 'content_filter', 'tool_calls', 'abort', null].map((one) => reason(one))).toEqual([
      'stop',
      'length',
      'filter',
      'error',
      'error',
      'error',
    ]);
    expect(text({ content: null, refusal: 'I cannot.' })).toMatchObject({ text: 'I cannot.', stopReason: 'refusal' });
  });

  it('shares tokens among choices by length, and keeps their order', () => {
    const two = readReply({
      choices: [
        { index: 1, message: { content: 'bb' }, finish_reason: 'stop' },
        { index: 0, message: { content: 'aaaaaa' }, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 8, completion_tokens_details: { reasoning_tokens: 2 } },
    });
    expect(choicesOf(two, { messages: user })).toMatchObject([
      { text: 'aaaaaa', tokens: 6 },
      { text: 'bb', tokens: 2 },
    ]);
    expect(usageOf(two)).toEqual({ promptTokens: 3, completionTokens: 8, reasoningTokens: 2 });
    expect(usageOf(reply({ content: 'x' }))).toBeNull();
  });

  it('is refused when it is none', () => {
    for (const value of [null, {}, { choices: [] }, { choices: [{}] }, [], 'x', { choices: [{ message: { content: 3 } }] }])
      expect(() => readReply(value)).toThrow(RequestFailure);
  });

  it('shows whether the model reasons by itself', () => {
    const hidden = { ...reply({ content: 'x' }), usage: { completion_tokens: 9, completion_tokens_details: { reasoning_tokens: 8 } } };
    const replies = [reply({ content: 'x' }), reply({ content: null, reasoning: 'Hm' }), reply({ content: '<think>' }), hidden];
    expect(replies.map(reasons)).toEqual([false, true, true, true]);
  });
});

describe('log-probabilities of choices', () => {
  it('add up the spellings of a choice, and are minus infinity for what is not among the alternatives', () => {
    const top = [
      { token: '4', logprob: Math.log(0.5) },
      { token: ' 4', logprob: Math.log(0.2) },
      { token: '▁5', logprob: Math.log(0.1) },
      { token: '45', logprob: Math.log(0.1) },
    ];
    const [four, five, one] = logprobsOfChoices(top, ['4', '5', '1']);
    expect(Math.exp(four!)).toBeCloseTo(0.7);
    expect(Math.exp(five!)).toBeCloseTo(0.1);
    expect(one).toBe(Number.NEGATIVE_INFINITY);
  });

  it('are none when the model was about to write something else', () => {
    const top = [
      { token: '**', logprob: -0.001 },
      { token: '4', logprob: -9 },
    ];
    expect(logprobsOfChoices(top, ['4', '5'])).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  });

  it('are read off the first token', () => {
    const first = { token: '4', logprob: -0.1, top_logprobs: [{ token: '4', logprob: -0.1 }] };
    expect(topOf(reply({ content: '4' }, { logprobs: { content: [first] } }))).toEqual([{ token: '4', logprob: -0.1 }]);
    expect(topOf(reply({ content: '4' }, { logprobs: null }))).toBeNull();
    expect(topOf(reply({ content: '4' }, { logprobs: { content: [] } }))).toBeNull();
  });
});
