/** The table of records: a page of it, and the choices of every filter with their counts. */
import { condition, facets, noValue, orderBy, type Filters } from './filters.js';
import type { Row, RunStore } from './store.js';

export interface Page {
  total: number;
  rows: Row[];
}

/** Letters of a text that a table row shows. */
const shown = 240;

export async function listRecords(store: RunStore, filters: Filters): Promise<Page> {
  const { where, parameters } = condition(filters);
  // First which rows, by narrow columns; texts are fetched for those alone.
  const [count, rows] = await Promise.all([
    store.rows(`select count(*)::INTEGER as total from records where ${where}`, parameters),
    store.rows(
      `select key, source, arm, suite, step, sample, promptId, left(prompt, ${shown}) as prompt, category, ideal, technique, decision, kind, score, state,
         human, kept, codes, faults, left(answer, ${shown}) as answer
       from records where n in (select n from records where ${where} order by ${orderBy(filters)} limit ${filters.limit} offset ${filters.offset})
       order by ${orderBy(filters)}`,
      parameters,
    ),
  ]);
  return { total: Number(count[0]?.['total'] ?? 0), rows };
}

export type Facets = Record<string, { value: string; count: number }[]>;

/** The choices of each filter under all the other filters, most first. */
export async function listFacets(store: RunStore, filters: Filters): Promise<Facets> {
  const result: Facets = {};
  const given = (name: string) => (filters as Record<string, unknown>)[name] !== undefined;
  const scalar = Object.entries(facets).filter(([, column]) => !column.startsWith('unnest'));
  // Filters that are not set see the same records: one pass counts them all.
  const shared = scalar.filter(([name]) => !given(name));
  const { where, parameters } = condition(filters);
  const jobs: Promise<void>[] = [];
  if (shared.length > 0) {
    const columns = shared.map(([, column]) => column);
    jobs.push(
      store
        .rows(
          `select grouping(${columns.join(', ')})::INTEGER as which, coalesce(${columns.join(', ')}, '${noValue}') as value, count(*)::INTEGER as count
           from records where ${where} group by grouping sets (${columns.map((column) => `(${column})`).join(', ')}) order by count desc, value`,
          parameters,
        )
        .then((rows) =>
          shared.forEach(([name], i) => {
            // The bit of the one column that this row groups by is unset.
            const mask = (1 << shared.length) - 1 - (1 << (shared.length - 1 - i));
            result[name] = choices(rows.filter(({ which }) => which === mask));
          }),
        ),
    );
  }
  for (const [name, column] of Object.entries(facets)) {
    if (!column.startsWith('unnest') && !given(name)) continue;
    const own = condition(filters, name);
    const value = column.startsWith('unnest') ? column : `coalesce(${column}, '${noValue}')`;
    jobs.push(
      store
        .rows(
          `select value, count(*)::INTEGER as count from (select ${value} as value from records where ${own.where}) group by value order by count desc, value limit 300`,
          own.parameters,
        )
        .then((rows) => void (result[name] = choices(rows))),
    );
  }
  await Promise.all(jobs);
  return result;
}

const choices = (rows: readonly Row[]) => rows.map(({ value, count }) => ({ value: String(value), count: Number(count) }));
