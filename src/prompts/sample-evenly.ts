/** A small choice of prompts that is still of all kinds. */
import { contentId, type Prompt } from '../base/records.js';

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
    const cell = cells.get(key);
    if (cell === undefined) cells.set(key, [prompt]);
    else cell.push(prompt);
  }
  return roundRobin([...cells.keys()].sort().map((key) => cells.get(key)!)).slice(0, size);
}

/** The first of each list, then the second of each … */
export function roundRobin<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => (i < list.length ? [list[i]!] : []))).flat();
}

const compare = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);
