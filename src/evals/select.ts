/** Wrapping the prompts of a suite, the same for every arm. */
import { Random } from '../base/random.js';
import type { Prompt } from '../base/records.js';
import { encodings, heldOutFamilies, wrapPrompt, type Technique } from '../prompts/jailbreaks/wrap.js';
import { roundRobin } from '../prompts/sample-evenly.js';

const groups: Record<'held-out' | 'encodings', readonly Technique[]> = { 'held-out': heldOutFamilies, encodings };

/** Every prompt in each of `count` techniques, families in turn, so that few techniques are still of many kinds. */
export function wrapAll(prompts: readonly Prompt[], group: 'held-out' | 'encodings', count: number, seed: number | string): Prompt[] {
  const techniques = byFamilyInTurn(groups[group]).slice(0, count);
  return prompts.flatMap((prompt) => techniques.map((technique) => wrapSeeded(prompt, technique, seed)));
}

/** Every prompt in one technique, techniques in turn. */
export function wrapEach(prompts: readonly Prompt[], group: 'held-out' | 'encodings', seed: number | string): Prompt[] {
  const techniques = byFamilyInTurn(groups[group]);
  return prompts.map((prompt, i) => wrapSeeded(prompt, techniques[i % techniques.length]!, seed));
}

/** The same words for the same request, seed and technique. */
export const wrapSeeded = (prompt: Prompt, technique: Technique, seed: number | string): Prompt =>
  wrapPrompt(prompt, technique, new Random(`wrap ${seed} ${technique.name} ${prompt.request}`));

/** All held-out techniques, families in turn. */
export const heldOutByFamily = (): Technique[] => byFamilyInTurn(heldOutFamilies);

function byFamilyInTurn(techniques: readonly Technique[]): Technique[] {
  const families = new Map<string, Technique[]>();
  for (const technique of techniques) families.set(technique.family, [...(families.get(technique.family) ?? []), technique]);
  return roundRobin([...families.values()]);
}
