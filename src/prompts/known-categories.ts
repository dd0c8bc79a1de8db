/** Whether prompts and specification speak of the same categories. */
import { inputError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { Prompt } from '../base/records.js';

/**
 * Prompts of every split are looked at: a wrong name in the test split would show only after the training.
 * @param placeOf where a prompt stands, for the message
 * @throws an input error with a line for each category that the specification does not have
 */
export function checkCategories(prompts: readonly Prompt[], names: readonly string[], placeOf: (prompt: Prompt) => string): void {
  const known = new Set(['none', ...names]);
  const unknown = new Map<string, Prompt[]>();
  for (const prompt of prompts) {
    const { category } = prompt;
    if (category === undefined || known.has(category)) continue;
    const those = unknown.get(category);
    if (those === undefined) unknown.set(category, [prompt]);
    else those.push(prompt);
  }
  if (unknown.size === 0) return;
  const lines = [...unknown].map(([category, those]) => {
    const more = those.length === 1 ? '' : ` and ${those.length - 1} more`;
    return `${placeOf(those[0]!)}${more}: category: the specification has no ${JSON.stringify(category)}${didYouMean(category, names)}.`;
  });
  throw inputError(
    `${lines.join('\n')}\nIt has ${names.join(', ')}, and "none" for what no policy speaks of. Correct the name, or leave the category out: the model then fills it in.`,
  );
}

/** For prompts in memory. */
export const placeById = ({ id }: Prompt): string => `prompt ${JSON.stringify(id)}`;
