/** Finding things in a specification by name or code. */
import { inputError } from '../../base/errors.js';
import type { Category, Clause, Spec } from './types.js';

/** The category of this name; throws inputError that lists the known ones, and names the nearest. */
export function findCategory(spec: Spec, name: string): Category {
  const found = spec.categories.find((category) => category.name === name);
  if (found !== undefined) return found;
  const names = spec.categories.map((category) => category.name);
  const near = nearest(name, names);
  throw inputError(
    `unknown category "${name}"${near === undefined ? '' : ` (did you mean "${near}"?)`}; the specification has ${names.join(', ')}, and "none" stands for no category`,
  );
}

/** The clause of this code, in any category. */
export const findClause = (spec: Spec, code: string): Clause | undefined =>
  spec.categories.flatMap((category) => category.clauses).find((clause) => clause.code === code);

/** The candidate that differs least, if it differs in at most a third of its letters. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  return candidates
    .map((candidate) => ({ candidate, distance: editDistance(plain(word), plain(candidate)) }))
    .filter(({ candidate, distance }) => distance <= candidate.length / 3)
    .sort((a, b) => a.distance - b.distance)[0]?.candidate;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substituted, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}
