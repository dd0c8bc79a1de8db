/** Wrapping the prompts of a suite, the same for every arm. */
import { Random } from '../base/random.js';
import type { Prompt } from '../base/records.js';
import { encodings, heldOutFamilies, wrapIfChanged, type Technique } from '../prompts/jailbreaks/wrap.js';
import { roundRobin } from '../prompts/sample-evenly.js';

const groups: Record<'held-out' | 'encodings', readonly Technique[]> = { 'held-out': heldOutFamilies, encodings };

/**
 * Every prompt in each of `count` techniques, families in turn, so that few techniques are still of many kinds. One that finds nothing to
 * change in a prompt is left out for it, and the next takes its place where there is one.
 */
export function wrapAll(prompts: readonly Prompt[], group: 'held-out' | 'encodings', count: number, seed: number | string): Prompt[] {
  const techniques = byFamilyInTurn(groups[group]);
  return prompts.flatMap((prompt) => techniques.flatMap((technique) => wrapSeeded(prompt, technique, seed) ?? []).slice(0, count));
}

/** Every prompt in one technique, techniques in turn; the next one for a prompt in which its own finds nothing to change. */
export function wrapEach(prompts: readonly Prompt[], group: 'held-out' | 'encodings', seed: number | string): Prompt[] {
  const techniques = byFamilyInTurn(groups[group]);
  return prompts.flatMap((prompt, i) => {
    for (let step = 0; step < techniques.length; step++) {
      const wrapped = wrapSeeded(prompt, techniques[(i + step) % techniques.length]!, seed);
      if (wrapped !== null) return [wrapped];
    }
    return [];
  });
}

/** The same words for the same request, seed and technique; null where the technique finds nothing to change. */
export const wrapSeeded = (prompt: Prompt, technique: Technique, seed: number | string): Prompt | null =>
  wrapIfChanged(prompt, technique, new Random(`wrap ${seed} ${technique.name} ${prompt.request}`));

/** Encodings that leave some of these prompts as they are, each with how many: there they are not asked. */
export function idleEncodings(prompts: readonly Prompt[]): Map<string, number> {
  const counts = encodings.map(
    (technique) => [technique.name, prompts.filter((prompt) => wrapSeeded(prompt, technique, 0) === null).length] as const,
  );
  return new Map(counts.filter(([, count]) => count > 0));
}

/** All held-out techniques, families in turn. */
export const heldOutByFamily = (): Technique[] => byFamilyInTurn(heldOutFamilies);

function byFamilyInTurn(techniques: readonly Technique[]): Technique[] {
  const families = new Map<string, Technique[]>();
  for (const technique of techniques) families.set(technique.family, [...(families.get(technique.family) ?? []), technique]);
  return roundRobin([...families.values()]);
}
