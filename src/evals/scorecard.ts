/** Arms × suites: one table, with intervals, unscored counts, and what changed against the base. */
import { z } from 'zod';
import type { ArmResult } from './evaluate.js';
import { EvalResult } from './records.js';
import { holm, signTest } from './significance.js';
import { pairedDifference } from './statistics.js';
import { suites } from './suites.js';

export const Difference = z.strictObject({
  arm: z.string(),
  suite: z.string(),
  /** The arm compared with. */
  against: z.string(),
  estimate: z.number(),
  low: z.number(),
  high: z.number(),
  /** Units that both arms have scored. */
  units: z.int(),
  /** Units whose score differs. */
  changed: z.int(),
  /** Units that only one of the two arms has scored: left out. Earlier versions did not count them. */
  unscored: z.int().optional(),
  /** Of an exact sign test over requests, not corrected: `correctedP` is. Earlier versions had none. */
  p: z.number().optional(),
});
export type Difference = z.infer<typeof Difference>;

/** What a scorecard says of a suite. */
export const SuiteInfo = z.strictObject({ name: z.string(), title: z.string(), metric: z.string(), group: z.string() });
export type SuiteInfo = z.infer<typeof SuiteInfo>;

export const Scorecard = z.strictObject({
  arms: z.array(z.string()),
  suites: z.array(SuiteInfo),
  results: z.array(EvalResult),
  differences: z.array(Difference),
});
export type Scorecard = z.infer<typeof Scorecard>;

/**
 * Scorecard of several arms; differences are paired, each arm against `base`, or against the first arm where there is no base.
 * @param others suites that a run does not ask by itself
 */
export function scorecard(arms: readonly (readonly ArmResult[])[], seed: number | string, others: readonly SuiteInfo[] = []): Scorecard {
  const all = arms.flat();
  const names = [...new Set(all.map(({ result }) => result.arm))];
  const against = names.includes('base') ? 'base' : (names[0] ?? 'base');
  const asked = [...suites, ...others].filter((suite) => all.some(({ result }) => result.suite === suite.name));
  return {
    arms: names,
    suites: asked.map(({ name, title, metric, group }) => ({ name, title, metric, group })),
    results: all.map(({ result }) => result),
    differences: all.flatMap((one) => {
      const reference = all.find(({ result }) => result.arm === against && result.suite === one.result.suite);
      if (one.result.arm === against || reference === undefined) return [];
      const before = new Map(reference.units.map((unit) => [unit.id, unit.value]));
      const paired = one.units.flatMap((unit) => {
        const a = before.get(unit.id);
        return a === undefined ? [] : [{ cluster: unit.cluster, a, b: unit.value }];
      });
      if (paired.length === 0) return [];
      const interval = pairedDifference(paired, { seed: `${seed} ${one.result.suite}` });
      return [
        {
          arm: one.result.arm,
          suite: one.result.suite,
          against,
          ...interval,
          units: paired.length,
          changed: paired.filter(({ a, b }) => a !== b).length,
          unscored: reference.units.length + one.units.length - 2 * paired.length,
          p: signTest(paired.map(({ cluster, a, b }) => ({ cluster, value: b - a }))),
        },
      ];
    }),
  };
}

/** Named shares of the classes of a suite, one line a suite, arm and share; empty where no suite has any. */
export function ratesText(card: Scorecard): string {
  return card.suites
    .flatMap(({ name, title }) =>
      card.results
        .filter((result) => result.suite === name)
        .flatMap(({ arm, rates = {} }) =>
          Object.entries(rates).map(
            ([share, one]) => `${title}, ${arm}: ${share} ${rate(one.share)} [${rate(one.low)}, ${rate(one.high)}] of ${one.rows}`,
          ),
        ),
    )
    .join('\n');
}

/** `.87`, `1.00`, `–` for none. */
export const rate = (value: number | null): string => (value === null ? '–' : value.toFixed(2).replace(/^(-?)0\./, '$1.'));

type Differences = Pick<Scorecard, 'differences'>;

/** p of a difference, corrected by Holm over all suites of its arm in the card; null in a card of an earlier version. */
export function correctedP(card: Differences, { arm, suite }: Pick<Difference, 'arm' | 'suite'>): number | null {
  const family = card.differences.filter((one) => one.arm === arm && one.p !== undefined);
  const at = family.findIndex((one) => one.suite === suite);
  return at < 0 ? null : holm(family.map(({ p }) => p!))[at]!;
}

/**
 * 1 or −1 where the arm is better or worse than the reference: the corrected p is below .05 and the paired 95 % interval excludes 0.
 * Else 0. In a card without p-values the interval decides, if at least six units changed.
 */
export function verdict(card: Differences, difference: Difference): -1 | 0 | 1 {
  const p = correctedP(card, difference);
  if (p === null ? difference.changed < 6 : p >= 0.05) return 0;
  return difference.low > 0 ? 1 : difference.high < 0 ? -1 : 0;
}

/** What the arrows of a card mean, for a sentence that begins with them; null where there are none. */
export function markRule({ differences }: Differences): string | null {
  const [first] = differences;
  if (first === undefined) return null;
  return differences.every(({ p }) => p !== undefined)
    ? `differs from ${first.against} on the same requests, p < .05 by sign test, corrected by Holm over the suites of an arm`
    : `the 95 % interval of the difference from ${first.against} on the same requests excludes 0, not corrected for the number of suites`;
}

/** `↑`, `↓` or nothing, by `verdict`. */
export function mark(card: Scorecard, arm: string, suite: string): '↑' | '↓' | '' {
  const difference = card.differences.find((d) => d.arm === arm && d.suite === suite);
  const change = difference === undefined ? 0 : verdict(card, difference);
  return change > 0 ? '↑' : change < 0 ? '↓' : '';
}

/** The table for a terminal, plain text, columns aligned, then a sentence on what changed. */
export function scorecardText(card: Scorecard): string {
  const find = (arm: string, suite: string) => card.results.find((r) => r.arm === arm && r.suite === suite);
  const cell = (arm: string, suite: string): string => {
    const result = find(arm, suite);
    if (result === undefined) return '';
    if (result.estimate === null) return `– (${result.unscored} unscored)`;
    const unscored = result.unscored === 0 ? '' : ` ${result.unscored} unscored`;
    return `${rate(result.estimate)} [${rate(result.low)}, ${rate(result.high)}]${mark(card, arm, suite)}${unscored}`;
  };
  const rows = [['', ...card.arms], ...card.suites.map(({ name, title }) => [title, ...card.arms.map((arm) => cell(arm, name))])];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => [...row[column]!].length)));
  const lines = rows.map((row) =>
    row
      .map((text, i) => text.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [lines[0], rule, ...lines.slice(1), rule, legend(card), ...changes(card)].join('\n');
}

const legend = (card: Scorecard): string => {
  const requests = card.results.reduce((most, result) => Math.max(most, result.requests), 0);
  const rule = markRule(card);
  return (
    `Rates from 0 to 1, more is better; 95 % intervals over requests (at most ${requests} a suite).` +
    (rule === null ? '' : `\n↑ ↓: ${rule}.`)
  );
};

function changes(card: Scorecard): string[] {
  const title = new Map(card.suites.map((suite) => [suite.name, suite.title]));
  return card.arms.flatMap((arm) => {
    const found = card.differences.filter((d) => d.arm === arm);
    if (found.length === 0) return [];
    const list = (fits: (d: Difference) => boolean) =>
      found
        .filter(fits)
        .map(
          (d) =>
            `${title.get(d.suite) ?? d.suite} ${d.estimate > 0 ? '+' : ''}${rate(d.estimate)}${d.unscored ? ` (${d.unscored} unscored)` : ''}`,
        )
        .join(', ');
    const [better, worse] = [list((d) => verdict(card, d) > 0), list((d) => verdict(card, d) < 0)];
    const words = [better && `better: ${better}`, worse && `worse: ${worse}`].filter(Boolean).join('; ');
    return [`${arm} against ${found[0]!.against}: ${words || 'no difference that these sizes can tell'}.`];
  });
}
