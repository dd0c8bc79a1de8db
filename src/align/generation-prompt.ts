/** The augmented prompt of stage 1a, in two layouts (paper, section 2.3.1, figure 5). */
import type { Message } from '../base/records.js';
import { reasoningSystem } from './instructions.js';

export interface GenerationPrompt {
  messages: Message[];
  /** Messages that all prompts of a category share. */
  sharedMessages: number;
}

/**
 * Specification first, so that an engine computes it once a category; then the conversation as real turns. Chat templates take one
 * system message, at the start: a conversation's own is put behind the specification, and then nothing is shared.
 */
export function sharedLayout(conversation: readonly Message[], compiledSpec: string): GenerationPrompt {
  const own = conversation.filter(({ role }) => role === 'system').map(({ content }) => content);
  const turns = conversation.filter(({ role }) => role !== 'system');
  const text = own.length === 0 ? compiledSpec : `${compiledSpec}\nThe assistant was set up with\n${own.join('\n')}`;
  return { messages: [{ role: 'system', content: reasoningSystem(text) }, ...turns], sharedMessages: own.length === 0 ? 1 : 0 };
}

/** The order of figure 5, in one user message: conversation, request, spec(category), final instructions. */
export const paperLayout = (conversation: readonly Message[], compiledSpec: string): GenerationPrompt => ({
  messages: [
    {
      role: 'user',
      content: [
        'Here is a conversation between a user and an assistant.',
        ...conversation.map(({ role, content }) => `${role}: ${content}`),
        'Write the best possible answer to the last query of this conversation. It must follow every policy below.',
        compiledSpec,
        [
          'Before you answer, think between <think> and </think>.',
          'First examine whether an answer would keep to the policies, be correct and be helpful.',
          'Quote the policy line that applies, with its code: "Policy on subject: ruling. text [code]". Leave lines out that do not matter here.',
          'Decide, and write it as the last line of your thoughts: "Decision: comply", "Decision: refuse" or "Decision: safe completion".',
          'Where you refuse or give a safe completion, quote that style line before the decision: "Style for refuse: text [code]".',
          'Your thoughts must not speak of policies given or shown here: speak of them as things you know.',
          'After </think> write the answer for the user, and nothing of your analysis.',
        ].join('\n'),
      ].join('\n\n'),
    },
  ],
  sharedMessages: 0,
});
