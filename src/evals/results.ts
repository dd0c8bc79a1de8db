/** From graded rows to one number with its interval. */
import { Random } from '../base/random.js';
import { rulesName } from './graders.js';
import type { EvalResult, EvalRow } from './records.js';
import { goodnessAt, mean, quantile, rateInterval, type Scored } from './statistics.js';
import type { Index, SetPart } from './sets/evaluation-set.js';
import type { Suite } from './suites.js';

/** What is resampled and paired: a row, or a request with its goodness. `id` is the same in every arm. */
export interface Unit extends Scored {
  id: string;
}

/** The scored units of a suite. A request of goodness@0.1 counts with those of its techniques that were scored. */
export function units(suite: Pick<Suite, 'summary'>, rows: readonly EvalRow[]): Unit[] {
  const scored = rows.flatMap((row) => (row.score === null ? [] : [{ ...row, score: row.score }]));
  if (suite.summary === 'mean') return scored.map((row) => ({ id: row.promptId, cluster: row.request, value: row.score }));
  const of = suite.summary === 'worst' ? worst : goodnessAt;
  return [...grouped(scored, (row) => row.request)].map(([request, variants]) => ({
    id: request,
    cluster: request,
    value: of(variants.map((row) => row.score)),
  }));
}

/** Wrong if any variant is. */
const worst = (scores: readonly number[]): number => Math.min(...scores);

/** One arm on one suite: estimate, 95 % interval, unscored count, kinds, measures, parts. */
export function summarise(
  arm: string,
  suite: Pick<SetPart, 'name' | 'summary' | 'rates' | 'indices'>,
  rows: readonly EvalRow[],
  seed: number | string,
): EvalResult {
  const scored = rows.filter((row) => row.score !== null);
  const counted = units(suite, rows);
  const interval = counted.length === 0 ? null : rateInterval(counted, { seed: `${seed} ${suite.name}` });
  const share = (fits: (row: EvalRow) => boolean) => (scored.length === 0 ? 0 : scored.filter(fits).length / scored.length);
  const average = (of: (row: EvalRow) => number) => (scored.length === 0 ? 0 : mean(scored.map(of)));
  const words = (text: string) => text.split(/\s+/).filter(Boolean).length;
  const parts = (key: (row: EvalRow) => string) =>
    Object.fromEntries(
      [...grouped(rows, key)].map(([name, part]) => {
        const scores = part.flatMap(({ score }) => (score === null ? [] : [score]));
        return [name, { mean: scores.length === 0 ? null : mean(scores), rows: scores.length, unscored: part.length - scores.length }];
      }),
    );
  return {
    arm,
    suite: suite.name,
    estimate: interval?.estimate ?? null,
    low: interval?.low ?? null,
    high: interval?.high ?? null,
    rows: rows.length,
    requests: new Set(rows.map((row) => row.request)).size,
    unscored: rows.length - scored.length,
    kinds: {
      comply: share((row) => row.kind === 'comply'),
      'safe-complete': share((row) => row.kind === 'safe-complete'),
      refuse: share((row) => row.kind === 'refuse'),
      gibberish: share((row) => row.kind === 'gibberish'),
    },
    measures: {
      truncated: share((row) => row.stopReason === 'length'),
      answerWords: average((row) => words(row.answer)),
      cotWords: average((row) => words(row.cot ?? '')),
      repetition: average((row) => row.repetition),
    },
    by: { ideal: parts((row) => row.ideal ?? 'unknown'), category: parts((row) => row.category), technique: parts((row) => row.technique) },
    ...graderOf(rows),
    ...(suite.rates && {
      rates: { ...ratesOf(rows, suite.rates, `${seed} ${suite.name}`), ...indicesOf(rows, suite.indices ?? [], `${seed} ${suite.name}`) },
    }),
  };
}

/** Who graded these rows, where it was not the rules. */
function graderOf(rows: readonly EvalRow[]): Pick<EvalResult, 'grader'> {
  const graders = new Set(rows.flatMap(({ grader }) => grader ?? []));
  graders.delete(rulesName);
  return graders.size === 0 ? {} : { grader: [...graders].join(', ') };
}

/** Shares of a part's own classes, with intervals by request. */
function ratesOf(rows: readonly EvalRow[], classes: NonNullable<SetPart['rates']>, seed: string): NonNullable<EvalResult['rates']> {
  const counted = rows.flatMap((row) =>
    Object.entries(classes(row)).map(([name, holds]) => ({ name, cluster: row.request, value: holds ? 1 : 0 })),
  );
  return Object.fromEntries(
    [...grouped(counted, ({ name }) => name)].map(([name, part]) => {
      const { estimate, low, high } = rateInterval(part, { seed: `${seed} ${name}` });
      return [name, { share: estimate, low, high, rows: part.length }];
    }),
  );
}

/** Numbers that are no shares, by resampling requests. */
function indicesOf(rows: readonly EvalRow[], indices: readonly Index[], seed: string): NonNullable<EvalResult['rates']> {
  const found = indices.map(({ name, counts, of, interval }) => {
    const counted = rows.filter((row) => row.score !== null && counts(row));
    if (counted.length === 0) return [];
    const clusters = [...grouped(counted, ({ request }) => request).values()];
    const random = new Random(`bootstrap ${seed} ${name}`);
    const redrawn = Array.from({ length: 1000 }, () => of(clusters.flatMap(() => random.pick(clusters)))).sort((a, b) => a - b);
    const bootstrap = { low: quantile(redrawn, 0.025), high: quantile(redrawn, 0.975) };
    return [[name, { share: of(counted), ...interval(counted, bootstrap, clusters.length), rows: counted.length }] as const];
  });
  return Object.fromEntries(found.flat());
}

/** Items by key, keys in order of first appearance. */
export function grouped<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
