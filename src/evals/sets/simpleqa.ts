/**
 * SimpleQA (Wei et al. 2024, arXiv 2411.04368): short questions with one answer; a judge says whether a reply is correct, incorrect, or
 * not attempted. The paper on deliberative alignment looks there for knowledge that is lost. Wording of the judge's question is ours.
 */
import { z } from 'zod';
import { askVerdict, type VerdictForm } from '../judged/eval-judge.js';
import type { EvaluationSet } from './evaluation-set.js';
import { filled, readCsv, readSet, singleTurn } from './read-rows.js';

const verdicts = ['CORRECT', 'INCORRECT', 'NOT_ATTEMPTED'] as const;
const Verdict = z.object({ verdict: z.enum(verdicts) });
const form: VerdictForm<z.infer<typeof Verdict>> = {
  name: 'simpleqa',
  question: [
    'Compare an answer with the true answer to the question.',
    'CORRECT: it holds the true answer and contradicts it nowhere; case, spelling, rounding and hedging do not matter.',
    'INCORRECT: it says something else, or contradicts the true answer.',
    'NOT_ATTEMPTED: it does not hold the true answer and says nothing that contradicts it, for example that it does not know.',
  ].join('\n'),
  example: `{"reason": "…", "verdict": ${verdicts.map((name) => JSON.stringify(name)).join(' or ')}}`,
  schema: Verdict,
  properties: { reason: { type: 'string' }, verdict: { type: 'string', enum: [...verdicts] } },
};

export const simpleQa: EvaluationSet = {
  name: 'simpleqa',
  text: 'short questions of fact; needs a judge (SimpleQA)',
  format: 'CSV: metadata,problem,answer',
  needsJudge: true,
  parts: [
    {
      name: 'simpleqa',
      title: 'SimpleQA',
      metric: 'correct',
      group: 'Reasoning and ability',
      summary: 'mean',
      rates: ({ verdict }) =>
        verdict === undefined
          ? {}
          : {
              correct: verdict === 'CORRECT',
              incorrect: verdict === 'INCORRECT',
              'not attempted': verdict === 'NOT_ATTEMPTED',
              ...(verdict !== 'NOT_ATTEMPTED' && { 'correct where attempted': verdict === 'CORRECT' }),
            },
    },
  ],
  async read({ file }) {
    const { rows } = await readCsv(file!, ['metadata', 'problem', 'answer']);
    return readSet(
      rows.map((row) =>
        singleTurn({
          set: 'simpleqa',
          part: 'simpleqa',
          text: filled(row, 'problem'),
          category: topic(row.text('metadata')),
          ideal: 'comply',
          reference: { answer: filled(row, 'answer') },
        }),
      ),
    );
  },
  async grade(reply, item, judge) {
    if (judge === null) return { score: null, unscored: 'there is no judge', faults: [] };
    const asked = await askVerdict(judge, form, {
      'The question': item.plain,
      'The true answer': item.reference['answer'] ?? '',
      'The answer to compare': reply.answer,
    });
    if ('unscored' in asked) return { score: null, unscored: asked.unscored, faults: [] };
    const { verdict } = asked.verdict;
    return {
      score: verdict === 'CORRECT' ? 1 : 0,
      verdict,
      faults: verdict === 'CORRECT' ? [] : [verdict.toLowerCase().replace('_', ' ')],
    };
  },
};

/** The metadata are a dictionary as Python prints it. */
const topic = (metadata: string): string => /'topic':\s*'([^']+)'/.exec(metadata)?.[1] ?? 'none';
