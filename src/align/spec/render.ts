/** Text of `spec show`: what a model sees for a category, what it costs, and what did not fit. */
import { compileSpec, type CompileOptions } from './compile.js';
import type { Spec } from './types.js';

/** The compiled specification of one category (or `none`), with a closing note. Throws inputError as compileSpec does. */
export function renderCategory(spec: Spec, category: string, options: CompileOptions): string {
  const { text, tokens, dropped } = compileSpec(spec, category, options);
  const left = dropped.length === 0 ? 'nothing was dropped' : `dropped to fit ${options.maxTokens}: ${summariseDrops(dropped)}`;
  return `${text}\n\n— ${tokens} tokens; ${left}`;
}

/** A table of the categories: clauses by ruling, and where each stands. */
export function renderOverview(spec: Spec): string {
  const width = Math.max(8, ...spec.categories.map((category) => category.name.length));
  const row = (cells: readonly (string | number)[]) =>
    cells
      .map((cell, i) => (i === 0 ? String(cell).padEnd(width) : i === cells.length - 1 ? String(cell) : String(cell).padStart(15)))
      .join('  ');
  return [
    row(['category', 'allowed', 'safe completion', 'disallowed', 'file']),
    ...spec.categories.map(({ name, clauses, file }) => {
      const count = (ruling: string) => clauses.filter((clause) => clause.ruling === ruling).length;
      return row([name, count('comply'), count('safe-complete'), count('refuse'), file]);
    }),
    '',
    `${spec.principles.length} principles, ${spec.styles.length} general styles`,
  ].join('\n');
}

/** "12 examples, 3 exclusions, clause V9": clauses by name, the rest by number. */
export function summariseDrops(dropped: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const part of dropped) {
    const kind = part.split(' ')[0] as string;
    if (kind !== 'clause') counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const plural = ([kind, n]: [string, number]) => `${n} ${kind}${n === 1 ? '' : 's'}`;
  return [...[...counts].map(plural), ...dropped.filter((part) => part.startsWith('clause '))].join(', ');
}
