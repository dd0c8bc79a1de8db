/** A chat model of one function, for tests of what asks models. */
import type { StopReason } from '../base/records.js';
import type { ChatModel, ChatRequest } from '../engines/types.js';

export interface ScriptedChat extends ChatModel {
  readonly requests: ChatRequest[];
}

/** `reply` gets the last message and the request; it may throw. An object stands for JSON. */
export function scriptedChat(
  reply: (text: string, request: ChatRequest) => string | object,
  stopReason: StopReason = 'stop',
): ScriptedChat {
  const requests: ChatRequest[] = [];
  return {
    name: 'scripted',
    requests,
    async chat(request) {
      request.signal?.throwIfAborted();
      requests.push(request);
      const said = reply(request.messages.at(-1)!.content, request);
      const text = typeof said === 'string' ? said : JSON.stringify(said);
      return { choices: [{ text, stopReason, tokens: 9 }], usage: { promptTokens: 9, completionTokens: 9 } };
    },
  };
}
