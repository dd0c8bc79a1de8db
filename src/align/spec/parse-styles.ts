import type { ResponseKind } from '../../base/records.js';
import type { Block } from './markdown.js';
import type { StyleGuideline } from './types.js';

export type Report = (line: number, message: string, rule?: string) => void;

const kindWords: Record<string, ResponseKind> = {
  refuse: 'refuse',
  refusal: 'refuse',
  'hard refusal': 'refuse',
  'safe completion': 'safe-complete',
  comply: 'comply',
};

/** What a code looks like; the reader of CoTs knows the same form (lines.ts, readCitations). */
export const codePattern = '[A-Z][A-Za-z0-9-]{0,11}';

/** Style guidelines: items of the form `- S1 (refuse): text`. */
export function parseStyles(file: string, blocks: readonly Block[], report: Report): StyleGuideline[] {
  const styles: StyleGuideline[] = [];
  for (const { kind: blockKind, text: whole, line } of blocks) {
    if (blockKind === 'paragraph') continue; // an introduction
    const match = new RegExp(`^(?:(${codePattern})\\s*)?\\(([^)]*)\\)\\s*:\\s*(.*)$`).exec(whole);
    const kind = kindWords[(match?.[2] ?? '').trim().toLowerCase().replace(/-/g, ' ')];
    const text = match?.[3] ?? '';
    if (match === null || kind === undefined || text === '') {
      report(line, 'this is no style guideline; write "- S1 (refuse): text", with refuse, safe completion or comply in the brackets');
    } else if (match[1] === undefined) {
      report(line, 'this style guideline has no code; write one before the bracket, as in "- S1 (refuse): …"', 'missing-code');
    } else if (/[[\]]/.test(text)) {
      report(line, 'square brackets are kept for codes; write this guideline without them');
    } else {
      styles.push({ code: match[1], kind, text, file, line });
    }
  }
  return styles;
}
