/**
 * What a chat interface in the manner of Open WebUI asks, in its order: by plain HTTP from its own backend, with headers and fields
 * of its own, and with the thoughts of earlier answers sent back. The real one: integration/open-webui.sh.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { handModel, served, start, stopAll } from './hand-model.js';

afterEach(stopAll);

const reply = '<think>\nThe user greets.\nDecision: comply\n</think>\nHello there.';
const headers = {
  'content-type': 'application/json',
  authorization: 'Bearer sk-any',
  'x-openwebui-user-name': 'Ada',
  'x-openwebui-user-id': '1',
  'user-agent': 'Python/3.11 aiohttp/3.13',
};

/** The events of a stream, as a reader of lines finds them. */
function events(body: string): unknown[] {
  const lines = body.split('\n').filter((line) => line !== '');
  expect(lines.every((line) => line.startsWith('data: '))).toBe(true);
  expect(lines.at(-1)).toBe('data: [DONE]');
  return lines.slice(0, -1).map((line) => JSON.parse(line.slice('data: '.length)) as unknown);
}

interface Chunk {
  choices: { delta: { content?: string; reasoning_content?: string }; finish_reason: string | null }[];
  usage?: { total_tokens: number } | null;
}

describe('a chat interface', () => {
  it('lists the models, talks in a stream with thoughts apart, and lets the same model find a title', async () => {
    const model = handModel(({ onText }) => {
      for (const piece of reply.split(/(?<= )/)) onText?.(0, piece);
      return [reply];
    });
    const { address } = await start([served(model)], { token: 'sk-any' });
    const listed = (await (await fetch(`${address}/v1/models`, { headers })).json()) as { data: { id: string; object: string }[] };
    expect(listed.data.map(({ id, object }) => [id, object])).toEqual([['sft+rl', 'model']]);

    const post = (body: object) =>
      fetch(`${address}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify({ model: 'sft+rl', ...body }) });
    const asked = {
      stream: true,
      stream_options: { include_usage: true },
      logit_bias: {},
      frequency_penalty: 0,
      chat_id: 'c1',
      session_id: 's1',
      id: 'm1',
      background_tasks: { title_generation: true },
      features: { web_search: false },
      // Its own tools, which it offers with every request.
      tools: [{ type: 'function', function: { name: 'search_notes', parameters: { type: 'object', properties: {} } } }],
      metadata: { user_id: '1', files: null },
    };
    const first = await post({ ...asked, messages: [{ role: 'user', content: 'Hi' }] });
    expect(first.headers.get('content-type')).toContain('text/event-stream');
    const chunks = events(await first.text()) as Chunk[];
    const said = (of: 'content' | 'reasoning_content') => chunks.map(({ choices }) => choices[0]?.delta[of] ?? '').join('');
    expect(said('content')).toBe('Hello there.');
    expect(said('reasoning_content')).toContain('Decision: comply');
    expect(chunks.flatMap(({ choices }) => choices).findLast(({ finish_reason }) => finish_reason !== null)?.finish_reason).toBe('stop');
    expect(chunks.at(-1)?.usage?.total_tokens).toBeGreaterThan(0);

    // What it keeps of an answer comes back: its text, or its text with the thoughts beside it.
    const second = await post({
      ...asked,
      messages: [
        { role: 'system', content: 'The user is Ada.' },
        { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
        { role: 'assistant', content: 'Hello there.', reasoning_content: 'The user greets.' },
        { role: 'user', content: 'And now?' },
      ],
    });
    expect(second.status).toBe(200);
    expect(events(await second.text()).length).toBeGreaterThan(1);
    expect(model.asked[1]?.messages).toEqual([
      { role: 'system', content: 'The user is Ada.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello there.' },
      { role: 'user', content: 'And now?' },
    ]);

    const title = await post({ stream: false, max_completion_tokens: 1000, messages: [{ role: 'user', content: '### Task: a title.' }] });
    const { choices } = (await title.json()) as { choices: { message: { content: string } }[] };
    expect(choices[0]?.message.content).toBe('Hello there.');
  });

  it('is told in words what the server cannot do', async () => {
    const { address } = await start([served(handModel(() => [reply]))]);
    const picture = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
    const refused = await fetch(`${address}/v1/chat/completions`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ model: 'sft+rl', messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, picture] }] }),
    });
    expect(refused.status).toBe(400);
    expect(((await refused.json()) as { error: { message: string } }).error.message).toContain('pictures');
  });
});
