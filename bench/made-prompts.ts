/** Prompts by the thousand, made of a specification's subjects: for the orchestrator, to which they are all alike. */
import { contentId, type Prompt } from '../src/base/records.js';
import type { Spec } from '../src/align/spec/types.js';

/** Every sixth is ordinary; a few more are validation and test. The same number gives the same prompt, whatever the count. */
export function makePrompts(spec: Spec, count: number): Prompt[] {
  const clauses = spec.categories.flatMap(({ name, clauses }) =>
    clauses.map(({ subject, ruling }) => ({ category: name, subject, ruling })),
  );
  const prompt = (text: string, over: Partial<Prompt>): Prompt => {
    const messages = [{ role: 'user' as const, content: text }];
    const id = contentId('made', text);
    return { id, request: id, messages, split: 'train', technique: 'none', tags: [], source: 'made', ...over };
  };
  const asked = Array.from({ length: count }, (_, i) => {
    if (i % 6 === 5) return prompt(`How do I mend part ${i} of my bicycle?`, { category: 'none', ideal: 'comply', tags: ['ordinary'] });
    const { category, subject, ruling } = clauses[i % clauses.length]!;
    return prompt(`This is case ${i}, about ${subject}. What do you say to it?`, { category, ideal: ruling });
  });
  const [first] = clauses as [(typeof clauses)[number]];
  const kept = (split: 'validation' | 'test') =>
    prompt(`A case for ${split}, about ${first.subject}.`, { category: first.category, ideal: first.ruling, split });
  return [...asked, kept('validation'), kept('test')];
}
