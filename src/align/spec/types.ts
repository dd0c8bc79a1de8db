/** A specification: content policies, one a category, and style guidelines (paper, section 2.1 and appendix). */
import type { ResponseKind } from '../../base/records.js';

export interface Clause {
  code: string;
  /** What the clause is about, in a few words; the reader matches the request against it. */
  subject: string;
  ruling: ResponseKind;
  /** The first paragraph: what is compiled, and what a CoT quotes. */
  text: string;
  /** Further paragraphs, for people and for large budgets; the first thing that compilation drops. */
  rationale?: string;
  examples: { text: string; line: number }[];
  exclusions: { text: string; line: number }[];
  file: string;
  line: number;
}

export interface StyleGuideline {
  code: string;
  kind: ResponseKind;
  text: string;
  file: string;
  line: number;
}

export interface Category {
  /** Short name, as in prompts' `category`: letters, digits, dashes. */
  name: string;
  title: string;
  summary: string;
  definitions: { term: string; text: string; line: number }[];
  clauses: Clause[];
  /** Guidelines for this category alone; they come before the general ones of the same kind. */
  styles: StyleGuideline[];
  file: string;
  line: number;
}

export interface Spec {
  categories: Category[];
  principles: { text: string; file: string; line: number }[];
  /** General style guidelines, one or more a response kind. */
  styles: StyleGuideline[];
}
