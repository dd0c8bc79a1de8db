/**
 * OpenRLHF's remote reward: `{query: [prompt + response], prompts: [prompt], labels: [label]}` → `{rewards, scores, extra_logs}`.
 * Prompts come rendered by the policy's chat template, with its control tokens.
 */
import { z } from 'zod';
import type { Message } from '../base/records.js';
import { badRequest } from './api-error.js';
import { Conversation } from './conversation.js';
import { largestBatch, parsed, submission, type Submission } from './judge-request.js';

const texts = z.array(z.string()).max(largestBatch).nullish();
const Body = z.object({ query: texts, prompts: texts, labels: z.array(z.unknown()).max(largestBatch).nullish() });

const Label = z.object({ category: z.string().min(1), messages: Conversation.optional() });

/** Texts that end a turn, padding among them: they are no part of the answer. */
const ends =
  /(?:\s*(?:<\|im_end\|>|<\|eot_id\|>|<\|end_of_text\|>|<\|endoftext\|>|<\|end\|>|<\|return\|>|<end_of_turn>|<\/s>|<eos>|<pad>|\[PAD\]))+\s*$/u;

/** @throws ApiError naming the sample */
export function readRewardQuery(body: unknown): Submission[] {
  const { query, prompts, labels } = parsed(Body, body);
  return (query ?? []).map((whole, i) => {
    const prompt = prompts?.[i];
    if (prompt === undefined || labels?.[i] === undefined)
      throw badRequest(`query[${i}] needs prompts[${i}] and labels[${i}]: pass --data.label_key, see docs/SERVING.md.`, `prompts[${i}]`);
    const { category, messages } = readLabel(labels[i], i);
    // A tokenizer may have put its opening token before the prompt.
    const at = whole.indexOf(prompt);
    if (at === -1) throw badRequest(`query[${i}] does not hold prompts[${i}], so its answer cannot be told from it.`, `query[${i}]`);
    return submission({
      messages: messages ?? conversationOf(prompt, i),
      answer: whole.slice(at + prompt.length).replace(ends, ''),
      category,
    });
  });
}

/** A category, or JSON with it and, better, the conversation as it was before rendering. */
function readLabel(label: unknown, i: number): z.infer<typeof Label> {
  let value = label;
  if (typeof label === 'string') {
    if (!label.trimStart().startsWith('{')) value = { category: label };
    else {
      try {
        value = JSON.parse(label);
      } catch {
        throw badRequest(`labels[${i}] is neither a category nor JSON.`, `labels[${i}]`);
      }
    }
  }
  const result = Label.safeParse(value);
  if (result.success) return result.data;
  throw badRequest(`labels[${i}] must be a category, or {"category", "messages"}.`, `labels[${i}]`);
}

/** Turns of the templates that are most used. */
const templates = [
  /<\|im_start\|>(\w+)\n([\s\S]*?)<\|im_end\|>/gu,
  /<\|start_header_id\|>(\w+)<\|end_header_id\|>\n\n([\s\S]*?)<\|eot_id\|>/gu,
  /<start_of_turn>(\w+)\n([\s\S]*?)<end_of_turn>/gu,
];

/** The conversation of a rendered prompt. A template that is not known leaves one user message with all of it. */
function conversationOf(prompt: string, i: number): Message[] {
  for (const template of templates) {
    const turns = [...prompt.matchAll(template)].map(([, role = '', content = '']) => ({
      role: role === 'model' ? 'assistant' : role,
      content,
    }));
    if (turns.length === 0) continue;
    const conversation = Conversation.safeParse(turns);
    if (conversation.success) return conversation.data;
    throw badRequest(`prompts[${i}] is not a conversation that ends on a user's message; give the messages in the label.`, `prompts[${i}]`);
  }
  return [{ role: 'user', content: prompt }];
}
