/** The body of POST /v1/chat/completions. */
import { z } from 'zod';
import { Conversation } from './conversation.js';
import { badRequest, requestError } from './api-error.js';

const stopText = z.string().min(1, 'is empty').max(256, 'is longer than 256 characters');

/** Fields that would change the answer and cannot be honoured: refused with a sentence. All other unknown fields are ignored. */
const unsupported = z.object({
  // Tools may be offered, as chat interfaces do with every request: a model need not use them, and these never do.
  tool_choice: z.enum(['auto', 'none'], 'a tool cannot be demanded: these models call none').nullish(),
  function_call: z.enum(['auto', 'none'], 'a function cannot be demanded: these models call none').nullish(),
  response_format: z.object({ type: z.literal('text', 'structured outputs are not supported') }).nullish(),
  logprobs: z.literal(false, 'log-probabilities are not supported').nullish(),
  frequency_penalty: z.literal(0, 'penalties are not supported').nullish(),
  presence_penalty: z.literal(0, 'penalties are not supported').nullish(),
  logit_bias: z.record(z.string(), z.never('a bias is not supported')).nullish(),
  modalities: z.array(z.literal('text', 'only text is supported')).nullish(),
});

const Body = unsupported.extend({
  model: z.string(),
  messages: Conversation,
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.int().min(1).max(16, 'is more than 16').nullish(),
  max_tokens: z.int().min(1).nullish(),
  /** The newer name; it goes before the older one. */
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  /** Not OpenAI's, but common. 0: all. */
  top_k: z.int().min(0).nullish(),
  seed: z.int().nullish(),
  stop: z.union([stopText, z.array(stopText).max(4, 'has more than 4 texts')], { error: 'must be a text or up to 4 texts' }).nullish(),
});

export interface ChatCall {
  model: string;
  messages: z.infer<typeof Conversation>;
  stream: boolean;
  includeUsage: boolean;
  n: number;
  maxTokens: number | null;
  temperature: number | null;
  topP: number | null;
  topK: number | null;
  seed: number | null;
  stop: string[];
}

/** @throws ApiError naming the field */
export function readChatCall(body: unknown): ChatCall {
  if (body === null || typeof body !== 'object') throw badRequest('the body must be a JSON object.');
  const parsed = Body.safeParse(body);
  if (!parsed.success) throw requestError(parsed.error, 'the body');
  const { model, messages, stream, stream_options, n, max_tokens, max_completion_tokens, temperature, top_p, top_k, seed, stop } =
    parsed.data;
  return {
    model,
    messages,
    stream: stream ?? false,
    includeUsage: stream_options?.include_usage ?? false,
    n: n ?? 1,
    maxTokens: max_completion_tokens ?? max_tokens ?? null,
    temperature: temperature ?? null,
    topP: top_p ?? null,
    topK: top_k ?? null,
    seed: seed ?? null,
    stop: typeof stop === 'string' ? [stop] : (stop ?? []),
  };
}
