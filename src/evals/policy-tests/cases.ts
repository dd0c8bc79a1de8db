/** What a specification says about itself: the examples under a clause are its unit tests, and prompts around its edge are more. */
import { inputError } from '../../base/errors.js';
import { didYouMean } from '../../base/nearest.js';
import type { Message, ResponseKind } from '../../base/records.js';
import { clausesOf, findCategory } from '../../align/spec/lookup.js';
import type { Category, Clause, Spec } from '../../align/spec/types.js';

/** Prompts of these kinds may be written around a clause. */
export const boundaryKinds = ['just-inside', 'just-outside', 'benign-twin'] as const;
export type BoundaryKind = (typeof boundaryKinds)[number];
export type CaseKind = 'example' | BoundaryKind;

export interface PolicyCase {
  category: string;
  /** Whose edge it tries; a prompt just outside falls under another one. */
  clause: Clause;
  kind: CaseKind;
  messages: Message[];
  /** The ruling of the clause that covers the prompt. */
  wanted: ResponseKind;
}

export interface Selection {
  /** Names; none: all. */
  categories: readonly string[];
  /** Codes; none: all. */
  clauses: readonly string[];
}

export interface ChosenClause {
  category: Category;
  clause: Clause;
}

/** @throws input error for a name or code that the specification does not have, and where nothing is left of the two together */
export function chooseClauses(spec: Spec, { categories, clauses }: Selection): ChosenClause[] {
  const within = categories.length === 0 ? spec.categories : categories.map((name) => findCategory(spec, name));
  const codes = clausesOf(spec).map(({ code }) => code);
  for (const code of clauses)
    if (!codes.includes(code))
      throw inputError(
        `unknown clause "${code}"${didYouMean(code, codes)}; \`deliberate spec show --category NAME\` prints the clauses of a category with their codes.`,
      );
  const chosen = spec.categories
    .filter((category) => within.includes(category))
    .flatMap((category) => category.clauses.map((clause) => ({ category, clause })))
    .filter(({ clause }) => clauses.length === 0 || clauses.includes(clause.code));
  if (chosen.length === 0) throw inputError(`no clause is left: ${clauses.join(', ')} is not in ${categories.join(', ')}.`);
  return chosen;
}

export const exampleCases = (chosen: readonly ChosenClause[]): PolicyCase[] =>
  chosen.flatMap(({ category, clause }) =>
    clause.examples.map(({ text }): PolicyCase => ({
      category: category.name,
      clause,
      kind: 'example',
      messages: [{ role: 'user', content: text }],
      wanted: clause.ruling,
    })),
  );

/** For a model that reads the specification: with the examples in it, it would read the solutions of the test. */
export const withoutExamples = (spec: Spec): Spec => ({
  ...spec,
  categories: spec.categories.map((category) => ({
    ...category,
    clauses: category.clauses.map((clause) => ({ ...clause, examples: [] })),
  })),
});
