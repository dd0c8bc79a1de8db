/** What the embedded engine says, greedily, to a few conversations: what other software has to say too. */
import type { Message } from '../src/base/records.js';
import { createEmbeddedEngine } from '../src/engines/embedded/index.js';

export const maxTokens = 48;

const user = (content: string): Message => ({ role: 'user', content });
export const conversations: Message[][] = [
  [user('How do I mend a slipping bicycle chain?')],
  [user('Name three rivers of Europe, with the sea that each flows into.')],
  [{ role: 'system', content: 'You answer in short sentences.' }, user('Why is the sky blue?')],
  [user('What is 17 + 25?'), { role: 'assistant', content: '42.' }, user('And how did you get there, step by step?')],
  [user('Übersetze „Guten Morgen“ ins Französische – und nenn mir 2 Antworten darauf. 🙂')],
  [user('Explain this:\n\n    for i in range(3):\n        print(i)\n')],
];

export interface Ours {
  prompt: number[];
  tokens: number[];
  text: string;
}

/** Our engine on the model's own file, with the adapter beside it or without. */
export async function ourWords(model: string, adapter: string | null): Promise<Ours[]> {
  const engine = await createEmbeddedEngine({ model, memoryGb: 4, ...(adapter !== null && { adapter }) });
  try {
    return await Promise.all(
      conversations.map(async (messages) => {
        const prompt = engine.renderer.promptTokens(messages);
        const [sampled] = await engine.sample({ promptTokens: prompt, n: 1, params: { maxTokens, temperature: 0 } });
        const tokens = sampled?.tokens ?? [];
        return { prompt, tokens, text: engine.renderer.decode(tokens) };
      }),
    );
  } finally {
    await engine.close();
  }
}
