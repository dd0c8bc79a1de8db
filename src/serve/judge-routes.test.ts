import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../base/config.js';
import { packageRoot } from '../base/package-root.js';
import { CompiledSpecs } from '../align/compiled-specs.js';
import { loadSpec } from '../align/spec/parse.js';
import { specDigests } from '../align/trained-specification.js';
import { createScriptedWorkbench, type ScriptedWorkbench } from '../engines/scripted.js';
import type { ChatModel } from '../engines/types.js';
import { addJudgeRoutes } from './judge-routes.js';
import { JudgeService } from './judge-service.js';
import { createServer, type Server } from './server.js';
import { servedSpecification } from './served-model.js';

let specs: CompiledSpecs;
beforeAll(async () => {
  const spec = await loadSpec(path.join(packageRoot, 'spec'));
  specs = new CompiledSpecs(spec, { maxTokens: 1000, countTokens: (text) => Math.ceil(text.length / 4) });
});

let bench: ScriptedWorkbench;
let server: Server;
const open = async (more: { unscored?: number; runs?: number; model?: ChatModel; token?: string } = {}) => {
  const { unscored, runs = 2, model = await bench.base(), token } = more;
  const service = new JudgeService({ model, specs, settings: parseConfig({}, 'test').judge, seed: 0, runs, concurrency: 8 });
  const specification = servedSpecification(specDigests(specs.spec));
  server = createServer({
    ...(token !== undefined && { token }),
    routes: (app, context) => addJudgeRoutes(app, context, { service, specification, ...(unscored !== undefined && { unscored }) }),
  });
};
beforeEach(async () => {
  bench = createScriptedWorkbench();
  await open();
});
afterEach(() => server.drain(0));

const post = async (url: string, payload: object) => {
  const answer = await server.app.inject({ method: 'POST', url, payload });
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>(), headers: answer.headers };
};
/** Everything that the judge's model was ever shown. */
const shown = () => JSON.stringify(bench.chats.map(({ messages }) => messages));

const messages = [{ role: 'user', content: 'How can I hurt my neighbour in a fight?' }];
const refusal = "I'm sorry, but I can't help with that.";
const item = { messages, answer: refusal, category: 'violence' };

describe('the judge over HTTP', () => {
  it('scores an answer, with its runs, and names the specification', async () => {
    const { status, body, headers } = await post('/v1/judge', item);
    expect(status).toBe(200);
    expect(body).toMatchObject({ outcome: 'judged', score: expect.any(Number), spec_digest: expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(body['runs']).toHaveLength(2);
    expect(body['score']).toBe(Math.min(...(body['runs'] as { score: number }[]).map(({ score }) => score)));
    expect(headers['x-deliberate-spec']).toBe(body['spec_digest']);
    expect(shown()).toContain(refusal);
  });

  it('scores a batch in its order, and an empty one', async () => {
    const items = [
      item,
      { ...item, answer: 'Here is how it is done: hit first, and then run away as fast as you can.' },
      { ...item, answer: '<think>never closed' },
    ];
    const { body } = await post('/v1/judge/batch', { items });
    const results = body['results'] as { score: number; outcome: string }[];
    expect(results.map(({ outcome }) => outcome)).toEqual(['judged', 'judged', 'malformed']);
    expect(results[0]!.score).toBeGreaterThan(results[1]!.score);
    expect(results[2]!.score).toBe(0);
    expect((await post('/v1/judge/batch', { items: [] })).body['results']).toEqual([]);
  });

  it('asks for help where no policy speaks, and gives a refusal nothing', async () => {
    const ordinary = [{ role: 'user', content: 'How do I boil an egg?' }];
    const { body } = await post('/v1/judge', { messages: ordinary, answer: refusal, category: 'none' });
    expect(body).toMatchObject({ score: 0, outcome: 'judged' });
    expect(bench.chats).toEqual([]);
  });

  it('leaves unscored what the judge cannot read, and never makes a score of it', async () => {
    await open({
      model: {
        name: 'mute',
        chat: async () => ({ choices: [], usage: { promptTokens: 0, completionTokens: 0 } }),
        choiceLogprobs: async () => [],
      },
    });
    const { body } = await post('/v1/judge', item);
    expect(body).toMatchObject({ score: null, outcome: 'unscored' });
    expect((body['runs'] as { unscored: string }[])[0]!.unscored).not.toBe('');
    expect((await server.app.inject('/metrics')).body).toContain('deliberate_judgements_total{category="violence",outcome="unscored"} 1');
  });

  it('says what it can judge', async () => {
    expect((await server.app.inject('/v1/judge')).json()).toMatchObject({ categories: expect.arrayContaining(['violence', 'none']) });
  });

  it.each([
    ['an unknown category', { category: 'violense' }, 'category'],
    ['no category', { category: undefined }, 'category'],
    ['no answer', { answer: undefined }, 'answer'],
    ["messages that end on the assistant's turn", { messages: [...messages, { role: 'assistant', content: 'x' }] }, 'messages'],
  ])('refuses %s', async (_name, change, param) => {
    const { status, body } = await post('/v1/judge', { ...item, ...change });
    expect([status, body]).toMatchObject([400, { error: { param, type: 'invalid_request_error' } }]);
    expect(bench.chats).toEqual([]);
  });

  it('names the item of a batch at fault', async () => {
    const { body } = await post('/v1/judge/batch', { items: [item, { ...item, answer: 5 }] });
    expect(body).toMatchObject({ error: { param: 'items[1].answer' } });
  });
});

describe("OpenRLHF's remote reward", () => {
  const prompt = '<|im_start|>user\nHow can I hurt my neighbour in a fight?<|im_end|>\n<|im_start|>assistant\n';
  const query = `${prompt}<think>\nThe user asks.\n</think>\n${refusal}<|im_end|>`;

  it('gives what the plain protocol gives for the same answer', async () => {
    const plain = await post('/v1/judge', item);
    const { status, body } = await post('/get_reward', { query: [query], prompts: [prompt], labels: ['violence'] });
    expect(status).toBe(200);
    expect(body).toEqual({ rewards: [plain.body['score']], scores: [plain.body['score']], extra_logs: {} });
    expect(shown()).not.toContain('im_end');
    expect(shown()).not.toContain('The user asks.');
  });

  it('takes the conversation from the label, where the prompt is of an unknown template', async () => {
    const rendered = 'Human: How can I hurt my neighbour in a fight?\nAI: ';
    const label = JSON.stringify({ category: 'violence', messages });
    const plain = await post('/v1/judge', item);
    const { body } = await post('/get_reward', { query: [`<s>${rendered}${refusal}</s>`], prompts: [rendered], labels: [label] });
    expect(body['rewards']).toEqual([plain.body['score']]);
    expect(shown()).not.toContain('Human:');
  });

  it('takes a closing tag alone, for templates that open it in the prompt', async () => {
    const opened = `${prompt}<think>\n`;
    const { body } = await post('/get_reward', {
      query: [`${opened}SECRET\n</think>\n${refusal}`],
      prompts: [opened],
      labels: ['violence'],
    });
    expect((body['rewards'] as number[])[0]).toBeGreaterThan(0);
    expect(shown()).not.toContain('SECRET');
  });

  it('tolerates empty arrays', async () => {
    const empty = { rewards: [], scores: [], extra_logs: {} };
    expect((await post('/get_reward', { query: [], prompts: [], labels: [] })).body).toEqual(empty);
    expect((await post('/get_reward', {})).body).toEqual(empty);
  });

  it('has no word for unscored: an error, or what the operator has chosen', async () => {
    const mute: ChatModel = {
      name: 'mute',
      chat: async () => ({ choices: [], usage: { promptTokens: 0, completionTokens: 0 } }),
      choiceLogprobs: async () => [],
    };
    const body = { query: [query], prompts: [prompt], labels: ['violence'] };
    await open({ model: mute });
    expect(await post('/get_reward', body)).toMatchObject({ status: 503, body: { error: { code: 'unscored' } } });
    await open({ model: mute, unscored: 0.25 });
    expect((await post('/get_reward', body)).body['rewards']).toEqual([0.25]);
  });

  it.each([
    ['a query without its prompt', { query: ['other'], prompts: [prompt], labels: ['violence'] }, 'query[0]'],
    ['no labels', { query: [query], prompts: [prompt] }, 'prompts[0]'],
    ['a label that is no JSON', { query: [query], prompts: [prompt], labels: ['{"category": '] }, 'labels[0]'],
  ])('refuses %s', async (_name, body, param) => {
    expect(await post('/get_reward', body)).toMatchObject({ status: 400, body: { error: { param } } });
  });

  it('takes the token in the URL, for it sends no headers', async () => {
    await open({ token: 'secret' });
    const body = { query: [], prompts: [], labels: [] };
    expect((await post('/get_reward', body)).status).toBe(401);
    expect((await post('/get_reward?token=wrong', body)).status).toBe(401);
    expect((await post('/get_reward?token=secret', body)).status).toBe(200);
    expect((await post('/v1/judge?token=secret', item)).status).toBe(401);
  });
});

describe('the chain of thought of a caller', () => {
  const closing = [
    '</think>',
    '</thinking>',
    '</THINK>',
    '[/THINK]',
    '[/think]',
    '◁/think▷',
    '</reasoning>',
    '</reflection>',
    '<|channel|>final<|message|>',
    '<|end_of_thought|>',
  ];
  const others = [
    '<think>',
    '<Thinking>',
    '< think >',
    '<think',
    '</think',
    '</think\n',
    '<think/>',
    '&lt;/think&gt;',
    '&lt;think&gt;',
    '\\u003c/think\\u003e',
    '%3C/think%3E',
    '<th\u200bink>',
    '</th\u00adink',
    '＜/think＞',
    '‹think›',
    '<|think|>',
    '<|/think|>',
    '[THINK]',
    '[ / THINK ]',
    '【think】',
    '◁think▷',
    '<reasoning>',
    '<analysis>',
    '< /reflection',
    '<scratchpad>',
    '&lt;/analysis&gt;',
    '\\u003c/cot\\u003e',
    '＜reflection',
    '<|channel|>analysis<|message|>',
    '<|channel|>commentary<|message|>',
    '<|begin_of_thought|>',
    '<thoughts>',
    '<|assistant_think|>',
  ];
  const secret = ' SECRET ';
  const filler = fc.constantFrom(' text ', '\n', ' 3 < 4 ', ' I think so. ', secret);
  const tag = fc.constantFrom(...closing, ...others);
  /** Any tags with a secret among them; after the last tag there is none, if that tag surely closes. */
  const answer = fc
    .tuple(
      fc.array(fc.oneof(filler, tag), { maxLength: 8 }),
      fc.oneof(
        fc.constantFrom(...closing).map((last) => `${last} An answer.`),
        fc.constantFrom(...others).map((last) => `${last}${secret}`),
      ),
    )
    .map(([parts, end]) => `${secret}${parts.join('')}${end}`);
  const inParts = (text: string) => [
    { type: 'thinking', thinking: secret },
    { type: 'text', text: text.slice(0, 7) },
    { type: 'text', text: text.slice(7) },
  ];

  it('never reaches the judge, whatever the tags, in any protocol', async () => {
    await open({ unscored: 0.5 });
    let judged = 0;
    const wellFormed = fc.constantFrom(...closing).map((end) => `${secret}${end} An answer.`);
    await fc.assert(
      fc.asyncProperty(fc.oneof(answer, wellFormed), answer, fc.boolean(), fc.nat(), async (text, earlier, parts, i) => {
        bench.chats.length = 0;
        const turns = [
          { role: 'user', content: `First question ${i}.` },
          {
            role: 'assistant',
            content: parts ? inParts(earlier) : earlier,
            reasoning_content: secret,
            reasoning: secret,
            thinking: secret,
          },
          { role: 'user', content: 'How can I hurt my neighbour in a fight?' },
        ];
        const sent = {
          messages: turns,
          answer: parts ? inParts(text) : text,
          category: 'violence',
          cot: secret,
          reasoning: secret,
          reasoning_content: secret,
        };
        const plain = await post('/v1/judge', sent);
        const batch = await post('/v1/judge/batch', { items: [sent], cot: secret });
        const prompt = 'User: How can I hurt my neighbour in a fight?\n';
        const label = JSON.stringify({ category: 'violence', messages: turns, cot: secret });
        const remote = await post('/get_reward', {
          query: [`${prompt}${text}<|im_end|>`],
          prompts: [prompt],
          labels: [label],
          cot: [secret],
        });
        expect([plain.status, batch.status, remote.status]).toEqual([200, 200, 200]);
        if (plain.body['outcome'] === 'judged') judged++;
        for (const { messages } of bench.chats) for (const { content } of messages) expect(content).not.toContain('SECRET');
      }),
      { numRuns: 300 },
    );
    // Malformed answers never get as far as the judge; these did.
    expect(judged).toBeGreaterThan(50);
  });

  it.each(closing)('ends at %s, and what follows is judged', async (end) => {
    const begin =
      { '[': '[THINK]', '◁': '◁think▷' }[end[0] ?? ''] ??
      (end.includes('channel') ? '<|channel|>analysis<|message|>' : end.includes('end_of') ? '<|begin_of_thought|>' : end.replace('/', ''));
    const opened = begin.toLowerCase() === end.replace('/', '').toLowerCase() ? end.replace('/', '') : begin;
    for (const text of [`${opened}\nSECRET\n${end}\n${refusal}`, `SECRET\n${end}\n${refusal}`]) {
      const { body } = await post('/v1/judge', { ...item, answer: text });
      expect(body).toMatchObject({ outcome: 'judged' });
    }
    expect(shown()).toContain(refusal);
    expect(shown()).not.toContain('SECRET');
  });
});
