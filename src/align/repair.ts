/**
 * Puts nearly right citations right. A small reader often cites the right clause with a word of it wrong ("sex abuse" for
 * "sexual abuse"); what SFT should learn is the clause as it stands. A citation is replaced only where code, ruling and most words
 * already point to one line of the specification; anything further off stays as it is, and fails the mechanical checks.
 * Ours; the paper's models quote well enough to need no such thing.
 */
import { clauseLine, styleLine } from './spec/lines.js';
import type { Spec } from './spec/types.js';

/** Least share of common words (Dice) with the line of the same code, and with a line of another code. */
const sameCodeOverlap = 0.65;
const otherCodeOverlap = 0.75;

/** @returns the CoT with its citations repaired, and how many lines that changed */
export function repairCitations(cot: string, spec: Spec, category: string): { cot: string; repaired: number } {
  const own = spec.categories.find(({ name }) => name === category);
  const clauses = (own?.clauses ?? []).map(clauseLine);
  const styles = [...(own?.styles ?? []), ...spec.styles].map(styleLine);
  let repaired = 0;
  const lines = cot.split('\n').map((line) => {
    const parts = /^\s*(Policy on|Style for) (.+)$/.exec(line);
    if (!parts) return line;
    const [, opening = '', cited = ''] = parts;
    const meant = nearestLine(cited, opening === 'Policy on' ? clauses : styles);
    if (meant === null || meant === cited) return line;
    repaired++;
    return `${opening} ${meant}`;
  });
  return { cot: lines.join('\n'), repaired };
}

function nearestLine(cited: string, lines: readonly string[]): string | null {
  let best: { line: string; overlap: number } | null = null;
  for (const line of lines) {
    const overlap = dice(words(cited), words(line));
    const enough = codeOf(cited) === codeOf(line) ? sameCodeOverlap : otherCodeOverlap;
    // A clause cited with another ruling was not understood, however like its words are.
    if (overlap < enough || rulingOf(cited) !== rulingOf(line)) continue;
    if (best === null || overlap > best.overlap) best = { line, overlap };
  }
  return best?.line ?? null;
}

const codeOf = (line: string): string | undefined => /\[([^\]]+)\]\s*$/.exec(line)?.[1];
/** `subject: ruling. …` of a clause, `kind: …` of a style. */
const rulingOf = (line: string): string | undefined => /\b(disallowed|allowed|safe completion|refuse|comply)\b/.exec(line)?.[1];
const words = (line: string): Set<string> =>
  new Set(
    line
      .replace(/\[[^\]]*\]\s*$/, '')
      .toLowerCase()
      .match(/[\p{L}\p{N}']+/gu) ?? [],
  );

function dice(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const common = [...a].filter((word) => b.has(word)).length;
  return a.size + b.size === 0 ? 0 : (2 * common) / (a.size + b.size);
}
