/** Conversations as OpenAI's API and its imitators write them, and ours. */
import { z } from 'zod';
import type { Message } from '../base/records.js';

/** A part of a message. Thoughts come as parts too, and are dropped: nothing but `text` is read. */
const Part = z.union([
  z.object({ type: z.enum(['text', 'input_text', 'output_text']), text: z.string() }),
  z.object({ type: z.enum(['reasoning', 'thinking', 'redacted_thinking', 'refusal']) }),
]);

/** Text, or parts of it. */
export const Content = z
  .union([z.string(), z.array(Part)], { error: 'must be a text or a list of text parts; pictures, sound and files are not understood' })
  .transform((content) => (typeof content === 'string' ? content : content.map((part) => ('text' in part ? part.text : '')).join('')));

const CallerMessage = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool'], {
    error: 'must be system, developer, user, assistant or tool',
  }),
  content: Content.nullish(),
  tool_calls: z.array(z.unknown()).max(0, 'tool calls are not understood').nullish(),
});

/** A conversation that the assistant is to answer. Only role and content are taken of a message: a chain of thought beside them is dropped. */
export const Conversation = z
  .array(CallerMessage)
  .min(1, 'needs a message')
  .max(1000, 'has more than 1000 messages')
  .transform((messages): Message[] =>
    joinSystem(messages.map(({ role, content }) => ({ role: role === 'developer' ? 'system' : role, content: content ?? '' }))),
  )
  .refine((messages) => ['user', 'tool'].includes(messages.at(-1)?.role ?? ''), {
    error: "must end on a user's or a tool's message: the server does not go on with an assistant's",
  });

/** Chat templates take one system message, at the start. */
function joinSystem(messages: readonly Message[]): Message[] {
  const end = messages.findIndex(({ role }) => role !== 'system');
  const leading = messages.slice(0, end === -1 ? messages.length : end);
  if (leading.length < 2) return [...messages];
  return [{ role: 'system', content: leading.map(({ content }) => content).join('\n\n') }, ...messages.slice(leading.length)];
}
