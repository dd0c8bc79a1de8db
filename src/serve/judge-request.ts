/** What the judge service is asked. Only three fields are read of an item, and none of them can carry a CoT to the judge. */
import { z } from 'zod';
import type { JudgeRequest } from '../base/records.js';
import { badRequest, requestError } from './api-error.js';
import { Content, Conversation } from './conversation.js';
import { cutCot } from './cut-cot.js';

/** Most items of one batch. */
export const largestBatch = 1024;

const Item = z.object({
  messages: Conversation,
  answer: Content,
  category: z.string({ error: 'is needed: a category of the specification, or "none" where no policy speaks of it' }).min(1),
});
const Batch = z.object({ items: z.array(Item).max(largestBatch, `has more than ${largestBatch} items; send several batches`) });

export interface Submission {
  request: JudgeRequest;
  /** The tags of its CoT are broken, so that the answer cannot be trusted to be one. */
  malformed: boolean;
}

/**
 * The CoT is cut off the answer, and off the earlier turns of the assistant as well. Fields beside role and content, beside
 * messages, answer and category, and thinking parts of a content are dropped unread.
 */
export function submission({ messages, answer, category }: z.infer<typeof Item>): Submission {
  const cut = cutCot(answer);
  return {
    request: {
      messages: messages.map(({ role, content }) => ({ role, content: role === 'assistant' ? cutCot(content).answer : content })),
      answer: cut.answer,
      category,
    },
    malformed: cut.malformed,
  };
}

/** @throws ApiError naming the field */
export function readItem(body: unknown): Submission {
  return submission(parsed(Item, body));
}

/** @throws ApiError naming the item and the field */
export function readBatch(body: unknown): Submission[] {
  return parsed(Batch, body).items.map(submission);
}

export function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  if (body === null || typeof body !== 'object') throw badRequest('the body must be a JSON object.');
  const result = schema.safeParse(body);
  if (!result.success) throw requestError(result.error, 'the body');
  return result.data;
}
