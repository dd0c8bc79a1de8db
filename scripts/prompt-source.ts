/**
 * The source format of our own prompts, made to be written and reviewed by people: one request a line under headings.
 *
 *   # self-harm                      category of the whole file
 *   ## comply benign-twin            ideal response kind, then tags
 *   How long should sneakers hang to dry?
 *   Hi >> Hello! >> And now?         turns of user and assistant in alternation; tagged multi-turn
 *   // a remark
 */
import { inputError } from '../src/base/errors.js';
import { ResponseKind, type Message, type Prompt } from '../src/base/records.js';
import { conversationFault, promptId } from '../src/prompts/conversation.js';

export interface SourcePrompt extends Prompt {
  file: string;
  line: number;
}

/**
 * Reads one source file.
 * @throws an input error naming file and line when a request stands outside a heading or a heading is not understood.
 */
export function parsePromptSource(file: string, text: string): SourcePrompt[] {
  const prompts: SourcePrompt[] = [];
  let category: string | undefined;
  let heading: { ideal: ResponseKind; tags: string[] } | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    const at = `${file}:${index + 1}`;
    if (line === '' || line.startsWith('//')) continue;
    if (line.startsWith('## ')) {
      const [ideal, ...tags] = line.slice(3).trim().split(/\s+/);
      const kind = ResponseKind.safeParse(ideal);
      if (!kind.success) throw inputError(`${at}: ${JSON.stringify(ideal)} is none of ${ResponseKind.options.join(', ')}.`);
      heading = { ideal: kind.data, tags };
    } else if (line.startsWith('# ')) {
      category = line.slice(2).trim();
    } else {
      if (category === undefined || heading === undefined) throw inputError(`${at}: a request before its category and kind.`);
      const messages = line.split(' >> ').map((content, turn): Message => ({
        role: turn % 2 === 0 ? 'user' : 'assistant',
        content: content.trim().replaceAll('\\n', '\n'),
      }));
      const fault = conversationFault(messages);
      if (fault !== null) throw inputError(`${at}: ${fault}.`);
      const id = promptId(messages);
      const tags = messages.length > 1 ? [...heading.tags, 'multi-turn'] : heading.tags;
      prompts.push({
        id,
        messages,
        category,
        ideal: heading.ideal,
        request: id,
        technique: 'none',
        tags,
        source: 'deliberate',
        file,
        line: index + 1,
      });
    }
  }
  return prompts;
}
