/** The whole conversation behind a graded row: the row itself holds the last message alone. */
import type { Message, Prompt } from '../base/records.js';
import type { EvalRow } from '../evals/records.js';
import { evaluationSets } from '../evals/sets/all-sets.js';
import { promptId } from '../prompts/conversation.js';

export interface Conversations {
  /** `whole` is false where all that is known is the last message. */
  of(row: Pick<EvalRow, 'promptId' | 'request' | 'prompt'>): { messages: Message[]; whole: boolean };
}

/** @param prompts of the run */
export async function conversations(prompts: readonly Prompt[]): Promise<Conversations> {
  const test = prompts.filter(({ split, technique }) => split === 'test' && technique === 'none');
  const own = await Promise.all(
    evaluationSets.filter(({ format }) => format === null).map((set) => set.read({ file: undefined, prompts: test })),
  );
  const known = new Map<string, Prompt>();
  const ofRequest = new Map<string, Prompt[]>();
  for (const prompt of [...prompts, ...own.flatMap(({ items }) => items.map((item) => item.prompt))]) {
    known.set(prompt.id, prompt);
    ofRequest.set(prompt.request, [...(ofRequest.get(prompt.request) ?? []), prompt]);
  }
  return {
    of({ promptId: id, request, prompt }) {
      const whole = known.get(id);
      if (whole !== undefined) return { messages: whole.messages, whole: true };
      const last: Message = { role: 'user', content: prompt };
      // A wrapper changes the last message alone, and the id is that of the conversation: it says which one it was.
      const before = [[], ...(ofRequest.get(request) ?? []).map(({ messages }) => messages.slice(0, -1))];
      const found = before.map((messages) => [...messages, last]).find((messages) => promptId(messages) === id);
      return { messages: found ?? [last], whole: found !== undefined };
    },
  };
}
