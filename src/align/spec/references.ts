/**
 * Codes that running text names. Only the specification's own codes say which words are codes: `S99` refers to something where
 * there is an `S1`, `MP3` and `COVID-19` are words where nothing is called MP1 or COVID-1.
 */
import { codePattern } from './parse-styles.js';

const word = /(?<![\p{L}\p{N}_])[A-Z][A-Za-z0-9-]*[A-Za-z0-9](?![\p{L}\p{N}_])|(?<![\p{L}\p{N}_])[A-Z](?![\p{L}\p{N}_-])/gu;
const hasMark = (token: string): boolean => /\d|-[A-Z]/.test(token);

/** @returns for a text, every code it refers to, whether it exists or not, each once, in order */
export function referenceReader(codes: readonly string[]): (text: string) => string[] {
  const known = new Set(codes);
  const forms = new Set(codes.flatMap((code) => formOf(code) ?? []));
  const isReference = (token: string): boolean => known.has(token) || forms.has(formOf(token) ?? '');
  return (text) => {
    const named = [...text.matchAll(word)].flatMap(({ 0: token, index }) => {
      if (isReference(token) || isCalledCode(text, token, index)) return [token];
      // "R1-R3", "R2-like": a dash may join a code to something else.
      return token.split('-').filter(isReference);
    });
    return [...new Set(named)];
  };
}

/** What codes of one series have in common: `SH#` of SH4, `V-#` of V-12, `Refund-@` of Refund-A; null for a code that counts nothing. */
function formOf(code: string): string | null {
  const form = code.replace(/\d+$/, '#').replace(/-[A-Z]$/, '-@');
  return form === code ? null : form;
}

/** Stands in brackets, behind "clause", or behind "see" where the sentence goes on without it: "see COVID-19 rules" names no code. */
function isCalledCode(text: string, token: string, index: number): boolean {
  if (!new RegExp(`^${codePattern}$`).test(token)) return false;
  const [before, after] = [text.slice(0, index), text.slice(index + token.length)];
  if (before.endsWith('[') && after.startsWith(']')) return true;
  if (!hasMark(token)) return false;
  if (/\bclauses?\s+$/i.test(before)) return true;
  return /\bsee\s+$/i.test(before) && /^\s*(?:$|[.,;:!?)]|(?:and|or|for|instead|above|below)\b)/.test(after);
}
