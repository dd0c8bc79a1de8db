/** The base model's own answers to everyday requests: `{"request": …, "answer": …}` a line. */
import { z } from 'zod';
import { inputError } from '../../src/base/errors.js';
import type { AnswerOf } from './examples.js';

const Line = z.strictObject({ request: z.string(), answer: z.string() });

/** A look-up of sampled answers. @throws inputError with file and line for a line that is not of the form above. */
export function readAnswers(jsonl: string, file: string): AnswerOf {
  const answers = new Map<string, string>();
  for (const [index, line] of jsonl.split('\n').entries()) {
    if (line.trim() === '') continue;
    const parsed = parseLine(line);
    if (parsed === null)
      throw inputError(`${file}:${index + 1}: not a line of the form {"request": "…", "answer": "…"}; sample the answers again`);
    const answer = cutAtSentence(parsed.answer);
    if (answer !== null) answers.set(parsed.request, answer);
  }
  return (request) => answers.get(request);
}

function parseLine(line: string): z.infer<typeof Line> | null {
  try {
    return Line.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/**
 * The answer up to its last whole sentence or list item's end, so that nothing trained on stops in the middle; null where no
 * sentence is whole. A list's number or an introduction ending in a colon does not end a sentence.
 */
export function cutAtSentence(answer: string): string | null {
  const text = answer.trim();
  const ends = [...text.matchAll(/[^\s\d.][.!?]["')\]]*(?=\s|$)/g)];
  const last = ends.at(-1);
  if (last === undefined) return null;
  return text.slice(0, last.index + last[0].length);
}

/** A stand-in where no answers were sampled: for reading groups and for tests only, never for training. */
export const sampleAnswer: AnswerOf = (request) => `Here is an answer to "${request.slice(0, 60)}". It has two sentences.`;
