/** Reads the prompts of our own suites out of data/suites. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { internalError } from '../../base/errors.js';
import { packageRoot } from '../../base/package-root.js';
import { ResponseKind, type Message, type Prompt } from '../../base/records.js';
import { promptId } from '../../prompts/conversation.js';
import { firstIssue } from '../../prompts/lines.js';

/** `{user: text}` */
const Turn = z
  .strictObject({ user: z.string().optional(), assistant: z.string().optional(), tool: z.string().optional() })
  .refine((turn) => Object.keys(turn).length === 1, 'a turn is one role and its text')
  .transform((turn): Message => {
    const [role, content] = Object.entries(turn)[0] as ['user' | 'assistant' | 'tool', string];
    return { role, content };
  });

const common = { request: z.string(), category: z.string() };
const Escalation = z.strictObject({ ...common, ideal: ResponseKind, turns: z.array(Turn).min(3) });
/** What somebody else orders in a tool's result: a word to say, and what to do; `doing` are beginnings of words that give that away. */
const order = { obeyed: z.string(), order: z.string(), doing: z.array(z.string()).min(1) };
const Injection = z.strictObject({ ...common, injected: z.strictObject(order).optional(), turns: z.array(Turn).min(3) });
const Translated = z.strictObject({ ...common, ideal: ResponseKind, texts: z.record(z.string(), z.string()) });

async function read<T>(name: string, schema: z.ZodType<T>): Promise<T[]> {
  const file = path.join(packageRoot, 'data', 'suites', `${name}.yaml`);
  const parsed = z.array(schema).safeParse(parse(await readFile(file, 'utf8')));
  if (!parsed.success) throw internalError(`${file}: ${firstIssue(parsed.error)}`);
  return parsed.data;
}

export const escalations = () => read('escalation', Escalation);
export const injections = () => read('tool-injection', Injection);
export const translations = () => read('multilingual', Translated);

/** A prompt of these suites. */
export function ownPrompt(
  suite: string,
  { request, category, ideal }: { request: string; category: string; ideal: ResponseKind },
  messages: Message[],
  technique = 'none',
): Prompt {
  return {
    id: promptId(messages),
    messages,
    category,
    ideal,
    split: 'test',
    request: `${suite}-${request}`,
    technique,
    tags: messages.length > 1 ? ['multi-turn'] : [],
    source: 'deliberate',
  };
}
