/** Chat completions as the openai client sees them, over the scripted engine and over models that a test holds in its hand. */
import { request as httpRequest } from 'node:http';
import OpenAI from 'openai';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dependencyError, inputError } from '../base/errors.js';
import type { ChatModel, ChatRequest, ChatResponse } from '../engines/types.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { readReply } from './reply-stream.js';
import { addChatRoutes, type ChatRouteOptions } from './chat-routes.js';
import { createServer, type Server, type ServerOptions } from './server.js';
import { servedSpecification, type ServedModel } from './served-model.js';

const specification = servedSpecification({ none: 'a', violence: 'b' });
const served = (model: ChatModel, more: Partial<ServedModel> = {}): ServedModel => ({
  id: 'sft+rl',
  model,
  fingerprint: 'f00d',
  specification,
  created: 1_700_000_000,
  ...more,
});

const running: Server[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.drain(0)));
});

type Options = Partial<ChatRouteOptions> & Partial<ServerOptions>;
async function start(models: ServedModel[], options: Options = {}) {
  const server = createServer({
    ...options,
    routes: (app, context) => addChatRoutes(app, context, { models, reasoning: 'show', maxTokens: 512, temperature: 0, ...options }),
  });
  running.push(server);
  const address = await server.listen('127.0.0.1', 0);
  return { server, address, client: new OpenAI({ baseURL: `${address}/v1`, apiKey: options.token ?? 'none', maxRetries: 0 }) };
}

/** A model that says what it is told to, and remembers what it was asked. */
function handModel(say: (request: ChatRequest) => Promise<string[]> | string[]): ChatModel & { asked: ChatRequest[] } {
  const asked: ChatRequest[] = [];
  return {
    name: 'hand',
    asked,
    async chat(request): Promise<ChatResponse> {
      asked.push(request);
      const texts = await say(request);
      return {
        choices: texts.map((text) => ({ text, stopReason: 'stop', tokens: 7 })),
        usage: { promptTokens: 3, completionTokens: 7 * texts.length },
      };
    },
  };
}

/** Writes a word at a time until its signal is aborted. */
function endlessModel() {
  const state = { words: 0, aborted: false };
  const model: ChatModel = {
    name: 'endless',
    async chat({ onText, signal }) {
      for (;;) {
        if (signal?.aborted) {
          state.aborted = true;
          throw signal.reason;
        }
        onText?.(0, `word${state.words++} `);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  };
  return { model, state };
}

const until = async (holds: () => boolean) => {
  for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
};
const user = (content: string) => [{ role: 'user' as const, content }];
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

describe('what is refused', () => {
  const model = handModel(() => ['y']);
  const good = { model: 'sft+rl', messages: user('e') };

  it.each([
    ['no messages', { messages: [] }, 'messages', 400],
    ['a role that is none', { messages: [{ role: 'robot', content: 'e' }] }, 'messages[0].role', 400],
    ['a picture', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] }, 'messages[0].content', 400],
    ['an open assistant turn', { messages: [...user('e'), { role: 'assistant', content: '<think>' }] }, 'messages', 400],
    ['n = 0', { n: 0 }, 'n', 400],
    ['n = 17', { n: 17 }, 'n', 400],
    ['a temperature of 3', { temperature: 3 }, 'temperature', 400],
    ['top_p = 0', { top_p: 0 }, 'top_p', 400],
    ['max_tokens as text', { max_tokens: '5' }, 'max_tokens', 400],
    ['five stops', { stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop', 400],
    ['an empty stop', { stop: '' }, 'stop', 400],
    ['tools', { tools: [{}] }, 'tools', 400],
    ['structured outputs', { response_format: { type: 'json_object' } }, 'response_format.type', 400],
    ['another model', { model: 'gpt' }, 'model', 404],
  ])('%s', async (_name, change, param, status) => {
    const { client } = await start([served(model)]);
    const error = await client.chat.completions.create({ ...good, ...change } as never).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.APIError);
    expect(error).toMatchObject({ status, param, type: 'invalid_request_error' });
    expect((error as Error).message.length).toBeGreaterThan(10);
  });

  it('nothing that is only unknown, empty or at its default', async () => {
    const { client } = await start([served(model)]);
    const extra = {
      tools: [],
      frequency_penalty: 0,
      logprobs: false,
      stop: null,
      n: null,
      user: 'x',
      chat_id: 'of some client',
      logit_bias: {},
    };
    await expect(client.chat.completions.create({ ...good, ...extra } as never)).resolves.toBeTruthy();
  });

  it('bodies that are no JSON, of another type, or too large', async () => {
    const { address } = await start([served(model)], { bodyLimit: 1000 });
    const post = async (body: string, type = 'application/json') => {
      const answer = await fetch(`${address}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': type }, body });
      return [answer.status, ((await answer.json()) as { error: { type: string } }).error.type];
    };
    expect(await post('{"a":')).toEqual([400, 'invalid_request_error']);
    expect(await post('[]')).toEqual([400, 'invalid_request_error']);
    expect(await post(JSON.stringify(good), 'text/plain')).toEqual([415, 'invalid_request_error']);
    expect(await post(JSON.stringify({ ...good, messages: user('e'.repeat(1000)) }))).toEqual([413, 'invalid_request_error']);
    const unknown = await fetch(`${address}/v1/nothing`);
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { error: { type: 'invalid_request_error' } }]);
  });

  it('a name in Host that is not its own, and other web pages', async () => {
    const { address } = await start([served(model)]);
    const status = (headers: Record<string, string>, path = '/v1/models') =>
      new Promise<number>((resolve, reject) => {
        httpRequest(`${address}${path}`, { headers }, (answer) => {
          answer.resume();
          resolve(answer.statusCode ?? 0);
        })
          .on('error', reject)
          .end();
      });
    expect(await status({ host: 'rebound.example' })).toBe(403);
    expect(await status({ host: 'rebound.example' }, '/metrics')).toBe(403);
    expect(await status({ origin: 'https://evil.example' })).toBe(403);
    expect(await status({})).toBe(200);
  });

  it('callers without the key, where there is one', async () => {
    const { client, address } = await start([served(model)], { token: 'secret' });
    await expect(client.chat.completions.create(good)).resolves.toBeTruthy();
    const other = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'guess', maxRetries: 0 });
    await expect(other.chat.completions.create(good)).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
    expect((await fetch(`${address}/healthz`)).status).toBe(200);
    expect((await fetch(`${address}/metrics`)).status).toBe(401);
  });

  it('more at a time than it was told to take, with the advice to wait', async () => {
    const { model: endless } = endlessModel();
    const { client } = await start([served(endless)], { maxInFlight: 2 });
    const [first, second] = [new AbortController(), new AbortController()];
    const held = [first, second].map((controller) =>
      client.chat.completions.create({ ...good, stream: true }, { signal: controller.signal }),
    );
    await Promise.all(held);
    const error = await client.chat.completions.create(good).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 429 });
    expect((error as { headers: Headers }).headers.get('retry-after')).toBe('1');
    first.abort();
    second.abort();
  });
});

describe('failures', () => {
  const good = { model: 'sft+rl', messages: user('e') };

  it('are told by whose they are, and our own only to the log', async () => {
    const failures: string[] = [];
    const of = async (error: Error) => {
      const { client } = await start([served(handModel(() => Promise.reject(error)))], {
        onFailure: (thrown) => failures.push(String(thrown)),
      });
      const answers = await Promise.all(
        [false, true].map((stream) => client.chat.completions.create({ ...good, stream } as never).catch((thrown: unknown) => thrown)),
      );
      expect(answers[0]).toMatchObject({ status: (answers[1] as { status: number }).status });
      return answers[1] as { status: number; message: string };
    };
    expect(await of(inputError('a prompt of 9 tokens does not fit'))).toMatchObject({
      status: 400,
      message: expect.stringContaining('does not fit'),
    });
    expect(failures).toEqual([]);
    expect(await of(dependencyError('the worker ended'))).toMatchObject({ status: 503 });
    const own = await of(new Error('inner secret'));
    expect(own.status).toBe(500);
    expect(own.message).not.toContain('secret');
    expect(failures.join()).toContain('inner secret');
  });

  it('in the middle of a stream end it with an error', async () => {
    const model = handModel(({ onText }) => {
      onText?.(0, 'Half of');
      return Promise.reject(dependencyError('the worker ended'));
    });
    const { client } = await start([served(model)]);
    const stream = await client.chat.completions.create({ ...good, stream: true });
    let text = '';
    const reading = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    })();
    await expect(reading).rejects.toThrow('the worker ended');
    expect(text).toBe('Half of');
  });
});

describe('leaving and ending', () => {
  const good = { model: 'sft+rl', messages: user('e') };

  it('stops the generation when the client leaves, in a stream and before an answer', async () => {
    for (const stream of [true, false]) {
      const { model, state } = endlessModel();
      const { client, server } = await start([served(model)]);
      const controller = new AbortController();
      const asked = client.chat.completions.create({ ...good, stream } as never, { signal: controller.signal }).catch(() => undefined);
      await until(() => state.words > 3);
      controller.abort();
      await asked;
      await until(() => state.aborted);
      const { words } = state;
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(state.words).toBe(words);
      expect(await server.metrics.registry.getSingleMetricAsString('deliberate_http_requests_total')).toContain('status="499"} 1');
    }
  });

  it('ends without losing what is being written: takes no more, answers the rest', async () => {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const model = handModel(async ({ onText }) => {
      onText?.(0, 'First ');
      await released;
      onText?.(0, 'and last.');
      return ['First and last.'];
    });
    const { client, server } = await start([served(model)]);
    const whole = client.chat.completions.create(good);
    const stream = await client.chat.completions.create({ ...good, stream: true });
    await until(() => model.asked.length === 2);
    const drained = server.drain(10_000);
    await until(() => !server.app.server.listening);
    await expect(client.chat.completions.create(good)).rejects.toThrow();
    release();
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe('First and last.');
    expect((await whole).choices[0]?.message.content).toBe('First and last.');
    const started = performance.now();
    await drained;
    // Connections that clients keep alive do not hold it up.
    expect(performance.now() - started).toBeLessThan(2000);
    expect(model.asked).toHaveLength(2);
  });

  it('ends what takes longer than it was told to wait, with an error', async () => {
    const { model, state } = endlessModel();
    const { client, server } = await start([served(model)]);
    const stream = await client.chat.completions.create({ ...good, stream: true });
    const reading = (async () => {
      for await (const chunk of stream) expect(chunk.object).toBe('chat.completion.chunk');
    })();
    const told = expect(reading).rejects.toThrow('shutting down');
    await server.drain(50);
    await told;
    expect(state.aborted).toBe(true);
  });
});

describe('metrics', () => {
  it('count requests, tokens and time in the format of Prometheus', async () => {
    const { client, address } = await start([served(handModel(() => ['y', 'z']))]);
    await client.chat.completions.create({ model: 'sft+rl', messages: user('e'), n: 2 });
    await client.chat.completions.create({ model: 'none', messages: user('e') }).catch(() => undefined);
    const answer = await fetch(`${address}/metrics`);
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const text = await answer.text();
    expect(text).toContain('deliberate_http_requests_total{route="/v1/chat/completions",status="200"} 1');
    expect(text).toContain('deliberate_http_requests_total{route="/v1/chat/completions",status="404"} 1');
    expect(text).toContain('deliberate_completion_tokens_total{model="sft+rl"} 14');
    expect(text).toContain('deliberate_completions_total{model="sft+rl",finish_reason="stop"} 2');
    expect(text).toContain(`deliberate_model_info{model="sft+rl",specification="${specification.digest}"} 1`);
    expect(text).toMatch(/deliberate_requests_in_flight 1/);
  });
});
