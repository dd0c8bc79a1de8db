/** Servers on a free port, and models that a test holds in its hand. For tests only. */
import OpenAI from 'openai';
import type { ChatModel, ChatRequest, ChatResponse } from '../engines/types.js';
import { addChatRoutes, type ChatRouteOptions } from './chat-routes.js';
import { createServer, type Server, type ServerOptions } from './server.js';
import { servedSpecification, type ServedModel } from './served-model.js';

export const specification = servedSpecification({ none: 'a', violence: 'b' });
export const served = (model: ChatModel, more: Partial<ServedModel> = {}): ServedModel => ({
  id: 'sft+rl',
  model,
  fingerprint: 'f00d',
  specification,
  created: 1_700_000_000,
  ...more,
});

const running: Server[] = [];
/** For afterEach. */
export const stopAll = () => Promise.all(running.splice(0).map((server) => server.drain(0)));

type Options = Partial<ChatRouteOptions> & Partial<ServerOptions>;
export async function start(models: ServedModel[], options: Options = {}) {
  const server = createServer({
    ...options,
    routes: (app, context) => addChatRoutes(app, context, { models, reasoning: 'show', maxTokens: 512, temperature: 0, ...options }),
  });
  running.push(server);
  const address = await server.listen('127.0.0.1', 0);
  return { server, address, client: new OpenAI({ baseURL: `${address}/v1`, apiKey: options.token ?? 'none', maxRetries: 0 }) };
}

/** A model that says what it is told to, and remembers what it was asked. */
export function handModel(say: (request: ChatRequest) => Promise<string[]> | string[]): ChatModel & { asked: ChatRequest[] } {
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
export function endlessModel() {
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

export const user = (content: string) => [{ role: 'user' as const, content }];
