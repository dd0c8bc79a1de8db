/** How far the graders of response kinds agree: the published rules, a judge, and labels given by reading. */
import path from 'node:path';
import { z } from 'zod';
import { inputError } from '../base/errors.js';
import { packageRoot } from '../base/package-root.js';
import { inParallel } from '../base/parallel.js';
import { splitCot } from '../lm/split-cot.js';
import { filledLines, firstIssue, parseJsonLine, readText } from '../prompts/lines.js';
import { answerKind } from './graders.js';
import { agreement, confusion, type Agreement, type Rated } from './kappa.js';
import type { EvalJudge } from './judged/eval-judge.js';
import { AnswerKindSchema, answerKinds, judgedKind } from './judged/response-kinds.js';

/** One line of the labelled file. `output` is all that the model wrote, CoT included. */
const LabelledOutput = z.strictObject({
  prompt: z.string().min(1),
  output: z.string(),
  kind: AnswerKindSchema,
  /** Why it was labelled so. */
  rationale: z.string().min(1),
});
export type LabelledOutput = z.infer<typeof LabelledOutput>;

/** The labels that this project keeps. */
export const labelledOutputsFile = path.join(packageRoot, 'data', 'labelled-outputs.jsonl');

/** @throws input error naming file, line and field; and for a file without any line */
export const readLabelled = (file: string): Promise<LabelledOutput[]> =>
  readLabels(file, LabelledOutput, `{"prompt", "output", "kind": one of ${answerKinds.join(', ')}, "rationale"}`);

/** Labels of any form, which `form` says to people. @throws as `readLabelled` */
export async function readLabels<T>(file: string, schema: z.ZodType<T>, form: string): Promise<T[]> {
  const labels = filledLines(await readText(file)).map((line) => {
    const parsed = schema.safeParse(parseJsonLine(file, line));
    if (!parsed.success) throw inputError(`${file}:${line.number}: ${firstIssue(parsed.error)}. A line is ${form}.`);
    return parsed.data;
  });
  if (labels.length === 0) throw inputError(`${file}: holds no labelled output.`);
  return labels;
}

export interface Comparison extends Agreement {
  /** What is compared. */
  of: 'kind' | 'style';
  a: string;
  b: string;
  /** Items that one of the two could not grade. */
  unscored: number;
  classes: readonly string[];
  /** Rows: what a says; columns: what b says; both in the order of `classes`. */
  confusion: number[][];
}

/** What a grader says of each item, null where it could not. */
export type Ratings = readonly [grader: string, ratings: readonly (string | null)[]];

/** Two graders on the same items; `prompts` are the clusters that are resampled. */
export function compareRatings(
  { of, classes, prompts, seed }: Pick<Comparison, 'of' | 'classes'> & { prompts: readonly string[]; seed: number | string },
  a: Ratings,
  b: Ratings,
): Comparison {
  const rated = prompts.flatMap((cluster, i): Rated[] => {
    const [one, other] = [a[1][i] ?? null, b[1][i] ?? null];
    return one === null || other === null ? [] : [{ cluster, a: one, b: other }];
  });
  const none: Agreement = { items: 0, agreed: 0, kappa: null, low: null, high: null };
  return {
    of,
    a: a[0],
    b: b[0],
    unscored: prompts.length - rated.length,
    classes,
    confusion: confusion(rated, classes),
    ...(rated.length === 0 ? none : agreement(rated, { seed: `${seed} ${a[0]} ${b[0]}` })),
  };
}

/** Rules against hand; with a judge, judge against hand and rules against judge. */
export const threeWays = (
  frame: Parameters<typeof compareRatings>[0],
  hand: Ratings,
  rules: Ratings,
  judge: Ratings | null,
): Comparison[] => [
  compareRatings(frame, rules, hand),
  ...(judge === null ? [] : [compareRatings(frame, judge, hand), compareRatings(frame, rules, judge)]),
];

type Kind = LabelledOutput['kind'];

/** Graders of kinds and the labels. @throws what the judge's server throws */
export async function compareGraders(
  outputs: readonly LabelledOutput[],
  judge: EvalJudge | null,
  seed: number | string,
  onGraded: () => void = () => undefined,
): Promise<Comparison[]> {
  const answers = outputs.map(({ output }) => splitCot(output).answer);
  const byRules = outputs.map(({ prompt }, i): Kind => answerKind({ cot: null, answer: answers[i]!, stopReason: 'stop', request: prompt }));
  const kinds: (Kind | null)[] = outputs.map(() => null);
  if (judge !== null)
    await inParallel(outputs, judge.concurrency, async ({ prompt }, i) => {
      const found = await judgedKind(judge, prompt, answers[i]!);
      kinds[i] = 'kind' in found ? found.kind : null;
      onGraded();
    });
  const frame = { of: 'kind' as const, classes: answerKinds, prompts: outputs.map(({ prompt }) => prompt), seed };
  return threeWays(frame, ['hand', outputs.map(({ kind }) => kind)], ['rules', byRules], judge && ['judge', kinds]);
}

const figure = (value: number | null): string => (value === null ? '–' : value.toFixed(2));

/** For a terminal: one line a pair, and below it where they differ. */
export function agreementText(comparisons: readonly Comparison[]): string {
  return comparisons
    .map((one) => {
      const unscored = one.unscored === 0 ? '' : `, ${one.unscored} unscored`;
      const head = `${one.of}, ${one.a} against ${one.b}: kappa ${figure(one.kappa)} [${figure(one.low)}, ${figure(one.high)}], agreed on ${figure(one.agreed)} of ${one.items}${unscored}`;
      return [head, ...table(one)].join('\n');
    })
    .join('\n\n');
}

function table({ a, b, classes, confusion: cells }: Comparison): string[] {
  const rows = [[`${a} \\ ${b}`, ...classes], ...classes.map((kind, i) => [kind, ...cells[i]!.map(String)])];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => `  ${row.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join('  ')}`);
}
