/** From a chat request to the body of POST /v1/chat/completions. */
import { inputError } from '../../base/errors.js';
import type { Message } from '../../base/records.js';
import type { ChatRequest } from '../types.js';
import type { ServerProfile } from './profiles.js';

export type Body = Readonly<Record<string, unknown>>;

export interface BodyOptions {
  model: string;
  profile: ServerProfile;
  /** Whether JSON is asked for with its schema. */
  structured: boolean;
  /** The settings' own fields; null takes a field away. */
  extra: Readonly<Record<string, unknown>>;
}

/** Most alternatives that OpenAI, vLLM and Ollama give. */
const topLogprobs = 20;

/** @throws input error for a prefill on a server that cannot continue an assistant's turn */
export function chatBody(
  { model, profile, structured, extra }: BodyOptions,
  request: ChatRequest,
  samples: number,
  seed: number | undefined,
): Body {
  const { messages, maxTokens, temperature = 1, topP = 1, topK, stop, stopAfter, jsonSchema } = request;
  const neutral = topK !== undefined && profile.topK ? { ...profile.neutral, top_k: topK } : profile.neutral;
  return withExtra(
    {
      model,
      ...conversation(profile, messages),
      [profile.maxTokensField]: maxTokens,
      temperature,
      top_p: topP,
      ...neutral,
      // A server would stop in the CoT already: where that must not be, the text is cut here.
      ...(stop !== undefined && stop.length > 0 && stopAfter === undefined && { stop }),
      ...(seed !== undefined && { seed }),
      ...(samples > 1 && { n: samples }),
      ...(structured &&
        jsonSchema !== undefined && {
          response_format: { type: 'json_schema', json_schema: { name: jsonSchema.name, schema: jsonSchema.schema, strict: true } },
        }),
    },
    extra,
  );
}

/**
 * One token, with its likeliest alternatives. At temperature 1 the probabilities are the model's own, whether a server gives them
 * before or after the temperature. Where a prefill cannot be continued, the last user turn asks for one of the choices instead.
 */
export function choiceBody({ model, profile, extra }: BodyOptions, messages: readonly Message[], choices: readonly string[]): Body {
  return withExtra(
    {
      model,
      ...conversation(profile, profile.prefill === null ? askForChoice(messages, choices) : messages),
      [profile.maxTokensField]: 1,
      temperature: 1,
      top_p: 1,
      ...profile.neutral,
      seed: 0,
      logprobs: true,
      top_logprobs: topLogprobs,
    },
    extra,
  );
}

function conversation(profile: ServerProfile, messages: readonly Message[]): Body {
  if (messages.at(-1)?.role !== 'assistant') return { messages };
  switch (profile.prefill) {
    case 'continue-final-message':
      return { messages, continue_final_message: true, add_generation_prompt: false };
    case 'assistant-last':
      return { messages };
    default:
      throw inputError(
        `the server (${profile.kind}) cannot continue a turn that the assistant has begun. Use vLLM, SGLang or llama.cpp for this role, and name it in the setting server if it was not recognised.`,
      );
  }
}

function askForChoice(messages: readonly Message[], choices: readonly string[]): Message[] {
  const asked = messages.at(-1)?.role === 'assistant' ? messages.slice(0, -1) : [...messages];
  const last = asked.at(-1);
  if (last === undefined) return asked;
  return [...asked.slice(0, -1), { ...last, content: `${last.content}\nReply with one of ${choices.join(', ')} and nothing else.` }];
}

const withExtra = (body: Body, extra: Body): Body =>
  Object.fromEntries(Object.entries({ ...body, ...extra }).filter(([, value]) => value !== null));
