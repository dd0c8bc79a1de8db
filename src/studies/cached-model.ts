/** A model whose answers are kept in a file, so that a study that was broken off asks nothing twice. */
import { z } from 'zod';
import { JsonlLog } from '../base/jsonl.js';
import { contentId, StopReason } from '../base/records.js';
import type { ChatModel, ChatRequest } from '../engines/types.js';

const Kept = z.strictObject({
  id: z.string(),
  choices: z.array(z.strictObject({ text: z.string(), stopReason: StopReason, tokens: z.int() })).nullable(),
  logprobs: z.array(z.number()).nullable(),
});

export interface CachedModel {
  model: ChatModel;
  close(): Promise<void>;
}

/** JSON has no infinity. A token of this log-probability never comes either. */
const impossible = -1e4;

/**
 * Only requests whose answer depends on nothing but the request can be kept: give every sampled one a seed.
 * @param digest of all that the model's answers depend on besides the request
 * @throws input error for a file that is not ours
 */
export async function cachedModel(model: ChatModel, digest: string, file: string): Promise<CachedModel> {
  const log = await JsonlLog.open(file, Kept);
  const kept = new Map(log.records.map((record) => [record.id, record]));
  const keep = async (record: z.infer<typeof Kept>) => {
    kept.set(record.id, record);
    await log.append(record);
  };
  const { choiceLogprobs } = model;
  return {
    model: {
      name: model.name,
      async chat(request: ChatRequest) {
        const { signal, onText: _onText, sharedMessages: _shared, ...asked } = request;
        signal?.throwIfAborted();
        const id = contentId('chat', digest, asked);
        const have = kept.get(id)?.choices;
        if (have != null) return { choices: have, usage: { promptTokens: 0, completionTokens: 0 } };
        const response = await model.chat(request);
        const choices = response.choices.map(({ text, stopReason, tokens }) => ({ text, stopReason, tokens }));
        // An engine's failure is not kept: going on asks again.
        if (choices.every(({ stopReason }) => stopReason !== 'error')) await keep({ id, choices, logprobs: null });
        return response;
      },
      ...(choiceLogprobs !== undefined && {
        choiceLogprobs: async (request: Parameters<typeof choiceLogprobs>[0]) => {
          const { messages, choices, signal } = request;
          signal?.throwIfAborted();
          const id = contentId('logprobs', digest, messages, choices);
          const have = kept.get(id)?.logprobs;
          if (have != null) return have;
          const logprobs = (await choiceLogprobs.call(model, request)).map((value) => Math.max(impossible, value));
          if (logprobs.every(Number.isFinite)) await keep({ id, choices: null, logprobs });
          return logprobs;
        },
      }),
    },
    close: () => log.close(),
  };
}
