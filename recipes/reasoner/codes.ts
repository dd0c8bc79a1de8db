/** Random codes for clauses and styles: K4, SH12, R7, ILS1 … */
import type { Random } from '../../src/base/random.js';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

export const codePrefix = (random: Random): string =>
  Array.from({ length: 1 + random.integer(3) }, () => random.pick([...letters])).join('');

/** That many codes, all different and none in `taken`: mostly one prefix counted up, else numbers or even prefixes at random. */
export function codes(random: Random, count: number, taken: Set<string>, prefix = codePrefix(random)): string[] {
  const manner = random.pick(['counted', 'counted', 'numbers', 'mixed'] as const);
  const start = 1 + random.integer(manner === 'counted' ? 4 : 40);
  const made: string[] = [];
  for (let i = 0; made.length < count; i++) {
    const number = manner === 'counted' ? start + i : 1 + random.integer(60 + i);
    const code = `${manner === 'mixed' ? codePrefix(random) : prefix}${number}`;
    if (taken.has(code)) continue;
    taken.add(code);
    made.push(code);
  }
  return made;
}
