import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DeliberateError } from '../../base/errors.js';
import { ServerSettings, type ModelRole, type ServerKind } from '../../base/server-settings.js';
import { inStage } from '../../base/stage-scope.js';
import { splitCot } from '../../lm/split-cot.js';
import { startScriptedServer, type ScriptedServer, type ScriptedServerOptions } from './scripted-server.js';
import { openServerModel, type ServerModel } from './server-model.js';

let home: string;
const open: (ServerModel | ScriptedServer)[] = [];
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-openai-'));
  return () => rm(home, { recursive: true, force: true });
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

interface Given {
  role?: ModelRole;
  settings?: Partial<ServerSettings>;
  cacheFile?: string;
}

async function start(server: ScriptedServerOptions, { role = 'generator', settings = {}, cacheFile }: Given = {}) {
  const scripted = await startScriptedServer(server);
  open.push(scripted);
  const model = await openServerModel({
    role,
    settings: ServerSettings.parse({ engine: 'openai', baseUrl: scripted.url, model: 'm', ...settings }),
    firstWait: 5,
    ...(cacheFile !== undefined && { cacheFile: path.join(home, cacheFile) }),
  });
  open.push(model);
  // The question by which it connects.
  scripted.asked.length = 0;
  scripted.headers.length = 0;
  return { server: scripted, model, chat: model.model };
}

const messages = [{ role: 'user' as const, content: 'May I?' }];
const prefilled = [...messages, { role: 'assistant' as const, content: 'Grade: ' }];
const kinds: ServerKind[] = ['vllm', 'sglang', 'llamacpp', 'ollama', 'openai', 'other'];
const grade = [
  { token: '4', logprob: Math.log(0.6) },
  { token: '8', logprob: Math.log(0.3) },
];

describe('a model on a server', () => {
  for (const kind of kinds) {
    it(`gives n different samples with their thoughts: ${kind}`, async () => {
      const { server, chat, model } = await start(
        { kind, tell: ({ seed }, sample) => ({ content: `Answer ${Number(seed) + sample}.`, reasoning: 'I think.' }) },
        { settings: { server: kind } },
      );
      const { choices, usage } = await chat.chat({ messages, n: 3, maxTokens: 50, temperature: 0.7, topP: 0.9, seed: 7 });
      expect(choices.map(({ text }) => splitCot(text))).toEqual(
        [7, 8, 9].map((n) => ({ cot: 'I think.', answer: `Answer ${n}.`, malformed: false })),
      );
      expect(choices.every(({ stopReason }) => stopReason === 'stop')).toBe(true);
      if (kind !== 'other') expect(usage.completionTokens).toBe(15);
      const one = ['vllm', 'sglang', 'openai'].includes(kind);
      expect(server.asked.map(({ n }) => n)).toEqual(one ? [3] : [undefined, undefined, undefined]);
      expect(server.asked[0]).toMatchObject({ model: 'm', temperature: 0.7, top_p: 0.9, messages });
      expect(server.asked[0]).toHaveProperty(kind === 'openai' ? 'max_completion_tokens' : 'max_tokens', 50);
      expect(model.profile.kind).toBe(kind);
    });
  }

  it('recognises the server by its list of models', async () => {
    for (const [kind, found] of Object.entries({
      vllm: 'vllm',
      sglang: 'sglang',
      llamacpp: 'llamacpp',
      ollama: 'ollama',
      other: 'other',
    })) {
      expect((await start({ kind: kind as ServerKind })).model.profile.kind).toBe(found);
    }
  });

  it('turns off truncation that the server would add by itself', async () => {
    const { server, chat } = await start({ kind: 'llamacpp' });
    await chat.chat({ messages, maxTokens: 5 });
    await chat.chat({ messages, maxTokens: 5, topK: 20 });
    expect(server.asked).toMatchObject([
      { temperature: 1, top_p: 1, top_k: 0, min_p: 0 },
      { top_k: 20, min_p: 0 },
    ]);
  });

  it('asks for the rest where a server gives fewer samples than asked for', async () => {
    const { server, chat } = await start(
      { kind: 'other', tell: ({ seed }) => ({ content: String(seed) }) },
      { settings: { server: 'vllm' } },
    );
    const { choices } = await chat.chat({ messages, n: 3, maxTokens: 5, seed: 1 });
    expect(choices.map(({ text }) => text)).toEqual(['1', '2', '3']);
    await chat.chat({ messages, n: 2, maxTokens: 5, seed: 1 });
    expect(server.asked.map(({ n }) => n)).toEqual([3, undefined, undefined, undefined, undefined]);
  });

  it("continues the assistant's turn in each server's way, and says where it cannot", async () => {
    const asked = async (kind: ServerKind) => {
      const { server, chat } = await start({ kind });
      await chat.chat({ messages: prefilled, maxTokens: 5 });
      return server.asked[0];
    };
    expect(await asked('vllm')).toMatchObject({ messages: prefilled, continue_final_message: true, add_generation_prompt: false });
    expect(await asked('sglang')).toMatchObject({ continue_final_message: true });
    expect(await asked('llamacpp')).not.toHaveProperty('continue_final_message');
    await expect(asked('ollama')).rejects.toThrow(/cannot continue a turn/);
  });

  it('asks for JSON with its schema where the server holds the model to it', async () => {
    const jsonSchema = { name: 'verdict', schema: { type: 'object' } };
    const asked = async (settings: Partial<ServerSettings>) => {
      const { server, chat } = await start({ kind: 'vllm' }, { settings });
      await chat.chat({ messages, maxTokens: 5, jsonSchema });
      return server.asked[0]?.['response_format'];
    };
    expect(await asked({})).toEqual({ type: 'json_schema', json_schema: { name: 'verdict', schema: { type: 'object' }, strict: true } });
    expect(await asked({ structured: false })).toBeUndefined();
    expect(await asked({ server: 'other' })).toBeUndefined();
  });

  it('sends fields of the settings, and leaves out those set to null', async () => {
    const { server, chat } = await start({}, { settings: { body: { reasoning_effort: 'low', temperature: null } } });
    await chat.chat({ messages, maxTokens: 5, temperature: 0.5 });
    expect(server.asked[0]).toMatchObject({ reasoning_effort: 'low' });
    expect(server.asked[0]).not.toHaveProperty('temperature');
  });

  it('does not let the server stop in the thought where stops count in the answer only', async () => {
    const { server, chat } = await start({ tell: () => ({ content: 'One. END two', reasoning: 'The END.' }) });
    const { choices } = await chat.chat({ messages, maxTokens: 50, stop: ['END'], stopAfter: '</think>' });
    expect(choices[0]?.text).toBe('<think>\nThe END.\n</think>\nOne. ');
    expect(server.asked[0]).not.toHaveProperty('stop');
  });
});

describe('choices by log-probability', () => {
  it('are offered to a judge where the server gives them, after a prefill', async () => {
    const { server, chat } = await start({ kind: 'vllm', tell: () => ({ content: '4', top: grade }) }, { role: 'judge' });
    const logprobs = await chat.choiceLogprobs!({ messages: prefilled, choices: ['4', '8', '1'] });
    expect(logprobs.map((one) => Math.exp(one))).toEqual([expect.closeTo(0.6), expect.closeTo(0.3), 0]);
    expect(server.asked.at(-1)).toMatchObject({
      max_tokens: 1,
      logprobs: true,
      top_logprobs: 20,
      continue_final_message: true,
      messages: prefilled,
    });
  });

  it('are asked for in the user turn where nothing can be prefilled', async () => {
    const { server, chat } = await start(
      { kind: 'openai', tell: () => ({ content: '4', top: grade }) },
      { role: 'judge', settings: { server: 'openai' } },
    );
    await chat.choiceLogprobs!({ messages: prefilled, choices: ['4', '8'] });
    expect(server.asked.at(-1)!.messages).toEqual([{ role: 'user', content: 'May I?\nReply with one of 4, 8 and nothing else.' }]);
  });

  const without: Record<string, [ScriptedServerOptions, Given?]> = {
    'the server gives none': [{ tell: () => ({ content: '4' }) }],
    'the server refuses to': [
      {
        fault: (_call, { logprobs }) =>
          logprobs ? { kind: 'status', status: 400, body: { error: { message: 'prefill is incompatible with thinking' } } } : null,
      },
    ],
    'the model reasons by itself': [{ tell: () => ({ content: '4', reasoning: 'Hm.', top: grade }) }],
    'the model was about to write something else': [{ tell: () => ({ content: 'A', top: [{ token: 'A', logprob: -0.001 }] }) }],
    'the settings say so': [{ tell: () => ({ content: '4', top: grade }) }, { settings: { logprobs: false } }],
    'the role needs none': [{ tell: () => ({ content: '4', top: grade }) }, { role: 'generator' }],
  };
  for (const [when, [server, given]] of Object.entries(without)) {
    it(`are absent, so that JSON is asked for, when ${when}`, async () => {
      expect((await start(server, { role: 'judge', ...given })).chat.choiceLogprobs).toBeUndefined();
    });
  }
});

describe('the key', () => {
  it('is read from the variable that is named, sent, and shown nowhere', async () => {
    process.env['DELIBERATE_TEST_KEY'] = 'sk-secret-1';
    const { server, chat } = await start(
      { fault: (call) => (call > 1 ? { kind: 'status', status: 400, body: { error: { message: 'bad key sk-secret-1' } } } : null) },
      { settings: { apiKeyEnv: 'DELIBERATE_TEST_KEY' }, cacheFile: 'key.jsonl' },
    );
    const error = await chat.chat({ messages, maxTokens: 5, seed: 1 }).catch((one: unknown) => one as Error);
    expect(server.headers[0]?.['authorization']).toBe('Bearer sk-secret-1');
    expect((error as Error).message).toContain('bad key ***');
    expect(await readFile(path.join(home, 'key.jsonl'), 'utf8')).not.toContain('sk-secret');
  });

  it('is asked for when it is missing or refused', async () => {
    await expect(start({}, { settings: { apiKeyEnv: 'DELIBERATE_NO_SUCH_KEY' } })).rejects.toThrow(/DELIBERATE_NO_SUCH_KEY is not set/);
    const refusing: ScriptedServerOptions = { fault: () => ({ kind: 'status', status: 401 }) };
    await expect(start(refusing)).rejects.toThrow(/wants a key.*apiKeyEnv/);
    await expect(start(refusing, { settings: { apiKeyEnv: 'DELIBERATE_TEST_KEY' } })).rejects.toThrow(
      /Check the key in the variable DELIBERATE_TEST_KEY/,
    );
  });
});

describe('answers given before', () => {
  it('are not asked for again, also by the next process, where the request is a repetition', async () => {
    const first = await start({ tell: ({ seed }) => ({ content: `for ${seed}` }) }, { cacheFile: 'again.jsonl' });
    const request = { messages, n: 2, maxTokens: 5, seed: 3 };
    const answer = await first.chat.chat(request);
    expect(await first.chat.chat(request)).toEqual(answer);
    expect(first.server.asked).toHaveLength(1);
    const again = await openServerModel({
      role: 'generator',
      settings: ServerSettings.parse({ engine: 'openai', baseUrl: first.server.url, model: 'm' }),
      cacheFile: path.join(home, 'again.jsonl'),
    });
    open.push(again);
    expect(await again.model.chat(request)).toEqual(answer);
    expect(await again.model.chat({ ...request, seed: 4 })).not.toEqual(answer);
    expect(again.usage()).toMatchObject([{ calls: 2, cached: 1 }]);
  });

  it('are asked for again where each asking is a new sample', async () => {
    const { server, chat } = await start({}, { cacheFile: 'fresh.jsonl' });
    await chat.chat({ messages, maxTokens: 5 });
    await chat.chat({ messages, maxTokens: 5 });
    await chat.chat({ messages, maxTokens: 5, temperature: 0 });
    await chat.chat({ messages, maxTokens: 5, temperature: 0 });
    expect(server.asked).toHaveLength(3);
  });
});

describe('what it cost', () => {
  it('is counted by stage', async () => {
    const { chat, model } = await start(
      { kind: 'sglang', tokens: 100, tell: () => ({ content: 'Yes.', reasoning: 'Hm.' }) },
      { role: 'judge', settings: { price: { input: 1, output: 10 } } },
    );
    await inStage('judge', () => Promise.all([chat.chat({ messages, maxTokens: 5 }), chat.chat({ messages, maxTokens: 5 })]));
    await inStage('rl', () => chat.chat({ messages, maxTokens: 5 }));
    const rows = model.usage();
    expect(rows.map(({ stage, calls }) => [stage, calls])).toEqual([
      ['other', 1],
      ['judge', 2],
      ['rl', 1],
    ]);
    expect(rows[1]).toMatchObject({ role: 'judge', model: 'm', promptTokens: 20, completionTokens: 200, reasoningTokens: 4, uncounted: 0 });
    expect(rows[1]!.cost).toBeCloseTo((20 * 1 + 200 * 10) / 1e6);
  });
});

describe('a proxy', () => {
  /** Carries every connection to one server, whatever host was asked for. */
  async function startProxy(to: ScriptedServer) {
    const asked: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, client) => {
      asked.push(request.url ?? '');
      const upstream = connect(to.port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      upstream.on('error', () => client.destroy());
      client.on('error', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    return { asked, url: `http://127.0.0.1:${port}`, close: async () => void proxy.close() };
  }

  it('is used as the variables say, and never for a server on this machine', async () => {
    const server = await startScriptedServer({});
    const proxy = await startProxy(server);
    const before = process.env['http_proxy'];
    process.env['http_proxy'] = proxy.url;
    try {
      const here = await start({});
      await here.chat.chat({ messages, maxTokens: 5 });
      expect(proxy.asked).toEqual([]);
      const away = await openServerModel({
        role: 'generator',
        settings: ServerSettings.parse({ engine: 'openai', baseUrl: 'http://model.invalid:8000', model: 'm' }),
      });
      expect((await away.model.chat({ messages, maxTokens: 5 })).choices[0]?.text).toBe('Hello.');
      expect(new Set(proxy.asked)).toEqual(new Set(['model.invalid:8000']));
      await away.close();
    } finally {
      if (before === undefined) delete process.env['http_proxy'];
      else process.env['http_proxy'] = before;
      await proxy.close();
      await server.close();
    }
  });
});

describe('settings', () => {
  it('refuse secrets in an address, and a key in place of its name', () => {
    const of = (over: object) => ServerSettings.safeParse({ engine: 'openai', baseUrl: 'http://host', model: 'm', ...over });
    expect(of({}).success).toBe(true);
    for (const over of [
      { baseUrl: 'http://u:p@host' },
      { baseUrl: 'http://host/v1?key=x' },
      { baseUrl: 'ftp://host' },
      { baseUrl: 'host' },
      { apiKeyEnv: 'sk-123' },
    ])
      expect(of(over).success).toBe(false);
  });

  it('name the field when the model is unknown', async () => {
    const error = await start({
      fault: () => ({ kind: 'status', status: 404, body: { error: { message: 'model m does not exist' } } }),
    }).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(DeliberateError);
    expect(error).toMatchObject({ kind: 'input', message: expect.stringMatching(/generator: m at http.*model m does not exist.*baseUrl/) });
  });
});
