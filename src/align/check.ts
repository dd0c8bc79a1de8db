/** Mechanical checks of a completion against the specification. They go into the filter, never into the RL reward. */
import type { Checks, Citation, ResponseKind, StopReason } from '../base/records.js';
import { classifyResponse } from './response-kind.js';
import { clauseLine, noPolicyLine, readCitations, readDecision, styleLine } from './spec/lines.js';
import { findClause } from './spec/lookup.js';
import type { Spec } from './spec/types.js';

export interface CheckInput {
  /** Null where the completion has none. */
  cot: string | null;
  answer: string;
  /** What was asked last; without it an answer that only says it back passes for one. */
  request?: string;
  /** Whether the splitter found the think tags out of order, or its reason for saying so. */
  malformed: boolean | string | null | undefined;
  stopReason: StopReason;
  spec: Spec;
  /** The prompt's category. A category's own styles may be cited only there; clauses may come from any. */
  category: string;
}

/** Reads decision and citations out of a CoT and checks what can be checked without a model. */
export function checkCompletion(input: CheckInput): { decision: ResponseKind | null; citations: Citation[]; checks: Checks } {
  const { cot, answer, request = '', spec } = input;
  const decision = cot === null ? null : readDecision(cot);
  const citations = cot === null ? [] : readCitations(cot);
  const found = citations.map((citation) => resolve(citation, spec, input.category));
  return {
    decision,
    citations,
    checks: {
      wellFormed: !input.malformed && input.stopReason === 'stop' && cot !== null && cot.trim() !== '' && answer.trim() !== '',
      citedClauseExists: cot !== null && namesNoClause(cot) ? false : found.length === 0 ? null : found.every((entry) => entry !== null),
      quoteOccurs:
        found.length === 0 ? null : found.every((entry, i) => entry !== null && quoteOccurs(citations[i]?.quote ?? '', entry.body)),
      rulingMatchesDecision: cot === null || decision === null ? null : rulingMatches(cot, decision, found),
      answerMatchesDecision: decision === null ? null : answerMatches(answer, decision, request),
      leaksSpec: cot !== null && leaksSpec(cot),
    },
  };
}

/** Required checks that a completion fails. Null means that there was nothing to check: no failure. */
export const failedChecks = (checks: Checks, required: readonly (keyof Checks)[]): (keyof Checks)[] =>
  required.filter((name) => (name === 'leaksSpec' ? checks[name] : checks[name] === false));

/** A line that begins as a citation does, but holds no code: a policy that is nobody's. */
const namesNoClause = (cot: string): boolean =>
  cot.split('\n').some((line) => /^\s*Policy\b/.test(line) && line.trim() !== noPolicyLine && readCitations(line).length === 0);

interface Cited {
  sort: 'clause' | 'style';
  ruling: ResponseKind;
  /** What stands between the colon and the code in the compiled line. */
  body: string;
}

/** The clause or style guideline that a citation means; null when its code or its subject is not the specification's. */
function resolve({ code, subject }: Citation, spec: Spec, category: string): Cited | null {
  const clause = findClause(spec, code);
  if (clause !== undefined && same(subject, clause.subject)) {
    return { sort: 'clause', ruling: clause.ruling, body: body(clauseLine(clause)) };
  }
  const own = spec.categories.find((c) => c.name === category)?.styles ?? [];
  const style = [...spec.styles, ...own].find((s) => s.code === code);
  if (style !== undefined && same(subject, styleLine(style).split(':')[0] ?? '')) {
    return { sort: 'style', ruling: style.kind, body: body(styleLine(style)) };
  }
  return null;
}

const body = (line: string): string => line.slice(line.indexOf(':') + 1).replace(/\s*\[[^\]]*\]$/, '');

/** Equal but for white space, kinds of quotes and dashes, and a full stop at the end. Letters are compared exactly. */
const normalise = (text: string): string =>
  text
    .normalize('NFC')
    .replace(/[‘’ʼ]/g, "'")
    .replace(/[“”„]/g, '"')
    .replace(/[‐‑–—]/g, '-')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^["']|["']$/g, '')
    .replace(/\.$/, '');

const same = (a: string, b: string): boolean => normalise(a).toLowerCase() === normalise(b).toLowerCase();

/** A quote must be some words of the clause, in their order; a few letters would occur anywhere. */
function quoteOccurs(quote: string, text: string): boolean {
  const wanted = normalise(quote);
  return wanted.split(' ').length >= 3 ? ` ${normalise(text)} `.includes(` ${wanted} `) : wanted !== '' && wanted === normalise(text);
}

/**
 * The decision must be the ruling of a cited clause (where several are weighed, of one of them), and any style cited
 * must be for that decision. That none covers this allows only to comply. Null when nothing is cited or said.
 */
function rulingMatches(cot: string, decision: ResponseKind, found: readonly (Cited | null)[]): boolean | null {
  const clauses = found.filter((entry) => entry?.sort === 'clause');
  const styles = found.filter((entry) => entry?.sort === 'style');
  const uncovered = /^\s*policy on this: none\b|\bno (?:policy|clause) (?:covers|applies|fits)/im.test(cot);
  if (!styles.every((style) => style?.ruling === decision)) return false;
  if (clauses.length > 0) return clauses.some((clause) => clause?.ruling === decision);
  if (uncovered) return decision === 'comply';
  return found.length === 0 || styles.length === found.length ? null : false;
}

/** Between a full answer that names a professional and a safe completion that informs first, rules cannot tell: either decision fits. */
export function answerMatches(answer: string, decision: ResponseKind, request = ''): boolean {
  const { kind, rule } = classifyResponse(answer, request);
  return (
    kind === decision ||
    (decision === 'comply' && rule === 'points-to-help') ||
    (decision === 'safe-complete' && rule === 'answers-and-points')
  );
}

const policyNoun = '(?:polic(?:y|ies)|specifications?|spec|guidelines?|rules?|clauses?|principles|rubric)';
/** Always a leak: they speak of a specification that stands somewhere in the context. */
const leaks: RegExp[] = [
  new RegExp(
    `\\b${policyNoun}(?: (?:text|section|document|excerpt)s?)? (?:(?:that (?:is|are|was|were) |as |I was |I am |I've been )?(?:listed|given|provided|shown|stated|written|supplied|described|quoted|outlined|set out|mentioned) )?(?:above|below|here)\\b(?! (?:the law|all))`,
    'i',
  ),
  new RegExp(
    `\\b${policyNoun} (?:that )?(?:(?:i )?(?:was|were|have been|i've been|is|are|i am) )?(?:provided|given|supplied|attached|shown)(?: to me| in| for|[.,;]|$)(?! by)`,
    'im',
  ),
  new RegExp(
    `\\b(?:the|this|these|those|my|your) (?:above|provided|given|supplied|attached|following|aforementioned|above-mentioned|preceding) (?:\\w+ )?${policyNoun}\\b`,
    'i',
  ),
  new RegExp(`\\b(?:above|provided|supplied|aforementioned) (?:content |safety |style )?${policyNoun}\\b`, 'i'),
  new RegExp(`\\b${policyNoun} (?:says?|states?|reads?|lists?|tells?)(?: \\w+)? above\\b`, 'i'),
  new RegExp(
    `\\byou (?:gave|provided|supplied|listed|have (?:given|provided|supplied))(?: me)?(?: with)? (?:the |these |this |a |some )?(?:\\w+ )?${policyNoun}\\b`,
    'i',
  ),
  new RegExp(
    `\\b${policyNoun} (?:in|from) (?:the|my|this) (?:system (?:message|prompt)|prompt|context|conversation|instructions?)\\b`,
    'i',
  ),
  /\bas (?:given|stated|written|described|mentioned|listed|noted|outlined|specified|provided|shown|said|instructed) (?:above|below|in (?:the|my|this) (?:system (?:message|prompt)|prompt|context|specification|document|policy text))\b/i,
  /\b(?:listed|stated|quoted|cited) above\b/i,
  /\bas an?other ai (?:determined|said)|\bI was (?:given|provided|told) (?:a |the |these )?(?:hint|polic|spec|guideline)/i,
  new RegExp(`\\b${policyNoun} (?:that )?i(?: was|'ve been| have been| am) (?:given|provided|shown)\\b`, 'i'),
];
/** A leak too, unless the sentence tells what the user says: users do ask about system prompts. */
const leaksUnlessReported: RegExp[] = [
  /\bsystem (?:message|prompt)\b/i,
  /\b(?:above|provided|given) instructions\b|\binstructions (?:above|provided)\b/i,
];

/** Whether a CoT speaks of the specification as something in its context, where it will not be after distillation. */
export function leaksSpec(cot: string): boolean {
  const text = cot.replace(/[‘’]/g, "'");
  const own = text
    .split(/(?<=[.!?])\s+|\n/)
    .filter((sentence) => !/^\s*(?:the user|this (?:user|message|request|prompt)|it asks|they ask)\b/i.test(sentence));
  return (
    leaks.some((pattern) => pattern.test(text)) || own.some((sentence) => leaksUnlessReported.some((pattern) => pattern.test(sentence)))
  );
}
