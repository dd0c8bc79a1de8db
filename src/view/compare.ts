/** Two arms on the same prompts of the evaluation: what flipped first, with a paired test. */
import { mcnemarExact } from '../evals/mcnemar.js';
import { pairedDifference } from '../evals/statistics.js';
import { goodScore } from './filters.js';
import type { RunStore } from './store.js';

export interface Comparison {
  suites: string[];
  /** Pairs with a score in both arms. */
  pairs: number;
  better: number;
  worse: number;
  bothGood: number;
  bothBad: number;
  /** Pairs in which one arm is unscored. */
  unscored: number;
  /** Two-sided. Null without pairs. */
  mcnemar: number | null;
  /** Mean of b − a with its 95 % interval, by resampling requests; null without pairs. */
  difference: { estimate: number; low: number; high: number; requests: number } | null;
}

interface Asked {
  a: string;
  b: string;
  suite?: string | undefined;
  show: 'flipped' | 'better' | 'worse' | 'all';
  offset: number;
  limit: number;
}

export async function compareArms(store: RunStore, { a, b, suite, show, offset, limit }: Asked) {
  const joined = `from (select * from records where source = 'eval' and arm = $1) x join (select * from records where source = 'eval' and arm = $2) y
    on y.suite = x.suite and y.promptId = x.promptId`;
  const inSuite = suite === undefined ? '' : ' and x.suite = $3';
  const parameters = suite === undefined ? [a, b] : [a, b, suite];
  const flips = `(x.score >= ${goodScore}) <> (y.score >= ${goodScore})`;
  const shown = {
    flipped: flips,
    better: `x.score < ${goodScore} and y.score >= ${goodScore}`,
    worse: `x.score >= ${goodScore} and y.score < ${goodScore}`,
    all: 'true',
  }[show];
  const [scores, rows, suites] = await Promise.all([
    store.rows(`select x.request, x.score as a, y.score as b ${joined} where true${inSuite} order by x.suite, x.promptId`, parameters),
    store.rows(
      `select x.suite, x.promptId, x.category, x.technique, x.ideal, left(x.prompt, 600) as prompt,
         struct_pack(key := x.key, kind := x.kind, decision := x.decision, score := x.score, faults := x.faults, cot := left(x.cot, 1200), answer := left(x.answer, 1200)) as a,
         struct_pack(key := y.key, kind := y.kind, decision := y.decision, score := y.score, faults := y.faults, cot := left(y.cot, 1200), answer := left(y.answer, 1200)) as b
       ${joined} where (${shown})${inSuite} order by (${flips}) desc nulls last, y.score < x.score desc, x.suite, x.n limit ${limit} offset ${offset}`,
      parameters,
    ),
    store.rows(`select distinct suite from records where source = 'eval' and arm in ($1, $2) order by suite`, [a, b]),
  ]);
  return { ...summary(scores as unknown as Scores[]), suites: suites.map((row) => String(row['suite'])), rows };
}

interface Scores {
  request: string;
  a: number | null;
  b: number | null;
}

function summary(all: readonly Scores[]): Omit<Comparison, 'suites'> {
  const pairs = all.flatMap(({ request, a, b }) => (a === null || b === null ? [] : [{ cluster: request, a, b }]));
  const count = (before: boolean, after: boolean) =>
    pairs.filter(({ a, b }) => a >= goodScore === before && b >= goodScore === after).length;
  const [better, worse] = [count(false, true), count(true, false)];
  const requests = new Set(pairs.map(({ cluster }) => cluster)).size;
  return {
    pairs: pairs.length,
    better,
    worse,
    bothGood: count(true, true),
    bothBad: count(false, false),
    unscored: all.length - pairs.length,
    mcnemar: pairs.length === 0 ? null : mcnemarExact(better, worse),
    difference:
      pairs.length === 0
        ? null
        : // Thousands of requests leave little to chance: fewer resamples tell the interval as well, in time for a page.
          { ...pairedDifference(pairs, { seed: 'view', resamples: requests > 2000 ? 200 : 1000 }), requests },
  };
}
