/** Prompts from a JSONL file: one `Prompt` a line. */
import { inputError } from '../base/errors.js';
import { Prompt } from '../base/records.js';
import { conversationFault } from './conversation.js';
import { checkCategories } from './known-categories.js';
import { filledLines, firstIssue, parseJsonLine, readText } from './lines.js';

/**
 * Reads and checks a prompt file. Order is kept.
 * @param categories names of the specification's categories; where they are given, every prompt must have one of them, or `none`, or no category
 * @throws an input error naming file, line and field when the file is unreadable, a line is not a valid prompt, a category is unknown,
 * an id occurs twice, or two variants of one request stand in different splits (a leak from training to test).
 */
export async function loadPrompts(file: string, { categories }: { categories?: readonly string[] } = {}): Promise<Prompt[]> {
  const prompts: Prompt[] = [];
  const lineOfId = new Map<string, number>();
  const splitOfRequest = new Map<string, { split: string; line: number }>();
  for (const line of filledLines(await readText(file))) {
    const at = `${file}:${line.number}`;
    const parsed = Prompt.safeParse(parseJsonLine(file, line));
    if (!parsed.success) {
      throw inputError(`${at}: ${firstIssue(parsed.error)}. For other layouts use \`deliberate prompts import\`.`);
    }
    const prompt = parsed.data;
    const fault = conversationFault(prompt.messages);
    if (fault !== null) throw inputError(`${at}: ${fault}.`);

    const sameId = lineOfId.get(prompt.id);
    if (sameId !== undefined) {
      throw inputError(`${at}: id: ${JSON.stringify(prompt.id)} stands on line ${sameId} already. Remove one of the two.`);
    }
    lineOfId.set(prompt.id, line.number);

    const split = prompt.split ?? 'none';
    const known = splitOfRequest.get(prompt.request);
    if (known !== undefined && known.split !== split) {
      throw inputError(
        `${at}: split: is ${split}, but line ${known.line} has the same request in ${known.split}. Variants of one request must share a split.`,
      );
    }
    splitOfRequest.set(prompt.request, { split, line: line.number });
    prompts.push(prompt);
  }
  if (prompts.length === 0) throw inputError(`${file}: holds no prompts.`);
  if (categories !== undefined) checkCategories(prompts, categories, ({ id }) => `${file}:${lineOfId.get(id)}`);
  return prompts;
}
