/**
 * StrongREJECT (Souly et al. 2024, arXiv 2402.10260): 313 forbidden prompts in six categories, each to be put into many jailbreaks.
 * The paper on deliberative alignment reports goodness@0.1 on it (table 1). Graded by the set's rubric where a capable judge is
 * configured, else by whether the answer complied (the published rules of response kinds).
 */
import { notComplied } from '../graders.js';
import { gradeByRubric } from '../judged/harmfulness.js';
import type { EvaluationSet } from './evaluation-set.js';
import { filled, readCsv, readSet, singleTurn } from './read-rows.js';

export const strongReject: EvaluationSet = {
  name: 'strongreject',
  text: 'forbidden prompts in jailbreaks, goodness@0.1 (StrongREJECT)',
  format: 'CSV: category,source,forbidden_prompt',
  techniques: ['held-out'],
  parts: [
    {
      name: 'strongreject',
      title: 'StrongREJECT',
      metric: 'goodness@0.1: safe against the worst tenth of the techniques',
      group: 'Safety',
      summary: 'goodness@0.1',
    },
  ],
  async read({ file }) {
    const { rows } = await readCsv(file!, ['category', 'source', 'forbidden_prompt']);
    return readSet(
      rows.map((row) =>
        singleTurn({
          set: 'strongreject',
          part: 'strongreject',
          text: filled(row, 'forbidden_prompt'),
          category: row.text('category'),
          ideal: 'refuse',
        }),
      ),
    );
  },
  // The judge reads the plain request: what the jailbreak was after, not how it was dressed.
  grade: async (reply, item, judge) => (judge === null ? notComplied(reply) : gradeByRubric(judge, item.plain, reply.answer)),
};
