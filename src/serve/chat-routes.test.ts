/** Chat completions as the openai client sees them. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ChatModel } from '../engines/types.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { handModel, served, specification, start, stopAll, user } from './hand-model.js';
import { readReply } from './reply-stream.js';
import type { ServedModel } from './served-model.js';

afterEach(stopAll);

/** The client's type has no such field, as OpenAI has none; its imitators do. */
const thoughts = (message: object): string | undefined => (message as { reasoning_content?: string }).reasoning_content;

describe('chat completions over the scripted engine', () => {
  let model: ChatModel;
  beforeAll(async () => {
    model = await createScriptedWorkbench().base();
  });
  const ask = { model: 'sft+rl', messages: user('How are you?') };

  it('answers with reasoning apart, usage, and the digest of the specification', async () => {
    const { client } = await start([served(model)]);
    const { data, response } = await client.chat.completions.create(ask).withResponse();
    const text = (await model.chat({ ...ask, maxTokens: 512, temperature: 0 })).choices[0]?.text ?? '';
    const expected = readReply(text, { show: true, stop: [] });
    const [choice] = data.choices;
    expect(choice?.message.content).toBe(expected.content);
    expect(thoughts(choice!.message)).toBe(expected.reasoning);
    expect(expected.reasoning).not.toBeNull();
    expect(choice?.finish_reason).toBe('stop');
    expect(data.usage?.completion_tokens).toBeGreaterThan(0);
    expect(data.usage?.total_tokens).toBe((data.usage?.prompt_tokens ?? 0) + (data.usage?.completion_tokens ?? 0));
    expect(data.system_fingerprint).toBe('f00d');
    expect((data as unknown as { spec_digest: string }).spec_digest).toBe(specification.digest);
    expect(response.headers.get('x-deliberate-spec')).toBe(specification.digest);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it.each([1, 3])('streams n = %i choices that joined are those of the whole answer', async (n) => {
    const { client } = await start([served(model)]);
    const same = { ...ask, n, seed: 5, temperature: 1 };
    const whole = await client.chat.completions.create(same);
    const { data: stream, response } = await client.chat.completions
      .create({ ...same, stream: true, stream_options: { include_usage: true } })
      .withResponse();
    expect(response.headers.get('x-deliberate-spec')).toBe(specification.digest);
    const content = Array.from({ length: n }, () => '');
    const reasoning = Array.from({ length: n }, () => '');
    const finished: (string | null)[] = [];
    let usage: unknown;
    let chunks = 0;
    for await (const chunk of stream) {
      chunks++;
      usage = chunk.usage ?? usage;
      for (const { index, delta, finish_reason } of chunk.choices) {
        content[index] += delta.content ?? '';
        reasoning[index] += thoughts(delta) ?? '';
        if (finish_reason) finished[index] = finish_reason;
      }
    }
    expect(content).toEqual(whole.choices.map(({ message }) => message.content));
    expect(reasoning).toEqual(whole.choices.map(({ message }) => thoughts(message) ?? ''));
    expect(finished).toEqual(whole.choices.map(({ finish_reason }) => finish_reason));
    expect(usage).toEqual(whole.usage);
    expect(chunks).toBeGreaterThan(4 * n);
  });

  it('gives the same for the same seed, and another for another', async () => {
    const { client } = await start([served(model)]);
    const sample = async (seed: number) => {
      const { choices } = await client.chat.completions.create({ ...ask, n: 16, seed, temperature: 1 });
      return choices.map(({ message }) => [message.content, thoughts(message)]);
    };
    const samples = await Promise.all([1, 1, 2, 3, 4].map(sample));
    expect(samples[1]).toEqual(samples[0]);
    // The scripted mind knows few answers, so two seeds alone may agree.
    expect(new Set(samples.map((one) => JSON.stringify(one))).size).toBeGreaterThan(1);
  });

  it('cuts off at max_tokens and says so', async () => {
    const { client } = await start([served(model)], { maxTokens: 20 });
    const long = await client.chat.completions.create({ ...ask, max_tokens: 100_000 });
    expect(long.choices[0]?.finish_reason).toBe('length');
    expect(long.usage?.completion_tokens).toBe(20);
    const short = await client.chat.completions.create({ ...ask, max_completion_tokens: 5, max_tokens: 10 });
    expect(short.usage?.completion_tokens).toBe(5);
  });

  it('lists its models, with slashes and pluses in their names', async () => {
    const { client } = await start([served(model), served(model, { id: 'org/name', specification: null })]);
    const listed = [];
    for await (const one of client.models.list()) listed.push(one.id);
    expect(listed).toEqual(['sft+rl', 'org/name']);
    expect(await client.models.retrieve('org/name')).toMatchObject({ id: 'org/name', object: 'model', spec_digest: null });
    expect(await client.models.retrieve('sft+rl')).toMatchObject({ spec_digest: specification.digest, spec_categories: { violence: 'b' } });
    const { response } = await client.chat.completions.create({ ...ask, model: 'org/name' }).withResponse();
    expect(response.headers.get('x-deliberate-spec')).toBeNull();
  });
});

describe('what a model is asked', () => {
  it('is what the caller asked: parameters, roles, parts of text, several system messages', async () => {
    const model = handModel(() => ['<think>\nx\n</think>\ny']);
    const { client } = await start([served(model)], { temperature: 0.6 });
    await client.chat.completions.create({
      model: 'sft+rl',
      messages: [
        { role: 'system', content: 'One.' },
        { role: 'developer', content: 'Two.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        { role: 'assistant', content: 'c' },
        { role: 'user', content: 'd' },
      ],
      temperature: 0.3,
      top_p: 0.9,
      seed: 11,
      stop: ['\n', 'END'],
    });
    await client.chat.completions.create({ model: 'sft+rl', messages: user('e') });
    expect(model.asked[0]).toMatchObject({
      messages: [
        { role: 'system', content: 'One.\n\nTwo.' },
        { role: 'user', content: 'ab' },
        { role: 'assistant', content: 'c' },
        { role: 'user', content: 'd' },
      ],
      n: 1,
      temperature: 0.3,
      topP: 0.9,
      seed: 11,
      stop: ['\n', 'END'],
      stopAfter: '</think>',
    });
    expect(model.asked[1]?.temperature).toBe(0.6);
    expect(model.asked[1]?.seed).toBeTypeOf('number');
    expect(model.asked[1]?.stop).toBeUndefined();
  });

  it('has what stands before the conversation, for a model that has a specification in its context', async () => {
    const model = handModel(() => ['y']);
    const layOut: ServedModel['layOut'] = (messages) => ({
      messages: [{ role: 'system', content: 'Policies' }, ...messages],
      sharedMessages: 1,
    });
    const { client } = await start([served(model, { layOut })]);
    await client.chat.completions.create({ model: 'sft+rl', messages: user('e') });
    expect(model.asked[0]).toMatchObject({
      messages: [
        { role: 'system', content: 'Policies' },
        { role: 'user', content: 'e' },
      ],
      sharedMessages: 1,
    });
  });

  it('goes to the engine at once, however many ask', async () => {
    let waiting = 0;
    let release: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (release = resolve));
    const model = handModel(async () => {
      if (++waiting === 40) release();
      await all;
      return ['y'];
    });
    const { client } = await start([served(model)]);
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => client.chat.completions.create({ model: 'sft+rl', messages: user('e') })),
    );
    expect(answers.map(({ choices }) => choices[0]?.message.content)).toEqual(Array.from({ length: 40 }, () => 'y'));
  });
});

describe('stop and reasoning', () => {
  const text = '<think>\nThe user asks.\nDecision: comply\n</think>\nFirst line.\nSecond line.';

  it('stop counts in the answer, of an engine that cannot stream or stop as well', async () => {
    const { client } = await start([served(handModel(() => [text]))]);
    const ask = { model: 'sft+rl', messages: user('e'), stop: '\n' };
    const whole = await client.chat.completions.create(ask);
    expect(whole.choices[0]?.message.content).toBe('First line.');
    expect(whole.choices[0]?.finish_reason).toBe('stop');
    let streamed = '';
    for await (const chunk of await client.chat.completions.create({ ...ask, stream: true }))
      streamed += chunk.choices[0]?.delta.content ?? '';
    expect(streamed).toBe('First line.');
  });

  it('hides the chain of thought where it is told to, in every byte of the answer', async () => {
    const model = handModel(({ onText }) => {
      for (const piece of text.split(/(?<= )/)) onText?.(0, piece);
      return [text];
    });
    const { address } = await start([served(model)], { reasoning: 'hide' });
    for (const stream of [false, true]) {
      const answer = await fetch(`${address}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'sft+rl', messages: user('e'), stream }),
      });
      const body = await answer.text();
      expect(body).toContain('Second line.');
      expect(body).not.toContain('Decision');
      expect(body).not.toContain('think');
      expect(body).not.toContain('reasoning');
    }
  });
});
