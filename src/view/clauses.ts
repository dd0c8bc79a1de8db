/** The specification for the page: every clause with its line as models see it, and how it was used in the run. */
import { clauseLine, styleLine } from '../align/spec/lines.js';
import type { Spec } from '../align/spec/types.js';
import type { ResponseKind } from '../base/records.js';
import type { RunStore } from './store.js';

export interface Entry {
  code: string;
  sort: 'clause' | 'style';
  subject: string;
  ruling: ResponseKind;
  text: string;
  /** As compiled: what a citation is compared with. */
  line: string;
  rationale: string | null;
  examples: string[];
  exclusions: string[];
  /** Null for the general styles. */
  category: string | null;
  title: string | null;
}

/** Every clause and style guideline by its code. */
export function clauseBook(spec: Spec): Map<string, Entry> {
  const book = new Map<string, Entry>();
  const style = (one: Spec['styles'][number], category: string | null, title: string | null) =>
    book.set(one.code, {
      code: one.code,
      sort: 'style',
      subject: 'Style',
      ruling: one.kind,
      text: one.text,
      line: styleLine(one),
      rationale: null,
      examples: [],
      exclusions: [],
      category,
      title,
    });
  for (const one of spec.styles) style(one, null, null);
  for (const { name, title, styles, clauses } of spec.categories) {
    for (const one of styles) style(one, name, title);
    for (const clause of clauses)
      book.set(clause.code, {
        code: clause.code,
        sort: 'clause',
        subject: clause.subject,
        ruling: clause.ruling,
        text: clause.text,
        line: clauseLine(clause),
        rationale: clause.rationale ?? null,
        examples: clause.examples.map(({ text }) => text),
        exclusions: clause.exclusions.map(({ text }) => text),
        category: name,
        title,
      });
  }
  return book;
}

export interface ClauseUse {
  cited: number;
  followed: number;
  violated: number;
  overApplied: number;
  /** Cited where the answer is gibberish. */
  unclear: number;
}

const unused: ClauseUse = { cited: 0, followed: 0, violated: 0, overApplied: 0, unclear: 0 };

/** The specification with how each clause was used, in one source or arm or in all. */
export async function specPage(store: RunStore, { source, arm }: { source?: string; arm?: string }) {
  const conditions = [
    'true',
    ...(source === undefined ? [] : ['source = $1']),
    ...(arm === undefined ? [] : [`arm = $${source === undefined ? 1 : 2}`]),
  ];
  const rows = await store.rows(
    `select code, count(*)::INTEGER as cited, count(*) filter (where fit = 'followed')::INTEGER as followed, count(*) filter (where fit = 'violated')::INTEGER as violated,
       count(*) filter (where over_applied)::INTEGER as overApplied, count(*) filter (where fit = 'unclear')::INTEGER as unclear
     from uses join records using (n) where ${conditions.join(' and ')} group by code`,
    [source, arm].filter((value) => value !== undefined),
  );
  const unknown = await store.rows(
    `select code, count(*)::INTEGER as cited from (select unnest(codes) as code from records where ${conditions.join(' and ')}) where code not in (select code from clauses)
     group by code order by cited desc, code limit 50`,
    [source, arm].filter((value) => value !== undefined),
  );
  const used = new Map(rows.map(({ code, ...use }) => [String(code), use as unknown as ClauseUse]));
  const entries = [...clauseBook(store.spec).values()].map((entry) => ({ ...entry, use: used.get(entry.code) ?? unused }));
  const { spec } = store;
  return {
    principles: spec.principles.map(({ text }) => text),
    styles: entries.filter(({ category }) => category === null),
    categories: spec.categories.map(({ name, title, summary, definitions }) => ({
      name,
      title,
      summary,
      definitions: definitions.map(({ term, text }) => ({ term, text })),
      entries: entries.filter(({ category }) => category === name),
    })),
    unknown,
  };
}
