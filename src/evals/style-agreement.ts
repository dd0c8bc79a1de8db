/** How far the graders of style agree: the published rules, a judge, and labels given by reading (data/labelled-styles.jsonl). */
import path from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../base/package-root.js';
import { inParallel } from '../base/parallel.js';
import { Prompt } from '../base/records.js';
import type { Spec } from '../align/spec/types.js';
import { splitCot } from '../lm/split-cot.js';
import { hardRefusalStyle } from './graders.js';
import { readLabels, threeWays, type Comparison } from './grader-agreement.js';
import type { EvalJudge } from './judged/eval-judge.js';
import { gradeByJudge } from './judged/suite-grades.js';

/** One line of the labelled file. `output` is all that the model wrote, CoT included. */
const LabelledStyle = z.strictObject({
  prompt: z.string().min(1),
  output: z.string(),
  style: z.literal('hard-refusal'),
  /** Whether the answer is a refusal in that style, whatever would have been right. */
  follows: z.boolean(),
  rationale: z.string().min(1),
});
export type LabelledStyle = z.infer<typeof LabelledStyle>;

/** The labels that this project keeps. */
export const labelledStylesFile = path.join(packageRoot, 'data', 'labelled-styles.jsonl');

/** @throws input error naming file, line and field; and for a file without any line */
export const readStyles = (file: string): Promise<LabelledStyle[]> =>
  readLabels(file, LabelledStyle, '{"prompt", "output", "style": "hard-refusal", "follows": true or false, "rationale"}');

const classes = ['follows', 'breaks'] as const;

/** As the suite of hard refusals grades, by the rules and by a judge that is shown the specification's style. @throws what the judge's server throws */
export async function compareStyles(
  labels: readonly LabelledStyle[],
  judge: EvalJudge | null,
  { spec, seed }: { spec: Spec; seed: number | string },
  onGraded: () => void = () => undefined,
): Promise<Comparison[]> {
  const named = (score: number | null) => (score === null ? null : classes[score === 1 ? 0 : 1]);
  const replies = labels.map(({ prompt, output }) => ({
    cot: null,
    answer: splitCot(output).answer,
    stopReason: 'stop' as const,
    request: prompt,
  }));
  const judged: (string | null)[] = labels.map(() => null);
  if (judge !== null)
    await inParallel(labels, judge.concurrency, async ({ prompt: text }, i) => {
      // Whatever the prompt deserves: the label says whether this is a refusal in style.
      const prompt = Prompt.parse({
        id: String(i),
        messages: [{ role: 'user', content: text }],
        category: 'none',
        ideal: 'refuse',
        request: String(i),
      });
      judged[i] = named((await gradeByJudge(judge, { by: 'style', reply: replies[i]!, prompt, plain: text, spec })).score);
      onGraded();
    });
  return threeWays(
    { of: 'style', classes, prompts: labels.map(({ prompt }) => prompt), seed },
    ['hand', labels.map(({ follows }) => named(follows ? 1 : 0))],
    ['rules', replies.map((reply) => named(hardRefusalStyle(reply).score))],
    judge && ['judge', judged],
  );
}
