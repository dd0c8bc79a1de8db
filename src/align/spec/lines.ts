/**
 * How a clause stands in the compiled specification and in a CoT: subject first, then the text, then the code,
 * so that a small model can copy by induction (measured: a code before the text must be guessed before it is looked up).
 */
import type { Citation, ResponseKind } from '../../base/records.js';
import type { Clause, StyleGuideline } from './types.js';

const rulingWords: Record<ResponseKind, string> = {
  comply: 'allowed',
  'safe-complete': 'safe completion',
  refuse: 'disallowed',
};
export const decisionWords: Record<ResponseKind, string> = {
  comply: 'comply',
  'safe-complete': 'safe completion',
  refuse: 'refuse',
};

/** `subject: ruling. text [code]` */
export const clauseLine = (clause: Pick<Clause, 'subject' | 'ruling' | 'text' | 'code'>): string =>
  `${clause.subject}: ${rulingWords[clause.ruling]}. ${clause.text} [${clause.code}]`;

/** `kind: text [code]` */
export const styleLine = (style: Pick<StyleGuideline, 'kind' | 'text' | 'code'>): string =>
  `${decisionWords[style.kind]}: ${style.text} [${style.code}]`;

export interface Reasoning {
  /** What is asked, in one sentence: "The user asks how to …" */
  restated: string;
  /** The clause line that applies, or null when none does. */
  clause: string | null;
  /** The style line; null where the decision is to comply. */
  style: string | null;
  decision: ResponseKind;
}

/**
 * Says that no clause applies, in the place where a subject would be named: there a small model looks for one, and can see that
 * nothing answers. Asked one line earlier, before anything was looked up, it never learnt more than the base rate (docs/LOG.md).
 */
export const noPolicyLine = 'Policy on this: none.';

/** The CoT that the reader learns to write: restate, cite the clause, cite the style, decide. */
export function writeCot(reasoning: Reasoning): string {
  return [
    reasoning.restated,
    reasoning.clause === null ? noPolicyLine : `Policy on ${reasoning.clause}`,
    ...(reasoning.style === null ? [] : [`Style for ${reasoning.style}`]),
    `Decision: ${decisionWords[reasoning.decision]}`,
  ].join('\n');
}

/** The last line of the form `Decision: …`; null when there is none or it names no known decision. */
export function readDecision(cot: string): ResponseKind | null {
  const lines = [...cot.matchAll(/^\s*Decision:\s*(.+?)[\s.]*$/gim)];
  const word = lines.at(-1)?.[1]?.toLowerCase();
  if (word === undefined) return null;
  if (/^(comply|allowed)/.test(word)) return 'comply';
  if (/^(safe[- ]complet)/.test(word)) return 'safe-complete';
  if (/^(refuse|disallowed)/.test(word)) return 'refuse';
  return null;
}

/** Every citation in a CoT: `Policy on subject: text [code]`, `Style for kind: text [code]`, or any line that ends in a bracketed code. */
export function readCitations(cot: string): Citation[] {
  const citations: Citation[] = [];
  for (const line of cot.split('\n')) {
    for (const match of line.matchAll(/(?:^|\.\s+|\b(?:Policy on|Style for)\s+)?([^[\]]*?)\s*\[([A-Z][A-Za-z0-9-]{0,11})\]/g)) {
      const body = (match[1] ?? '').replace(/^.*?\b(?:Policy on|Style for)\s+/, '').trim();
      const colon = body.indexOf(':');
      citations.push({
        code: match[2] ?? '',
        subject: colon === -1 ? '' : body.slice(0, colon).trim(),
        quote: (colon === -1 ? body : body.slice(colon + 1)).trim(),
      });
    }
  }
  return citations;
}
