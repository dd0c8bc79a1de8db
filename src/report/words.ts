/** Words for the names in records, where people read them. */
import type { Checks } from '../base/records.js';

const checks: Readonly<Record<keyof Checks, string>> = {
  wellFormed: 'well-formed',
  citedClauseExists: 'cited clause exists',
  quoteOccurs: 'quote occurs in it',
  rulingMatchesDecision: 'ruling fits decision',
  answerMatchesDecision: 'answer fits decision',
  leaksSpec: 'speaks of the policy text',
};

/** A note with the names of checks in it, as the filter writes them, in words. */
export const inWords = (note: string): string =>
  note.replace(/\b[a-z]+[A-Z][A-Za-z]+\b/g, (name) => (Object.hasOwn(checks, name) ? checks[name as keyof Checks] : name));
