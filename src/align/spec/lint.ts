/** Faults of a specification that reads well but would teach badly. */
import { nearest } from '../../base/nearest.js';
import { ResponseKind } from '../../base/records.js';
import { runBudget } from './budget.js';
import { compileSpec, compileSummary, type CompileOptions, type SpecParts } from './compile.js';
import { clauseLine, styleLine } from './lines.js';
import { clausesOf } from './lookup.js';
import type { Finding } from './markdown.js';
import { duplicateCodes, readSpec } from './parse.js';
import { referenceReader } from './references.js';
import type { Clause, Spec } from './types.js';

export interface LintOptions {
  countTokens: (text: string) => number;
  /** Budget of one compiled specification, and what of it counts; by default those of a run. */
  maxTokens?: number;
  parts?: SpecParts;
  /** Most tokens of one summary, clause or style line; 60 by default, what a small model copies without slips. */
  maxLineTokens?: number;
}

/** All findings for a folder, the unreadable parts included, in the order of the files. Throws inputError as readSpec does. */
export async function lintFolder(folder: string, options: LintOptions): Promise<Finding[]> {
  const { spec, findings } = await readSpec(folder);
  return unique([...findings, ...lintSpec(spec, options)]);
}

/** Findings for a specification in memory. */
export const lintSpec = (spec: Spec, options: LintOptions): Finding[] => unique([...uncounted(spec), ...tooLong(spec, options)]);

/** The errors that show without a tokenizer: a run says them and goes on. */
export const specErrors = (spec: Spec): Finding[] => unique(uncounted(spec)).filter(({ severity }) => severity === 'error');

const uncounted = (spec: Spec): Finding[] => [
  ...duplicateCodes(spec),
  ...missingParts(spec),
  ...missingStyles(spec),
  ...danglingReferences(spec),
  ...contradictions(spec),
];

const finding = (rule: string, severity: Finding['severity'], at: { file: string; line: number }, message: string): Finding => ({
  rule,
  severity,
  message,
  file: at.file,
  line: at.line,
});

function missingParts(spec: Spec): Finding[] {
  return spec.categories.flatMap((category) => [
    ...(category.summary === ''
      ? [finding('no-summary', 'error', category, `${category.name} has no summary; write one paragraph under its title`)]
      : []),
    ...(category.clauses.length === 0
      ? [
          finding(
            'no-clauses',
            'error',
            category,
            `${category.name} has no clause; write one as "### CODE: subject" under Allowed, Disallowed or Safe completion`,
          ),
        ]
      : []),
    ...[...category.clauses, ...category.styles]
      .filter((entry) => entry.code === '')
      .map((entry) => finding('missing-code', 'error', entry, 'no code here, so nothing can cite it; give it one')),
  ]);
}

/** Each ruling that a category makes needs a style, its own or a general one. */
function missingStyles(spec: Spec): Finding[] {
  return spec.categories.flatMap((category) => {
    const styled = new Set([...category.styles, ...spec.styles].map((style) => style.kind));
    return ResponseKind.options
      .filter((kind) => !styled.has(kind) && category.clauses.some((clause) => clause.ruling === kind))
      .map((kind) =>
        finding(
          'no-style',
          'error',
          category,
          `${category.name} has clauses that rule ${kind}, but no style says how such an answer looks; add one to styles.md or under "## Style"`,
        ),
      );
  });
}

/** What the specification says in its own words; examples are what people ask, who know no codes. */
const textsOf = (spec: Spec): { text: string; at: { file: string; line: number } }[] => [
  ...spec.principles.map((principle) => ({ text: principle.text, at: principle })),
  ...spec.styles.map((style) => ({ text: style.text, at: style })),
  ...spec.categories.flatMap((category) => [
    { text: category.summary, at: category },
    ...category.definitions.map(({ text, line }) => ({ text, at: { file: category.file, line } })),
    ...category.styles.map((style) => ({ text: style.text, at: style })),
    ...category.clauses.flatMap((clause) => [
      { text: `${clause.text} ${clause.rationale ?? ''}`, at: clause },
      ...clause.exclusions.map(({ text, line }) => ({ text, at: { file: clause.file, line } })),
    ]),
  ]),
];

function danglingReferences(spec: Spec): Finding[] {
  const clauses = clausesOf(spec).map(({ code }) => code);
  const styles = [...spec.styles, ...spec.categories.flatMap((category) => category.styles)].map(({ code }) => code);
  const codes = [...clauses, ...styles];
  const referencesIn = referenceReader(codes);
  const nowhere = textsOf(spec).flatMap(({ text, at }) =>
    referencesIn(text)
      .filter((code) => !codes.includes(code))
      .map((code) => {
        const near = nearest(code, codes);
        const meant = near === undefined ? '' : ` (did you mean ${near}?)`;
        return finding('dangling-reference', 'error', at, `nothing has the code ${code}${meant}; name a clause or style that exists`);
      }),
  );
  const clausesIn = (text: string) => referencesIn(text).filter((code) => !styles.includes(code));
  return [...nowhere, ...clausesOf(spec).flatMap((clause) => aimless(clause, clausesIn))];
}

/** An exclusion should say which other clause holds instead; it may name its own beside it ("is G2, not G1"). */
const aimless = (clause: Clause, clausesIn: (text: string) => string[]): Finding[] =>
  clause.exclusions.flatMap(({ text, line }): Finding[] => {
    const at = { file: clause.file, line };
    const named = clausesIn(text);
    if (named.length === 0) {
      const message = `this exclusion of ${clause.code} does not say which clause holds instead; name its code`;
      return [finding('no-reference', 'warning', at, message)];
    }
    if (named.some((code) => code !== clause.code)) return [];
    const message = `this exclusion of ${clause.code} refers to ${clause.code} itself; name the clause that holds instead`;
    return [finding('dangling-reference', 'error', at, message)];
  });

/** One request cannot be under two rulings. Only equal wording is found, whatever the case, marks and spaces. */
function contradictions(spec: Spec): Finding[] {
  const seen = new Map<string, { clause: Clause; line: number }>();
  return clausesOf(spec).flatMap((clause) =>
    clause.examples.flatMap(({ text, line }): Finding[] => {
      const key = text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}]+/gu, ' ')
        .trim();
      const earlier = seen.get(key);
      if (earlier === undefined) {
        seen.set(key, { clause, line });
        return [];
      }
      if (earlier.clause.ruling === clause.ruling) return [];
      return [
        finding(
          'contradiction',
          'error',
          { file: clause.file, line },
          `${clause.code} (${clause.ruling}) and ${earlier.clause.code} (${earlier.clause.ruling}, ${earlier.clause.file}:${earlier.line}) quote the same example; keep it under one`,
        ),
      ];
    }),
  );
}

function tooLong(spec: Spec, { countTokens, maxLineTokens = 60, ...given }: LintOptions): Finding[] {
  const { maxTokens, parts } = { ...runBudget, ...given };
  const findings: Finding[] = [];
  const line = (at: { file: string; line: number }, what: string, text: string) => {
    const tokens = countTokens(text);
    if (tokens > maxLineTokens)
      findings.push(
        finding(
          'too-long',
          'warning',
          at,
          `${what} takes ${tokens} tokens, more than ${maxLineTokens}; shorten it, or move its reasons to a second paragraph`,
        ),
      );
  };
  for (const category of spec.categories) line(category, `the summary of ${category.name}`, category.summary);
  for (const style of [...spec.styles, ...spec.categories.flatMap((category) => category.styles)])
    line(style, `the style ${style.code}`, styleLine(style));
  for (const clause of clausesOf(spec)) line(clause, `the clause ${clause.code}`, clauseLine(clause));
  const shared = countTokens(compileSummary(spec));
  for (const category of spec.categories) {
    if (shared > maxTokens) {
      findings.push(
        finding(
          'over-budget',
          'error',
          category,
          `summaries, principles and styles alone take ${shared} tokens, more than the budget of ${maxTokens}; shorten them or raise the budget`,
        ),
      );
      break;
    }
    const dropped = dropsOf(spec, category.name, { maxTokens, parts, countTokens });
    if (dropped === null || dropped.length > 0) {
      findings.push(
        finding(
          'over-budget',
          'warning',
          category,
          `${category.name} does not fit ${maxTokens} tokens${dropped === null ? ' at all' : ` without losing ${dropped.join(', ')}`}; shorten it or raise the budget`,
        ),
      );
    }
  }
  return findings;
}

/** Clauses that the budget costs; null when nothing fits. Losing examples and definitions is no fault. */
function dropsOf(spec: Spec, category: string, options: CompileOptions): string[] | null {
  try {
    return compileSpec(spec, category, options).dropped.filter((part) => part.startsWith('clause '));
  } catch {
    return null;
  }
}

/** Reading and linting may see the same fault. */
function unique(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ rule, file, line, message }) => {
    const key = rule === 'no-summary' ? `${rule}:${file}` : JSON.stringify([rule, file, line, message]);
    return seen.has(key) ? false : seen.add(key);
  });
}
