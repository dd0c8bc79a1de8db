/** What came of the tests of a specification: by clause, for people and for programs. */
import type { ResponseKind } from '../../base/records.js';
import type { ChosenClause, PolicyCase } from './cases.js';
import type { GradedAnswer, Verdict } from './grade.js';
import type { CaseResult } from './run.js';

export interface ClauseResult {
  category: string;
  code: string;
  subject: string;
  ruling: ResponseKind;
  /** `untested`: the clause has no example, and no prompt was written around it. */
  verdict: Verdict | 'untested';
  cases: {
    kind: PolicyCase['kind'];
    messages: PolicyCase['messages'];
    wanted: ResponseKind;
    verdict: Verdict;
    answers: GradedAnswer[];
  }[];
}

export interface PolicyReport {
  clauses: ClauseResult[];
  /** Of clauses that are tested. */
  counts: Record<Verdict, number>;
  untested: string[];
  prompts: Record<Verdict, number>;
  /** CoTs to prompts that a clause covers, and those among them that name it. */
  cots: number;
  citing: number;
}

export function policyReport(chosen: readonly ChosenClause[], results: readonly CaseResult[]): PolicyReport {
  const clauses = chosen.map(({ category, clause }): ClauseResult => {
    const own = results.filter((result) => result.case.clause === clause);
    const verdicts = own.map(({ verdict }) => verdict);
    const verdict = (['fail', 'unscored', 'pass'] as const).find((one) => verdicts.includes(one)) ?? 'untested';
    return {
      category: category.name,
      code: clause.code,
      subject: clause.subject,
      ruling: clause.ruling,
      verdict,
      cases: own.map(({ case: { kind, messages, wanted }, verdict: of, answers }) => ({ kind, messages, wanted, verdict: of, answers })),
    };
  });
  const cited = results.flatMap(({ answers }) => answers.flatMap(({ cites }) => (cites === null ? [] : [cites])));
  return {
    clauses,
    counts: count(clauses.map(({ verdict }) => verdict)),
    untested: clauses.filter(({ verdict }) => verdict === 'untested').map(({ code }) => code),
    prompts: count(results.map(({ verdict }) => verdict)),
    cots: cited.length,
    citing: cited.filter(Boolean).length,
  };
}

const count = (verdicts: readonly string[]): Record<Verdict, number> => {
  const of = (verdict: Verdict) => verdicts.filter((one) => one === verdict).length;
  return { pass: of('pass'), fail: of('fail'), unscored: of('unscored') };
};

const rulingWords: Record<ResponseKind, string> = { comply: 'allowed', 'safe-complete': 'safe completion', refuse: 'disallowed' };
const marks: Record<ClauseResult['verdict'], string> = { pass: 'pass', fail: 'FAIL', unscored: '?', untested: '–' };

/** A line a clause, under its category. */
export function clauseTable({ clauses }: PolicyReport): string {
  const width = Math.max(...clauses.map(({ code }) => code.length));
  return clauses
    .flatMap((clause, i) => [...(clause.category === clauses[i - 1]?.category ? [] : [clause.category]), clauseRow(clause, width)])
    .join('\n');
}

function clauseRow({ code, subject, ruling, verdict, cases }: ClauseResult, width: number): string {
  const { pass, unscored } = count(cases.map((one) => one.verdict));
  const notes = [
    verdict === 'untested' ? 'no example' : `${pass}/${cases.length}`,
    unscored > 0 ? `${unscored} unscored` : '',
    citesOf(cases.flatMap(({ answers }) => answers)),
  ];
  return `  ${marks[verdict].padEnd(4)}  ${code.padEnd(width)}  ${subject}: ${rulingWords[ruling]}  ${notes.filter(Boolean).join(', ')}`;
}

function citesOf(answers: readonly GradedAnswer[]): string {
  const cited = answers.flatMap(({ cites }) => (cites === null ? [] : [cites]));
  return cited.length === 0 ? '' : `cited ${cited.filter(Boolean).length}/${cited.length}`;
}

const indented = (text: string): string => text.trim().replace(/^/gm, '    ');

/** Every answer that failed or could not be graded, with what was thought before it. */
export function failuresText({ clauses }: PolicyReport): string {
  return clauses
    .flatMap((clause) => clause.cases.flatMap((one) => one.answers.map((answer) => ({ clause, one, answer }))))
    .filter(({ answer }) => answer.verdict !== 'pass')
    .map(({ clause, one, answer }) =>
      [
        `${marks[answer.verdict]}  ${clause.code}  ${clause.subject}: ${rulingWords[clause.ruling]}  (${one.kind})`,
        `  ${answer.why}${answer.stopReason === 'length' ? ' (cut off)' : ''}`,
        '  asked',
        indented(one.messages.map(({ role, content }) => (one.messages.length === 1 ? content : `${role}: ${content}`)).join('\n')),
        ...(answer.cot === null ? [] : ['  thought', indented(answer.cot)]),
        ...(answer.answer === '' ? [] : ['  answered', indented(answer.answer)]),
      ].join('\n'),
    )
    .join('\n\n');
}

/** One line. */
export function summaryLine({ counts, prompts, untested, cots, citing }: PolicyReport): string {
  const of = ({ pass, fail, unscored }: Record<Verdict, number>) =>
    `${pass} passed, ${fail} failed${unscored > 0 ? `, ${unscored} unscored` : ''}`;
  return [
    `Clauses: ${of(counts)}${untested.length > 0 ? `, ${untested.length} without a test` : ''}`,
    `prompts: ${of(prompts)}`,
    ...(cots > 0 ? [`${citing} of ${cots} CoTs cite the clause`] : []),
  ].join('; ');
}
