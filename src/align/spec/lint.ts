/** Faults of a specification that reads well but would teach badly. */
import { nearest } from '../../base/nearest.js';
import { ResponseKind } from '../../base/records.js';
import { compileSpec, compileSummary } from './compile.js';
import { clauseLine, styleLine } from './lines.js';
import { clausesOf } from './lookup.js';
import type { Finding } from './markdown.js';
import { duplicateCodes, readSpec } from './parse.js';
import type { Clause, Spec } from './types.js';

export interface LintOptions {
  countTokens: (text: string) => number;
  /** Budget of one compiled specification; 1,000 by default. */
  maxTokens?: number;
  /** Most tokens of one summary, clause or style line; 60 by default, what a small model copies without slips. */
  maxLineTokens?: number;
}

/** All findings for a folder, the unreadable parts included, in the order of the files. Throws inputError as readSpec does. */
export async function lintFolder(folder: string, options: LintOptions): Promise<Finding[]> {
  const { spec, findings } = await readSpec(folder);
  return unique([...findings, ...lintSpec(spec, options)]);
}

/** Findings for a specification in memory. */
export function lintSpec(spec: Spec, options: LintOptions): Finding[] {
  return unique([
    ...duplicateCodes(spec),
    ...missingParts(spec),
    ...missingStyles(spec),
    ...danglingReferences(spec),
    ...contradictions(spec),
    ...tooLong(spec, options),
  ]);
}

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

function danglingReferences(spec: Spec): Finding[] {
  const codes = clausesOf(spec).map((clause) => clause.code);
  return clausesOf(spec).flatMap((clause) =>
    clause.exclusions.flatMap(({ refersTo, line }): Finding[] => {
      const at = { file: clause.file, line };
      if (refersTo.length === 0)
        return [
          finding('no-reference', 'warning', at, `this exclusion of ${clause.code} does not say which clause holds instead; name its code`),
        ];
      return refersTo
        .filter((code) => !codes.includes(code) || code === clause.code)
        .map((code) => {
          if (code === clause.code)
            return finding(
              'dangling-reference',
              'error',
              at,
              `this exclusion of ${code} refers to ${code} itself; name the clause that holds instead`,
            );
          const near = nearest(code, codes);
          return finding(
            'dangling-reference',
            'error',
            at,
            `there is no clause ${code}${near === undefined ? '' : ` (did you mean ${near}?)`}; name one that exists`,
          );
        });
    }),
  );
}

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

function tooLong(spec: Spec, { countTokens, maxTokens = 1000, maxLineTokens = 60 }: LintOptions): Finding[] {
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
    const dropped = dropsOf(spec, category.name, maxTokens, countTokens);
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
function dropsOf(spec: Spec, category: string, maxTokens: number, countTokens: LintOptions['countTokens']): string[] | null {
  try {
    return compileSpec(spec, category, { maxTokens, countTokens }).dropped.filter((part) => part.startsWith('clause '));
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
