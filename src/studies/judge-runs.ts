/** How well the judge tells good answers from bad ones, by the number of runs k, with the minimum and with the mean. */
import { Judge, lowestScore } from '../align/judge.js';
import type { JudgeRun } from '../base/records.js';
import { inParallel } from '../base/parallel.js';
import { mean } from '../evals/statistics.js';
import { plainCell, rateCell } from './cells.js';
import { areaUnderCurve } from './intervals.js';
import type { JudgeBench, JudgeItem } from './judge-items.js';
import type { Cell, Chart, Table } from './study.js';

export interface Judged {
  item: JudgeItem;
  runs: readonly JudgeRun[];
}

/** Mean of the runs; null as soon as one is unscored, as with the minimum, so that both speak of the same items. */
export const meanScore = (runs: readonly JudgeRun[]): number | null =>
  lowestScore(runs) === null ? null : mean(runs.map(({ score }) => score!));

/** The judge as in RL: conversation and answer, no CoT. */
export async function judgeAll(
  { lab, first, model, concurrency }: JudgeBench,
  items: readonly JudgeItem[],
  runs: number,
  over: { kindCheck?: boolean } = {},
): Promise<Judged[]> {
  const { config, context } = first;
  const judge = new Judge({
    model,
    specs: context.specs,
    settings: { ...config.judge, ...over },
    seed: config.seed,
    ...(lab.signal && { signal: lab.signal }),
  });
  const found = new Map<string, Judged>();
  const task = lab.progress.task(`judge × ${runs}`, items.length);
  await inParallel(
    items,
    concurrency,
    async (item) => {
      found.set(item.id, { item, runs: await judge.judgeAnswer(item, runs) });
      task.advance();
    },
    lab.signal,
  );
  task.done();
  return items.map(({ id }) => found.get(id)!);
}

/** k = 1, 2, 4, 8; minimum against mean. */
export async function runsStudy(
  bench: JudgeBench,
  items: readonly JudgeItem[],
  figures: Record<string, Cell>,
): Promise<{ table: Table; reliability: Table; chart: Chart }> {
  const ks = [...new Set(bench.lab.settings.judge.runs)].sort((a, b) => a - b);
  const { threshold } = bench.first.config.filter;
  const judged = await judgeAll(bench, items, ks.at(-1)!);
  const ways = [
    ['minimum', lowestScore],
    ['mean', meanScore],
  ] as const;
  const series: Chart['series'] = ways.map(([name]) => ({ name, points: [] }));
  const rows = ks.flatMap((k) =>
    ways.map(([name, score], way) => {
      const scored = judged.flatMap(({ item, runs }) => {
        const value = score(runs.slice(0, k));
        return value === null ? [] : [{ item, score: value, good: item.good }];
      });
      const unscored = judged.length - scored.length;
      const auc = areaUnderCurve(scored);
      const right = rateCell(
        scored.map(({ item, score: value, good }) => ({ cluster: item.request, value: value >= threshold === good ? 1 : 0 })),
        `judge ${k}`,
        unscored,
      );
      const passed = rateCell(
        scored.filter(({ good }) => !good).map(({ item, score: value }) => ({ cluster: item.request, value: value >= threshold ? 1 : 0 })),
        `passed ${k}`,
      );
      const lost = rateCell(
        scored.filter(({ good }) => good).map(({ item, score: value }) => ({ cluster: item.request, value: value < threshold ? 1 : 0 })),
        `lost ${k}`,
      );
      figures[`accuracy k=${k} ${name}`] = right;
      if (right.estimate !== null) series[way]!.points.push({ x: k, y: right.estimate, low: right.low!, high: right.high! });
      return { label: `k = ${k}, ${name}`, cells: [right, passed, lost, plainCell(auc)] };
    }),
  );
  return {
    table: {
      title: `Verdicts at the threshold ${threshold}`,
      note: 'A run that is unscored leaves the item unscored, for the minimum and for the mean; more runs leave more items out.',
      columns: ['right', 'bad ones let through', 'good ones lost', 'area under the curve'],
      rows,
    },
    reliability: reliabilityTable(judged),
    chart: { title: 'Minimum against mean', x: 'runs k →', y: 'right verdicts', series },
  };
}

/** Of the answers with such a score, how many are good: one run each. */
function reliabilityTable(judged: readonly Judged[]): Table {
  const edges = [0, 0.2, 0.4, 0.6, 0.8, 1] as const;
  const bins = edges.slice(0, -1).map((low, i) => {
    const high = edges[i + 1]!;
    const inside = judged.filter(({ runs }) => {
      const score = lowestScore(runs.slice(0, 1));
      return score !== null && score >= low && (score < high || high === 1);
    });
    return {
      label: `${low.toFixed(1)} to ${high.toFixed(1)}`,
      cells: [
        rateCell(
          inside.map(({ item }) => ({ cluster: item.request, value: item.good ? 1 : 0 })),
          `bin ${low}`,
        ),
      ],
    };
  });
  return { title: 'Reliability: share of good answers by score of one run', columns: ['good'], rows: bins };
}
