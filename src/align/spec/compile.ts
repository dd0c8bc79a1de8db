/** spec(category): summaries of all categories, principles, styles, and the detail of one (paper, section 2.3.1). */
import { inputError } from '../../base/errors.js';
import { contentId } from '../../base/records.js';
import { clauseLine, styleLine } from './lines.js';
import { findCategory } from './lookup.js';
import type { Category, Clause, Spec } from './types.js';

export interface CompileOptions {
  /** Most tokens that the text may take. */
  maxTokens: number;
  countTokens: (text: string) => number;
  /** Whether the summaries of all categories are included; they are by default. */
  summaries?: boolean;
  /** `clauses`: nothing of the category but its clauses and styles, which is what a small model reads best; default `all`. */
  parts?: SpecParts;
}

export const specParts = ['clauses', 'all'] as const;
export type SpecParts = (typeof specParts)[number];

export interface CompiledSpec {
  text: string;
  tokens: number;
  /** What did not fit, in the order in which it was dropped: "rationale of V4", "example 2 of V4", "clause V9" … */
  dropped: string[];
}

/** A part of the detail that may be left out. */
interface Optional {
  name: string;
  key: object;
  clause?: true;
}

/**
 * Compiles the text that a model sees for one category, or for `none` (summaries, principles and styles only).
 * When it does not fit it loses rationales first, then examples, exclusions, definitions and at last clauses.
 * Throws inputError for an unknown category, and when not even the rest fits.
 */
export function compileSpec(spec: Spec, category: string, options: CompileOptions): CompiledSpec {
  const detail = category === 'none' ? null : findCategory(spec, category);
  const order = detail === null ? [] : dropOrder(detail);
  const least = options.parts === 'clauses' ? order.filter(({ clause }) => !clause).length : 0;
  const build = (drops: number) => {
    const left = new Set(order.slice(drops).map((part) => part.key));
    const text = [
      ...(options.summaries === false ? [] : summaryLines(spec)),
      ...generalLines(spec),
      ...(detail === null ? [] : detailLines(detail, left)),
    ].join('\n');
    return { text, tokens: options.countTokens(text) };
  };
  // Fewest drops that fit, by bisection: counting tokens is the slow part.
  let [low, high] = [least, order.length];
  let best = build(least);
  if (best.tokens > options.maxTokens) {
    best = build(high);
    if (best.tokens > options.maxTokens) {
      throw inputError(
        `the specification without any clause of ${category} takes ${best.tokens} tokens, more than the ${options.maxTokens} allowed; shorten the summaries, principles and styles, or allow more tokens`,
      );
    }
    low = least + 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      const attempt = build(middle);
      if (attempt.tokens <= options.maxTokens) [high, best] = [middle, attempt];
      else low = middle + 1;
    }
  }
  return { ...best, dropped: order.slice(least, low).map((part) => part.name) };
}

/** The summarised specification: no detail of any category. It is what the in-context arm gets at inference. */
export const compileSummary = (spec: Spec): string => [...summaryLines(spec), ...generalLines(spec)].join('\n');

/** Hash of all that the text for this category depends on: equal digests, equal texts. File names and lines do not count. */
export function categoryDigest(spec: Spec, category: string): string {
  const { clauses, definitions, styles } = category === 'none' ? noDetail : findCategory(spec, category);
  return contentId(
    compileSummary(spec),
    category,
    definitions.map(({ term, text }) => [term, text]),
    styles.map(styleLine),
    clauses.map((clause) => [
      clauseLine(clause),
      clause.rationale ?? '',
      clause.examples.map((example) => example.text),
      clause.exclusions.map((exclusion) => exclusion.text),
    ]),
  );
}
const noDetail: Pick<Category, 'clauses' | 'definitions' | 'styles'> = { clauses: [], definitions: [], styles: [] };

const summaryLines = (spec: Spec): string[] => [
  'Policies in short',
  ...spec.categories.map((category) => `${category.title}: ${category.summary}`),
];

const generalLines = (spec: Spec): string[] => [
  ...section(
    'Principles',
    spec.principles.map((principle) => principle.text),
  ),
  ...section('Styles', spec.styles.map(styleLine)),
];

const section = (title: string, lines: string[]): string[] => (lines.length === 0 ? [] : [title, ...lines]);

/** The detail of one category. Clauses stand together as the reader expects them; the optional parts follow. */
function detailLines(category: Category, left: ReadonlySet<object>): string[] {
  const clauses = category.clauses.filter((clause) => left.has(clause));
  const reasons = clauses.filter((clause) => left.has(rationaleKey(clause)));
  return [
    `Policy on ${category.title}`,
    ...category.styles.map(styleLine),
    ...clauses.map(clauseLine),
    ...section(
      'Definitions',
      category.definitions.filter((d) => left.has(d)).map((d) => `${d.term}: ${d.text}`),
    ),
    ...section(
      'Exclusions',
      clauses.flatMap((clause) => clause.exclusions.filter((e) => left.has(e)).map((e) => `${clause.subject}: ${e.text}`)),
    ),
    ...section(
      'Examples',
      clauses.flatMap((clause) => {
        const examples = clause.examples.filter((e) => left.has(e)).map((e) => `"${e.text}"`);
        return examples.length === 0 ? [] : [`${clause.subject}: ${examples.join('; ')}`];
      }),
    ),
    ...section(
      'Reasons',
      reasons.map((clause) => `${clause.subject}: ${clause.rationale}`),
    ),
  ];
}

/** Every optional part, the first to be dropped first; within a kind from the end of the file. */
function dropOrder(category: Category): Optional[] {
  const backwards = [...category.clauses].reverse();
  return [
    ...backwards.filter((c) => c.rationale !== undefined).map((c) => ({ name: `rationale of ${c.code}`, key: rationaleKey(c) })),
    ...backwards.flatMap((c) => c.examples.map((key, i) => ({ name: `example ${i + 1} of ${c.code}`, key })).reverse()),
    ...backwards.flatMap((c) => c.exclusions.map((key, i) => ({ name: `exclusion ${i + 1} of ${c.code}`, key })).reverse()),
    ...[...category.definitions].reverse().map((key) => ({ name: `definition of ${key.term}`, key })),
    ...clauseDropOrder(category.clauses).map((key) => ({ name: `clause ${key.code}`, key, clause: true as const })),
  ];
}

/** Always the last clause of the ruling that has most left, so that no ruling vanishes while another is whole. */
function clauseDropOrder(clauses: readonly Clause[]): Clause[] {
  const left = [...clauses];
  const order: Clause[] = [];
  while (left.length > 0) {
    const count = (clause: Clause) => left.filter((other) => other.ruling === clause.ruling).length;
    const most = Math.max(...left.map(count));
    const index = left.findLastIndex((clause) => count(clause) === most);
    order.push(...left.splice(index, 1));
  }
  return order;
}

// A rationale is a string, which has no identity of its own; a stable object stands for it.
const rationaleKeys = new WeakMap<Clause, object>();
function rationaleKey(clause: Clause): object {
  const key = rationaleKeys.get(clause) ?? {};
  rationaleKeys.set(clause, key);
  return key;
}
