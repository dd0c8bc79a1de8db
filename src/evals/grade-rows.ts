/** From answers to graded rows, by the rules or by a judge. */
import { inParallel } from '../base/parallel.js';
import type { Prompt } from '../base/records.js';
import type { ArmEvaluation } from './evaluate.js';
import { answerKind, repetition, rulesName, ungradable, type Grade } from './graders.js';
import { gradeByJudge, graderName, type JudgedGrade } from './judged/suite-grades.js';
import type { EvalAnswer, EvalRow } from './records.js';
import type { Suite } from './suites.js';

/** The rows of a suite, in the order of its prompts. @throws what the judge's server throws */
export async function gradeRows(
  { arm, spec, judge = null, signal, onJudged }: Pick<ArmEvaluation, 'arm' | 'spec' | 'judge' | 'signal' | 'onJudged'>,
  suite: Suite,
  prompts: readonly Prompt[],
  answers: ReadonlyMap<string, EvalAnswer>,
  plainOf: (prompt: Prompt) => string,
): Promise<EvalRow[]> {
  const { judged } = suite;
  const rows: EvalRow[] = [];
  await inParallel(
    prompts,
    judge?.concurrency ?? 1,
    async (prompt, i) => {
      const answer = answers.get(prompt.id)!;
      const reply = { ...answer, request: lastMessage(prompt) };
      const unscored = ungradable(answer);
      let grade: JudgedGrade & Pick<EvalRow, 'grader'>;
      if (unscored !== null) grade = { score: null, unscored, faults: [] };
      else if (judge === null || judged === null) grade = { ...suite.grade(reply, prompt, spec), grader: rulesName };
      else {
        const found = await gradeByJudge(judge, { by: judged, reply, prompt, plain: plainOf(prompt), spec });
        grade = { ...found, grader: graderName(judge) };
        onJudged?.();
      }
      rows[i] = rowOf(arm, suite.name, prompt, answer, grade);
    },
    signal,
  );
  return rows;
}

/** What the user said last. */
export const lastMessage = (prompt: Pick<Prompt, 'messages'>): string => prompt.messages.at(-1)?.content ?? '';

/** The row of a graded answer; its kind by the rules where the grader gave none. */
export function rowOf(
  arm: string,
  suite: string,
  prompt: Prompt,
  answer: EvalAnswer,
  grade: Grade & Partial<Pick<EvalRow, 'verdict' | 'grader' | 'kind'>>,
): EvalRow {
  return {
    arm,
    suite,
    promptId: prompt.id,
    request: prompt.request,
    technique: prompt.technique,
    category: prompt.category ?? 'none',
    ideal: prompt.ideal ?? null,
    prompt: lastMessage(prompt),
    cot: answer.cot,
    answer: answer.answer,
    stopReason: answer.stopReason,
    tokens: answer.tokens,
    kind: answerKind({ ...answer, request: lastMessage(prompt) }),
    repetition: repetition(answer.answer),
    ...grade,
  };
}
