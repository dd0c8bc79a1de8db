/**
 * The headline arms × seeds: base, base with the specification in context, answer-only SFT, SFT, SFT + RL (paper, section 3,
 * table 1; the answer-only baseline is ours). Each seed is a whole run with samples, training and choice of requests of its own.
 */
import { armNames } from '../base/config.js';
import { capabilityNll, type Nll } from './capability.js';
import { measureCell, plainCell } from './cells.js';
import { differencesOf } from './differences.js';
import { rowsOfRun, type Rows } from './evaluate-model.js';
import { mainArm } from './first-run.js';
import { seedInterval } from './intervals.js';
import { measureLabel, measures, type Measure } from './measures.js';
import type { Cell, Findings, Lab, Study, Table } from './study.js';

type ArmRows = ReadonlyMap<string, Rows>;

export const headline: Study = {
  name: 'headline',
  title: 'Headline arms over seeds',
  source: 'paper, section 3: table 1',
  version: 2,
  async run(lab: Lab): Promise<Findings> {
    const config = lab.config(lab.settings.seeds[0]!);
    const main = mainArm({ config });
    const arms = armNames.filter((arm) => config.eval.arms.includes(arm) && (arm !== 'sft+rl' || config.rl.steps > 0));
    const seeds: ArmRows[] = [];
    const nlls: ReadonlyMap<string, Nll>[] = [];
    for (const seed of lab.settings.seeds) {
      const paths = await lab.runOf(seed);
      const rows = new Map<string, Rows>();
      for (const arm of arms) rows.set(arm, await rowsOfRun(paths, arm));
      seeds.push(rows);
      nlls.push(await capabilityNll(lab, paths, arms));
    }
    const figures: Record<string, Cell> = {};
    const scores = scoresTable(seeds, arms, figures);
    const against = ['base', 'answer-only', 'sft'].filter((arm) => arm !== main && (arms as string[]).includes(arm));
    const differences = against.map((arm) => differencesTable(seeds, main, arm, figures));
    return {
      tables: [scores, ...differences, nllTable(nlls, arms, figures)],
      charts: [paretoChart(seeds, arms)],
      figures,
      notes: [
        `${seeds.length} seed${seeds.length === 1 ? '' : 's'}. Intervals resample seeds and, in each, requests; a request's variants are one cluster.`,
        ...(seeds.length < 3 ? ['Fewer than three seeds: how much luck is in a seed cannot be told.'] : []),
        'p-values are exact sign tests over requests, corrected by Holm over the rows of a table.',
      ],
    };
  },
};

const strataOf = (seeds: readonly ArmRows[], arm: string, measure: Measure) => seeds.map((rows) => measure.strata(rows.get(arm)!));

function scoresTable(seeds: readonly ArmRows[], arms: readonly string[], figures: Record<string, Cell>): Table {
  const rows = measures.map((measure) => ({
    label: measure.title,
    cells: arms.map((arm) => {
      const cell = measureCell(
        measure,
        seeds.map((rows) => rows.get(arm)!),
      );
      figures[`${measure.name} ${arm}`] = cell;
      return cell;
    }),
  }));
  return { title: 'Scores, mean over seeds', columns: [...arms], rows };
}

/** Differences of two arms on the same requests, with p-values. */
function differencesTable(seeds: readonly ArmRows[], arm: string, against: string, figures: Record<string, Cell>): Table {
  const rowsOf = (name: string) => seeds.map((rows) => rows.get(name)!);
  const seedOf = (measure: Measure) => `${measure.name} ${against}`;
  const rows = differencesOf(measures, { arm: rowsOf(arm), against: rowsOf(against) }, seedOf).map(({ measure, cell, paired }) => {
    figures[`${measure.name} ${arm} − ${against}`] = cell;
    const interval = seedInterval(paired, { seed: seedOf(measure), of: 'difference' });
    if (interval !== null) figures[`${measure.name} ${arm} − ${against}, one-sided low`] = plainCell(interval.oneSidedLow);
    return { label: measureLabel(measure), cells: [cell] };
  });
  return {
    title: `${arm} against ${against}`,
    note: 'Mean difference on the requests that both were asked, with its 95 % interval.',
    columns: ['difference'],
    rows,
  };
}

function nllTable(nlls: readonly ReadonlyMap<string, Nll>[], arms: readonly string[], figures: Record<string, Cell>): Table {
  const measured = arms.filter((arm) => nlls.every((seed) => seed.has(arm)));
  const cells = measured.map((arm): Cell => {
    const perSeed = nlls.map((seed) => seed.get(arm)!.perToken);
    const base = nlls.map((seed) => seed.get('base')?.perToken ?? Number.NaN);
    const ratio = perSeed.reduce((sum, value, i) => sum + value / base[i]!, 0) / perSeed.length;
    if (Number.isFinite(ratio)) figures[`nll ratio ${arm}`] = plainCell(ratio);
    return plainCell(ratio, `${(perSeed.reduce((sum, value) => sum + value, 0) / perSeed.length).toFixed(3)} (×${ratio.toFixed(3)})`);
  });
  return {
    title: 'Negative log-likelihood a token of held-out capability text',
    note: 'Everyday prose of our own that no training has seen; in brackets against the base.',
    columns: measured,
    rows: [{ label: 'nats a token', cells }],
  };
}

function paretoChart(seeds: readonly ArmRows[], arms: readonly string[]) {
  const of = (arm: string, name: string) => {
    const measure = measures.find((one) => one.name === name)!;
    return seedInterval(strataOf(seeds, arm, measure), { seed: name, of: 'rate' });
  };
  return {
    title: 'Safer without refusing more?',
    x: 'over-refusal →',
    y: 'goodness@0.1 →',
    series: arms.flatMap((arm) => {
      const [x, y] = [of(arm, 'over-refusal'), of(arm, 'forbidden-jailbreaks')];
      if (x === null || y === null) return [];
      return [{ name: arm, points: [{ x: x.estimate, y: y.estimate, low: y.low, high: y.high, label: arm }] }];
    }),
  };
}
