/** What people ask of the table of records, from the address to SQL. Values go in as parameters, names come from a list. */
import { z } from 'zod';
import { inputError } from '../base/errors.js';

/** Filters that compare one column. */
const columns = {
  source: 'source',
  arm: 'arm',
  suite: 'suite',
  category: 'category',
  label: 'ideal',
  technique: 'technique',
  decision: 'decision',
  kind: 'kind',
  score: 'band',
} as const;

const orders = {
  order: 'n',
  score: 'score nulls last, n',
  '-score': 'score desc nulls last, n',
  category: 'category, n',
  technique: 'technique, n',
  length: 'strlen(answer) desc, n',
  prompt: 'prompt, n',
} as const;

/** Long enough for every fault that is worth a name, short enough for an address. */
const text = z.string().max(2000).optional();
export const Filters = z.strictObject({
  source: text,
  arm: text,
  suite: text,
  category: text,
  label: text,
  technique: text,
  decision: text,
  kind: text,
  score: text,
  /** A fault or failed check. */
  fault: text,
  clause: text,
  /** With or without `clause`: how a cited clause was used. */
  use: z.enum(['followed', 'violated', 'over-applied', 'unclear']).optional(),
  kept: z.enum(['yes', 'no']).optional(),
  human: z.enum(['good', 'bad', 'disagrees', 'any']).optional(),
  promptId: text,
  q: text,
  sort: z.enum(Object.keys(orders) as [keyof typeof orders, ...(keyof typeof orders)[]]).default('order'),
  offset: z.coerce.number().int().min(0).max(1e9).default(0),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});
export type Filters = z.infer<typeof Filters>;

/** @throws input error that names the part of the address that is not understood */
export function parseFilters(query: unknown): Filters {
  const parsed = Filters.safeParse(query);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw inputError(
    `filter ${issue?.path.join('.') || (issue?.code === 'unrecognized_keys' ? issue.keys.join(', ') : '')}: ${issue?.message}`,
  );
}

/** A verdict at or above this is a good one where people are compared with the judge. */
export const goodScore = 0.5;

/** The value that stands for "no value" in a filter. */
export const noValue = '(none)';

/** Condition and parameters; `without` leaves one filter out, for counting its choices. */
export function condition(filters: Filters, without?: string): { where: string; parameters: string[] } {
  const parts: string[] = [];
  const parameters: string[] = [];
  const bind = (value: string) => `$${parameters.push(value)}`;
  const given = (name: keyof Filters) => (name === without ? undefined : (filters[name] as string | undefined));
  for (const [name, column] of Object.entries(columns)) {
    const value = given(name as keyof typeof columns);
    if (value !== undefined) parts.push(value === noValue ? `${column} is null` : `${column} = ${bind(value)}`);
  }
  const fault = given('fault');
  if (fault !== undefined) parts.push(`list_contains(faults, ${bind(fault)})`);
  const clause = given('clause');
  const use = given('use');
  if (clause !== undefined && use === undefined) parts.push(`list_contains(codes, ${bind(clause)})`);
  if (use !== undefined) {
    const fits = use === 'over-applied' ? 'over_applied' : `fit = ${bind(use)}`;
    const code = clause === undefined ? '' : ` and code = ${bind(clause)}`;
    parts.push(`n in (select n from uses where ${fits}${code})`);
  }
  const kept = given('kept');
  if (kept !== undefined) parts.push(kept === 'yes' ? 'kept' : `not kept and source = 'generate'`);
  const human = given('human');
  if (human === 'any') parts.push('human is not null');
  if (human === 'good' || human === 'bad') parts.push(`human = ${human === 'good' ? 1 : 0}`);
  if (human === 'disagrees') parts.push(`human is not null and score is not null and (human = 1) <> (score >= ${goodScore})`);
  const promptId = given('promptId');
  if (promptId !== undefined) parts.push(`promptId = ${bind(promptId)}`);
  for (const word of words(given('q') ?? '')) parts.push(`contains(text, ${bind(word)})`);
  return { where: parts.length === 0 ? 'true' : parts.join(' and '), parameters };
}

/** `"two words"` in quotes are one, as everywhere. */
const words = (query: string): string[] =>
  [...query.toLowerCase().matchAll(/"([^"]+)"|(\S+)/g)]
    .map((match) => (match[1] ?? match[2])!.replaceAll('"', ''))
    .filter((word) => word !== '');

export const orderBy = (filters: Filters): string => orders[filters.sort];

/** Filters whose choices are listed with counts. */
export const facets: Record<string, string> = { ...columns, fault: 'unnest(faults)', clause: 'unnest(codes)' };
