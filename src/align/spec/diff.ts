/** What changed between two specifications, by clause, and which categories' completions that invalidates. */
import { categoryDigest, compileSummary } from './compile.js';
import type { Category, Spec } from './types.js';

export interface SpecChange {
  what: 'category' | 'summary' | 'definition' | 'clause' | 'style' | 'principles' | 'order';
  /** Category name; null for what belongs to all. */
  category: string | null;
  /** Code of a clause or style, or the term of a definition; empty for the others. */
  name: string;
  change: 'added' | 'removed' | 'changed';
  /** For changes: the fields that differ, with their old and new text. */
  fields: { field: string; before: string; after: string }[];
}

export interface SpecDiff {
  changes: SpecChange[];
  /** Categories whose compiled text may differ, those of both sides, sorted. */
  touched: string[];
  /** Whether a summary, principle or general style changed, which touches every category and `none`. */
  touchesAll: boolean;
}

/** Compares by code, so that a moved clause is no change; renaming a code removes one clause and adds another. */
export function diffSpecs(before: Spec, after: Spec): SpecDiff {
  const changes: SpecChange[] = [];
  const names = union(
    before.categories.map((c) => c.name),
    after.categories.map((c) => c.name),
  );
  const find = (spec: Spec, name: string) => spec.categories.find((category) => category.name === name);
  for (const name of names) {
    const [old, now] = [find(before, name), find(after, name)];
    if (old !== undefined && now !== undefined) changes.push(...diffCategory(old, now));
    else changes.push({ what: 'category', category: name, name: '', change: old === undefined ? 'added' : 'removed', fields: [] });
  }
  const principles = [before, after].map((spec) => spec.principles.map((principle) => principle.text).join('\n')) as [string, string];
  if (principles[0] !== principles[1]) {
    changes.push({
      what: 'principles',
      category: null,
      name: '',
      change: 'changed',
      fields: fieldsThatDiffer({ text: principles[0] }, { text: principles[1] }),
    });
  }
  changes.push(...diffEntries('style', null, before.styles.map(styleEntry), after.styles.map(styleEntry)));
  const digest = (spec: Spec, name: string) => (find(spec, name) === undefined ? null : categoryDigest(spec, name));
  const touched = names.filter((name) => digest(before, name) !== digest(after, name));
  for (const name of touched) {
    // A digest may differ by the order of clauses alone; say so rather than touch a category without a reason.
    if (
      !changes.some((change) => change.category === name || change.category === null) &&
      compileSummary(before) === compileSummary(after)
    ) {
      changes.push({ what: 'order', category: name, name: '', change: 'changed', fields: [] });
    }
  }
  const touchesAll = compileSummary(before) !== compileSummary(after);
  if (touchesAll && changes.length === 0) changes.push({ what: 'order', category: null, name: '', change: 'changed', fields: [] });
  return { changes, touched, touchesAll };
}

/** A diff as lines for the screen. */
export function formatDiff({ changes, touched, touchesAll }: SpecDiff): string {
  if (changes.length === 0) return 'The specifications are equal.';
  const marks = { added: '+', removed: '-', changed: '~' };
  const lines = changes.flatMap(({ what, category, name, change, fields }) => [
    `${marks[change]} ${[category ?? 'all categories', what, name].filter(Boolean).join(' ')}`,
    ...fields.flatMap(({ field, before, after }) => [`    ${field}`, ...indent('-', before), ...indent('+', after)]),
  ]);
  const which = touchesAll ? `every category: ${touched.join(', ')}, none` : touched.join(', ');
  return [...lines, '', `To be made again: ${which}`].join('\n');
}

const indent = (mark: string, text: string): string[] => (text === '' ? [] : text.split('\n').map((line) => `      ${mark} ${line}`));

interface Entry {
  name: string;
  fields: Record<string, string>;
}

function diffCategory(before: Category, after: Category): SpecChange[] {
  const summary = fieldsThatDiffer({ title: before.title, summary: before.summary }, { title: after.title, summary: after.summary });
  const entries = (category: Category) => ({
    definitions: category.definitions.map(({ term, text }) => ({ name: term, fields: { text } })),
    clauses: category.clauses.map((clause) => ({
      name: clause.code,
      fields: {
        subject: clause.subject,
        ruling: clause.ruling,
        text: clause.text,
        rationale: clause.rationale ?? '',
        examples: clause.examples.map((example) => example.text).join('\n'),
        exclusions: clause.exclusions.map((exclusion) => exclusion.text).join('\n'),
      },
    })),
    styles: category.styles.map(styleEntry),
  });
  const [old, now] = [entries(before), entries(after)];
  return [
    ...(summary.length === 0
      ? []
      : [{ what: 'summary' as const, category: after.name, name: '', change: 'changed' as const, fields: summary }]),
    ...diffEntries('definition', after.name, old.definitions, now.definitions),
    ...diffEntries('clause', after.name, old.clauses, now.clauses),
    ...diffEntries('style', after.name, old.styles, now.styles),
  ];
}

const styleEntry = ({ code, kind, text }: Spec['styles'][number]): Entry => ({ name: code, fields: { kind, text } });

function diffEntries(what: SpecChange['what'], category: string | null, before: readonly Entry[], after: readonly Entry[]): SpecChange[] {
  return union(
    before.map((e) => e.name),
    after.map((e) => e.name),
  ).flatMap((name): SpecChange[] => {
    const [old, now] = [before.find((e) => e.name === name), after.find((e) => e.name === name)];
    if (old === undefined) return [{ what, category, name, change: 'added', fields: [] }];
    if (now === undefined) return [{ what, category, name, change: 'removed', fields: [] }];
    const fields = fieldsThatDiffer(old.fields, now.fields);
    return fields.length === 0 ? [] : [{ what, category, name, change: 'changed', fields }];
  });
}

const fieldsThatDiffer = (before: Record<string, string>, after: Record<string, string>): SpecChange['fields'] =>
  Object.keys(after)
    .filter((field) => before[field] !== after[field])
    .map((field) => ({ field, before: before[field] ?? '', after: after[field] ?? '' }));

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])].sort();
