/** Finding things in a specification by name or code. */
import { inputError } from '../../base/errors.js';
import { didYouMean } from '../../base/nearest.js';
import type { Category, Clause, Spec } from './types.js';

/** The category of this name; throws inputError that lists the known ones, and names the nearest. */
export function findCategory(spec: Spec, name: string): Category {
  const found = spec.categories.find((category) => category.name === name);
  if (found !== undefined) return found;
  const names = spec.categories.map((category) => category.name);
  throw inputError(
    `unknown category "${name}"${didYouMean(name, names)}; the specification has ${names.join(', ')}, and "none" stands for no category`,
  );
}

/** Every clause, category by category. */
export const clausesOf = (spec: Spec): Clause[] => spec.categories.flatMap((category) => category.clauses);

/** The clause of this code, in any category. */
export const findClause = (spec: Spec, code: string): Clause | undefined => clausesOf(spec).find((clause) => clause.code === code);
