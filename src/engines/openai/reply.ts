/** From a server's answer to choices: chain of thought in one form, stop strings applied, log-probabilities of choices. */
import { z } from 'zod';
import type { StopReason } from '../../base/records.js';
import { cutAtStop } from '../../lm/text-stream.js';
import type { ChatChoice, ChatRequest } from '../types.js';
import { RequestFailure } from './failure.js';

/** A piece of text, or pieces of several types (Mistral's form). */
const Part = z.looseObject({ type: z.string().optional(), text: z.string().optional(), thinking: z.unknown().optional() });
const Content = z.union([z.string(), z.array(z.union([z.string(), Part]))]).nullish();

const TopLogprob = z.looseObject({ token: z.string(), logprob: z.number().nullable() });

const Choice = z.looseObject({
  index: z.number().optional(),
  message: z.looseObject({
    content: Content,
    /** vLLM, Ollama, OpenRouter. */
    reasoning: z.unknown().optional(),
    /** vLLM before, SGLang, llama.cpp, DeepSeek. */
    reasoning_content: z.unknown().optional(),
    /** Ollama's own form. */
    thinking: z.unknown().optional(),
    refusal: z.string().nullish(),
  }),
  finish_reason: z.string().nullish(),
  /** vLLM: the stop string that was met; SGLang calls it matched_stop. */
  stop_reason: z.unknown().optional(),
  matched_stop: z.unknown().optional(),
  logprobs: z.looseObject({ content: z.array(z.looseObject({ top_logprobs: z.array(TopLogprob).nullish() })).nullish() }).nullish(),
});

const count = z.number().nullish();
const Reply = z.looseObject({
  choices: z.array(Choice).min(1),
  usage: z
    .looseObject({
      prompt_tokens: count,
      completion_tokens: count,
      /** SGLang. */
      reasoning_tokens: count,
      completion_tokens_details: z.looseObject({ reasoning_tokens: count }).nullish(),
    })
    .nullish(),
});
export type Reply = z.infer<typeof Reply>;
type Choice = z.infer<typeof Choice>;

export interface Usage {
  promptTokens: number;
  completionTokens: number;
  /** Part of the completion tokens. */
  reasoningTokens: number;
}

/** @throws RequestFailure of kind reply when it is no completion */
export function readReply(value: unknown): Reply {
  const parsed = Reply.safeParse(value);
  if (parsed.success) return { ...parsed.data, choices: parsed.data.choices.toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0)) };
  throw new RequestFailure('reply', `sent an answer that is no completion (${parsed.error.issues[0]?.path.join('.')})`);
}

/** Null where the server counts nothing. */
export function usageOf({ usage }: Reply): Usage | null {
  if (typeof usage?.completion_tokens !== 'number') return null;
  return {
    promptTokens: usage.prompt_tokens ?? 0,
    completionTokens: usage.completion_tokens,
    reasoningTokens: usage.completion_tokens_details?.reasoning_tokens ?? usage.reasoning_tokens ?? 0,
  };
}

/** Whether the model reasons by itself: in a field, in tags of its own, or hidden and only counted. */
export const reasons = (reply: Reply): boolean =>
  (usageOf(reply)?.reasoningTokens ?? 0) > 0 ||
  reply.choices.some(({ message }) => reasoningOf(message) !== '' || openingTag.test(textOf(message.content)));

/** Choices in our form. A server counts the tokens of all choices together; each gets its share by length. */
export function choicesOf(
  reply: Reply,
  { stop = [], stopAfter, messages }: Pick<ChatRequest, 'stop' | 'stopAfter' | 'messages'>,
): ChatChoice[] {
  const last = messages.at(-1);
  const prefill = last?.role === 'assistant' ? last.content : null;
  const texts = reply.choices.map((choice) => {
    const whole = completionText(choice, prefill);
    const text = cutAtStop(whole, stop, stopAfter);
    return { text, stopped: text.length < whole.length, stopReason: stopReasonOf(choice) };
  });
  const characters = texts.reduce((sum, { text }) => sum + text.length, 0);
  const tokens = usageOf(reply)?.completionTokens ?? Math.ceil(characters / 4);
  return texts.map(({ text, stopped, stopReason }) => ({
    text,
    // Our own cut is a stop, whatever came after it on the server.
    stopReason: stopped && stopReason === 'length' ? 'stop' : stopReason,
    tokens: texts.length === 1 ? tokens : Math.round((tokens * text.length) / Math.max(1, characters)),
  }));
}

function stopReasonOf({ finish_reason: reason, message }: Choice): StopReason {
  if (typeof message.refusal === 'string' && message.refusal !== '') return 'refusal';
  switch (reason) {
    case 'stop':
    case 'eos':
    case 'end_turn':
      return 'stop';
    case 'length':
    case 'max_tokens':
      return 'length';
    case 'content_filter':
      return 'filter';
    default:
      return 'error';
  }
}

const openingTag = /^\s*(?:<(think|thinking|thought|reasoning)>|\[THINK\])/iu;

/**
 * One chain of thought in plain `<think>…</think>` before the answer.
 * @param prefill the assistant's turn as begun by the request: some servers repeat it
 */
function completionText(choice: Choice, prefill: string | null): string {
  const { message } = choice;
  let text = textOf(message.content);
  if (prefill !== null && prefill.trim().length > 3 && text.startsWith(prefill)) text = text.slice(prefill.length);
  if (text === '' && typeof message.refusal === 'string') text = message.refusal;
  const reasoning = reasoningOf(message);
  // A model told to write its own chain of thought may have been made to reason besides: what it was told to write counts.
  if (openingTag.test(text)) return plainTags(text);
  if (reasoning !== '' && prefill === null) return join(reasoning, text, choice);
  // A template that ends on the opening tag leaves only the closing one in the text.
  if (prefill === null && closesWithoutOpening(text, choice)) return `<think>\n${text.trimStart()}`;
  return text;
}

/** Cut off while thinking: the tag stays open, so that nothing of the thought can pass for an answer. */
const join = (reasoning: string, answer: string, { finish_reason: reason }: Choice): string =>
  answer === '' && reason !== 'stop' ? `<think>\n${reasoning}` : `<think>\n${reasoning}\n</think>\n${answer.trimStart()}`;

const closesWithoutOpening = (text: string, { stop_reason: vllm, matched_stop: sglang }: Choice): boolean =>
  !text.includes('<think>') && (text.includes('</think>') || vllm === '</think>' || sglang === '</think>');

function plainTags(text: string): string {
  const [opening = '', name = ''] = openingTag.exec(text) ?? [];
  if (name.toLowerCase() === 'think') return text;
  const closing = name === '' ? '[/THINK]' : `</${name}>`;
  const at = text.toLowerCase().indexOf(closing.toLowerCase(), opening.length);
  const inner = (end?: number) => text.slice(opening.length, end).trim();
  return at === -1 ? `<think>\n${inner()}` : `<think>\n${inner(at)}\n</think>\n${text.slice(at + closing.length).trimStart()}`;
}

function textOf(content: Choice['message']['content']): string {
  if (content === null || content === undefined) return '';
  if (typeof content === 'string') return content;
  return content.map((part) => (typeof part === 'string' ? part : (part.text ?? ''))).join('');
}

function reasoningOf({ reasoning, reasoning_content: content, thinking, content: parts }: Choice['message']): string {
  const field = [reasoning, content, thinking].find((one) => typeof one === 'string' && one.trim() !== '');
  if (typeof field === 'string') return field.trim();
  if (!Array.isArray(parts)) return '';
  return parts
    .map((part) => (typeof part === 'string' ? '' : thoughtOf(part.thinking)))
    .join('')
    .trim();
}

const thoughtOf = (thinking: unknown): string => {
  if (typeof thinking === 'string') return thinking;
  return Array.isArray(thinking) ? thinking.map((one) => textIn(one)).join('') : '';
};

const textIn = (piece: unknown): string => {
  const text = (piece as { text?: unknown } | null)?.text;
  return typeof text === 'string' ? text : '';
};

/** The first token's likeliest alternatives; null where the server gives none. */
export function topOf({ choices }: Reply): { token: string; logprob: number }[] | null {
  const top = choices[0]?.logprobs?.content?.[0]?.top_logprobs;
  if (!Array.isArray(top) || top.length === 0) return null;
  return top.flatMap(({ token, logprob }) => (logprob === null || !Number.isFinite(logprob) ? [] : [{ token, logprob }]));
}

/** Below this the model was about to write something else, and what is left of the probabilities is noise. */
const leastMass = 0.01;

/**
 * Log-probability of each choice. Tokens count with and without a space before them (also as vocabularies write one).
 * A choice that is not among the alternatives has −∞; all have, when they make up less than a hundredth together.
 */
export function logprobsOfChoices(top: readonly { token: string; logprob: number }[], choices: readonly string[]): number[] {
  const bare = (token: string) => token.replace(/^[\s▁Ġ]+|[\sĊ]+$/gu, '');
  const masses = choices.map((choice) =>
    top.reduce((sum, { token, logprob }) => (bare(token) === choice ? sum + Math.exp(logprob) : sum), 0),
  );
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  return masses.map((mass) => (total < leastMass ? Number.NEGATIVE_INFINITY : Math.log(mass)));
}
