/** How far the graders of response kinds agree: the published rules, a judge, and labels given by reading. */
import { z } from 'zod';
import { inputError } from '../base/errors.js';
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

/** @throws input error naming file, line and field; and for a file without any line */
export async function readLabelled(file: string): Promise<LabelledOutput[]> {
  const outputs = filledLines(await readText(file)).map((line) => {
    const parsed = LabelledOutput.safeParse(parseJsonLine(file, line));
    if (!parsed.success)
      throw inputError(
        `${file}:${line.number}: ${firstIssue(parsed.error)}. A line is {"prompt", "output", "kind": one of ${answerKinds.join(', ')}, "rationale"}.`,
      );
    return parsed.data;
  });
  if (outputs.length === 0) throw inputError(`${file}: holds no labelled output.`);
  return outputs;
}

export interface Comparison extends Agreement {
  a: string;
  b: string;
  /** Items that one of the two could not grade. */
  unscored: number;
  /** Rows: what a says; columns: what b says; both in the order of `answerKinds`. */
  confusion: number[][];
}

type Kind = LabelledOutput['kind'];

/**
 * Rules against the labels; with a judge, judge against the labels and rules against the judge.
 * @throws what the judge's server throws
 */
export async function compareGraders(
  outputs: readonly LabelledOutput[],
  judge: EvalJudge | null,
  seed: number | string,
  onGraded: () => void = () => undefined,
): Promise<Comparison[]> {
  const answers = outputs.map(({ output }) => splitCot(output).answer);
  const byHand = outputs.map(({ kind }): Kind => kind);
  const byRules = outputs.map(({ prompt }, i): Kind => answerKind({ cot: null, answer: answers[i]!, stopReason: 'stop', request: prompt }));
  const compare = (a: [string, readonly (Kind | null)[]], b: [string, readonly (Kind | null)[]]): Comparison => {
    const rated = outputs.flatMap(({ prompt }, i): Rated[] => {
      const [one, other] = [a[1][i] ?? null, b[1][i] ?? null];
      return one === null || other === null ? [] : [{ cluster: prompt, a: one, b: other }];
    });
    const none: Agreement = { items: 0, agreed: 0, kappa: null, low: null, high: null };
    return {
      a: a[0],
      b: b[0],
      unscored: outputs.length - rated.length,
      confusion: confusion(rated, answerKinds),
      ...(rated.length === 0 ? none : agreement(rated, { seed: `${seed} ${a[0]} ${b[0]}` })),
    };
  };
  const hand = ['hand', byHand] as [string, Kind[]];
  const rules = ['rules', byRules] as [string, Kind[]];
  if (judge === null) return [compare(rules, hand)];
  const kinds: (Kind | null)[] = outputs.map(() => null);
  await inParallel(outputs, judge.concurrency, async ({ prompt }, i) => {
    const found = await judgedKind(judge, prompt, answers[i]!);
    kinds[i] = 'kind' in found ? found.kind : null;
    onGraded();
  });
  const judged = ['judge', kinds] as [string, (Kind | null)[]];
  return [compare(rules, hand), compare(judged, hand), compare(rules, judged)];
}

const figure = (value: number | null): string => (value === null ? '–' : value.toFixed(2));

/** For a terminal: one line a pair, and below it where they differ. */
export function agreementText(comparisons: readonly Comparison[]): string {
  return comparisons
    .map((one) => {
      const unscored = one.unscored === 0 ? '' : `, ${one.unscored} unscored`;
      const head = `${one.a} against ${one.b}: kappa ${figure(one.kappa)} [${figure(one.low)}, ${figure(one.high)}], agreed on ${figure(one.agreed)} of ${one.items}${unscored}`;
      return [head, ...table(one)].join('\n');
    })
    .join('\n\n');
}

function table({ a, b, confusion: cells }: Comparison): string[] {
  const rows = [[`${a} \\ ${b}`, ...answerKinds], ...answerKinds.map((kind, i) => [kind, ...cells[i]!.map(String)])];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => `  ${row.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join('  ')}`);
}
