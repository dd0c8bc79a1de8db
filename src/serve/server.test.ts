/** What all our servers share: refusals, failures, leaving, draining, metrics. */
import { request as httpRequest } from 'node:http';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { dependencyError, inputError } from '../base/errors.js';
import { endlessModel, handModel, served, specification, start, stopAll, user } from './hand-model.js';

afterEach(stopAll);

const until = async (holds: () => boolean) => {
  for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
};

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
    ['a tool that is demanded', { tools: [{}], tool_choice: 'required' }, 'tool_choice', 400],
    ['one tool by name', { tools: [{}], tool_choice: { type: 'function', function: { name: 'f' } } }, 'tool_choice', 400],
    ['a function by name', { functions: [{}], function_call: { name: 'f' } }, 'function_call', 400],
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
      tools: [{ type: 'function', function: { name: 'search', parameters: {} } }],
      tool_choice: 'auto',
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

  it('paths that lead out: there are no files behind any address', async () => {
    const { server } = await start([served(model)]);
    for (const path of [
      '/v1/models/../../../../etc/passwd',
      '/v1/models/..%2f..%2f..%2f..%2fetc%2fpasswd',
      '/v1/models/%252e%252e/package.json',
      '/v1/models//etc/passwd',
      '/../package.json',
      '/metrics/../../package.json',
    ]) {
      const answer = await server.app.inject({ url: path, headers: { host: '127.0.0.1' } });
      expect([answer.statusCode, answer.json()], path).toMatchObject([404, { error: { type: 'invalid_request_error' } }]);
      expect(answer.body, path).not.toMatch(/root:|"version"/);
    }
  });

  it('requests of other pages, whatever their kind', async () => {
    const unasked = handModel(() => ['y']);
    const { server } = await start([served(unasked)]);
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ])
      for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'] as const)
        for (const url of ['/v1/chat/completions', '/v1/models', '/metrics', '/healthz']) {
          const answer = await server.app.inject({
            method,
            url,
            headers: { host: '127.0.0.1', ...headers } as Record<string, string>,
            payload: method === 'POST' ? good : '',
          });
          expect([answer.statusCode, answer.headers['access-control-allow-origin']], `${method} ${url}`).toEqual([403, undefined]);
        }
    expect(unasked.asked).toHaveLength(0);
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

  it('browsers of other pages, but of those that were allowed by name: these are given leave before they ask', async () => {
    const { server } = await start([served(model)], { allowOrigins: ['https://chat.example'], token: 'secret' });
    const ask = (origin: string) => server.app.inject({ method: 'OPTIONS', url: '/v1/chat/completions', headers: { origin } });
    const allowed = await ask('https://chat.example');
    expect([allowed.statusCode, allowed.headers['access-control-allow-origin']]).toEqual([204, 'https://chat.example']);
    const other = await ask('https://evil.example');
    expect([other.statusCode, other.headers['access-control-allow-origin']]).toEqual([403, undefined]);
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
    const of = async (failure: Error) => {
      const { client } = await start(
        [
          served(
            handModel(async () => {
              throw failure;
            }),
          ),
        ],
        {
          onFailure: (thrown) => failures.push(String(thrown)),
        },
      );
      const answer = (stream: boolean) => client.chat.completions.create({ ...good, stream } as never).catch((thrown: unknown) => thrown);
      const answers = [await answer(false), await answer(true)];
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
    await expect(client.chat.completions.create(good)).rejects.toThrow('Connection error');
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
    await Promise.all([expect(reading).rejects.toThrow('shutting down'), server.drain(50)]);
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
