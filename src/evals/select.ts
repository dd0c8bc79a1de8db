/** Choosing and wrapping the prompts of a suite, the same for every arm. */
import { Random } from '../base/random.js';
import { contentId, type Prompt } from '../base/records.js';
import { encodings, heldOutFamilies, wrapPrompt, type Technique } from '../prompts/jailbreaks/wrap.js';

/**
 * At most `size` prompts, one a request, evenly over category × ideal. In each cell the order is a hash of seed and request,
 * so a smaller choice is part of a larger one.
 */
export function sampleEvenly(prompts: readonly Prompt[], size: number, seed: number | string): Prompt[] {
  const rank = new Map(prompts.map((prompt) => [prompt.id, contentId('sample', seed, prompt.request)]));
  const ordered = [...prompts].sort((a, b) => compare(rank.get(a.id)!, rank.get(b.id)!) || compare(a.id, b.id));
  const cells = new Map<string, Prompt[]>();
  const seen = new Set<string>();
  for (const prompt of ordered) {
    if (seen.has(prompt.request)) continue;
    seen.add(prompt.request);
    const key = `${prompt.category ?? 'none'}/${prompt.ideal ?? ''}`;
    cells.set(key, [...(cells.get(key) ?? []), prompt]);
  }
  return roundRobin([...cells.keys()].sort().map((key) => cells.get(key)!)).slice(0, size);
}

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

const wrapSeeded = (prompt: Prompt, technique: Technique, seed: number | string): Prompt =>
  wrapPrompt(prompt, technique, new Random(`wrap ${seed} ${technique.name} ${prompt.request}`));

function byFamilyInTurn(techniques: readonly Technique[]): Technique[] {
  const families = new Map<string, Technique[]>();
  for (const technique of techniques) families.set(technique.family, [...(families.get(technique.family) ?? []), technique]);
  return roundRobin([...families.values()]);
}

/** The first of each list, then the second of each … */
function roundRobin<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => (i < list.length ? [list[i]!] : []))).flat();
}

const compare = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);
