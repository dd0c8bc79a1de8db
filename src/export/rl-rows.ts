/** The prompts of RL as other trainers take them: the conversation alone goes to the policy, the category to the judge. */
import { inputError } from '../base/errors.js';
import type { Message } from '../base/records.js';
import type { RunContents } from './run-contents.js';

export interface RlPrompt {
  id: string;
  messages: Message[];
  category: string;
}

/** @throws input error when a run has not chosen its prompts yet */
export function rlPrompts({ prompts, paths }: RunContents, split: 'train' | 'validation'): RlPrompt[] {
  const chosen = prompts.filter((prompt) => prompt.split === split);
  if (chosen.length === 0 && split === 'train')
    throw inputError(`${paths.prompts()}: holds no training prompt. Run \`deliberate generate ${paths.root}\` first.`);
  return chosen.map(({ id, messages, category }) => ({
    id,
    messages: messages.map(({ role, content }) => ({ role, content })),
    category: category ?? 'none',
  }));
}
