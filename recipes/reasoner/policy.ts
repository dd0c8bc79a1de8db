/**
 * Policies drawn at random: the topic, which of its parts are covered, every ruling, code, wording and order. They are
 * specifications like any other and are compiled by the method's own `compileSpec`, so the reader learns the layout it will meet.
 */
import type { Random } from '../../src/base/random.js';
import type { ResponseKind } from '../../src/base/records.js';
import { internalError } from '../../src/base/errors.js';
import { compileSpec } from '../../src/align/spec/compile.js';
import { clauseLine, styleLine } from '../../src/align/spec/lines.js';
import type { Category, Clause, Spec, StyleGuideline } from '../../src/align/spec/types.js';
import { formText, topicText } from './clause-texts.js';
import { codePrefix, codes } from './codes.js';
import { definitions, principles, rationales, subjectText, summaryOf } from './policy-texts.js';
import { makeStyle, type StyleElements } from './styles.js';
import type { Family, Subtopic } from './topics.js';
import { type FormClause, formSubjects } from './transformations.js';

export interface PolicyOptions {
  /** About how many clauses; default 5 to 15. */
  clauses?: number;
  /** How many categories stand under "Policies in short", this one among them; default 3 to 8. */
  summaries?: number;
  /** Most tokens; default 450 to 1,000. */
  lengthBudget?: number;
  /** From 0, bare clauses, to 1, with definitions, exclusions, examples and reasons as real specifications have them; default drawn evenly. */
  richness?: number;
  countTokens?: (text: string) => number;
  /** Mixes families, so many clauses of each: telling clauses apart is easy then, and so is seeing that none applies. Undefined: one family or two. */
  perFamily?: number | undefined;
  /** Share of clauses whose text lists things that requests name too, as real policies do; default 0. */
  listed?: number;
  /** Compile for `none`: no category in detail, so no clause applies to anything. */
  withoutDetail?: boolean;
  /** Families that a policy may be about; default all. The rest serves for summaries and for what is not covered. */
  about?: readonly Family[];
  /** Subtopics that must be covered: those held out, when measuring. */
  mustCover?: (subtopic: Subtopic) => boolean;
}

/** A clause that stands in the compiled text, and what it is about. */
export interface PolicyClause {
  code: string;
  ruling: ResponseKind;
  subject: string;
  /** As compiled and as quoted. */
  line: string;
  about: { family: Family; subtopic: Subtopic } | FormClause;
}

export interface Policy {
  text: string;
  /** What the policy is about; more than one family where two were put together. */
  families: Family[];
  clauses: PolicyClause[];
  /** Subtopics of the same families about which the text says nothing, not even in a summary. */
  uncovered: { family: Family; subtopic: Subtopic }[];
  /** Families of which the text says nothing. */
  otherFamilies: Family[];
  /** The style that holds for a kind: the category's own before the general one. */
  styles: Record<ResponseKind, { line: string; code: string; elements: StyleElements }>;
  /** Requests that stand in the text as examples; asking them would be no reading. */
  quoted: ReadonlySet<string>;
}

/** Good enough for drawing policies; the trainer passes the tokenizer's own count. */
export const estimateTokens = (text: string): number => Math.ceil(text.length / 4.1);

const place = { file: 'drawn', line: 1 };
const kinds = ['refuse', 'safe-complete', 'comply'] as const;

/** @throws an internal error when there are too few families: two at least that the policy says nothing about. */
export function makePolicy(random: Random, families: readonly Family[], options: PolicyOptions = {}): Policy {
  const subjects = new Set(options.about ?? families);
  const drawnOrder = random.shuffle(families);
  const order = [...drawnOrder.filter((family) => subjects.has(family)), ...drawnOrder.filter((family) => !subjects.has(family))];
  // Real categories have more clauses than one family has parts, so now and then two families make one category.
  const mixed = options.perFamily !== undefined;
  // One family more than clauses need: its parts stay uncovered.
  const familyCount = mixed ? Math.ceil((options.clauses ?? 6) / options.perFamily!) + 1 : random.uniform() < 0.35 ? 2 : 1;
  const about = order.slice(0, familyCount);
  if (order.length < about.length + 2) throw internalError(`makePolicy: ${order.length} families are too few`);
  const rest = random.shuffle(order.slice(about.length));
  const summaries = Math.min((options.summaries ?? 3 + random.integer(6)) - 1, rest.length - 2);
  const withSummary = rest.slice(0, Math.max(0, summaries));
  const title = mixed ? random.pick(mixedTitles) : capital(about.map((family) => family.name).join(' and '));
  const taken = new Set<string>();
  const stylePrefix = codePrefix(random);
  const general = drawStyles(random, kinds, null, taken, stylePrefix);
  const ownKinds = kinds.filter(() => random.uniform() < 0.15);
  const own = drawStyles(random, ownKinds, about[0]!.name, taken, codePrefix(random) + 'S');
  const richness = options.richness ?? random.uniform();
  const { drawn, uncovered } = drawClauses(random, about, title.toLowerCase(), taken, richness, options);
  const category: Category = {
    name: 'detail',
    title,
    summary: summaryOf(
      random,
      mixed ? about.slice(0, 2) : about,
      drawn.map(({ clause }) => clause),
    ),
    definitions: random.uniform() < richness - 0.2 ? definitions(random).map((definition) => ({ ...definition, line: 1 })) : [],
    clauses: drawn.map(({ clause }) => clause),
    styles: own.map(({ style }) => style),
    ...place,
  };
  const others = withSummary.map((family, i): Category => ({
    name: `other-${i}`,
    title: capital(family.name),
    summary: summaryOf(random, [family], []),
    definitions: [],
    clauses: [],
    styles: [],
    ...place,
  }));
  const spec: Spec = {
    categories: random.shuffle([category, ...others]),
    principles: principles(random, random.integer(4)).map((text) => ({ text, ...place })),
    styles: general.map(({ style }) => style),
  };
  const compiled = compileSpec(spec, options.withoutDetail === true ? 'none' : 'detail', {
    maxTokens: options.lengthBudget ?? 450 + random.integer(550),
    countTokens: options.countTokens ?? estimateTokens,
    summaries: random.uniform() < 0.9,
  });
  const text = compiled.text;
  const inText = drawn.filter(({ clause }) => text.split('\n').includes(clauseLine(clause)));
  const inUse = options.withoutDetail === true ? general : [...own, ...general];
  return {
    text,
    families: about,
    clauses: inText.map(({ clause, about: subject }) => ({
      code: clause.code,
      ruling: clause.ruling,
      subject: clause.subject,
      line: clauseLine(clause),
      about: subject,
    })),
    // A clause that did not fit may still be hinted at by the summary, so its subject is not taken for uncovered.
    uncovered: options.withoutDetail === true ? [] : uncovered,
    otherFamilies: rest.slice(withSummary.length),
    styles: Object.fromEntries(kinds.map((kind) => [kind, inUse.find(({ style }) => style.kind === kind)!.use])) as Policy['styles'],
    quoted: new Set(category.clauses.flatMap((clause) => clause.examples.map((example) => example.text))),
  };
}

interface DrawnStyle {
  style: StyleGuideline;
  use: { line: string; code: string; elements: StyleElements };
}

function drawStyles(random: Random, of: readonly ResponseKind[], family: string | null, taken: Set<string>, prefix: string): DrawnStyle[] {
  const names = codes(random, of.length, taken, prefix);
  const ordered = random.uniform() < 0.5 ? of : random.shuffle(of);
  return ordered.map((kind, i) => {
    const { text, elements } = makeStyle(random, kind, family);
    const style = { code: names[i] as string, kind, text, ...place };
    return { style, use: { line: styleLine(style), code: style.code, elements } };
  });
}

interface DrawnClause {
  clause: Clause;
  about: PolicyClause['about'];
}

function drawClauses(random: Random, about: readonly Family[], name: string, taken: Set<string>, richness: number, options: PolicyOptions) {
  const perFamily = options.perFamily ?? Infinity;
  const parts = random.shuffle(
    about.flatMap((family) =>
      random
        .shuffle(family.subtopics)
        .slice(0, perFamily)
        .map((subtopic) => ({ family, subtopic })),
    ),
  );
  if (options.mustCover !== undefined) {
    const first = (part: { subtopic: Subtopic }) => (options.mustCover?.(part.subtopic) === true ? 0 : 1);
    parts.sort((a, b) => first(a) - first(b));
  }
  // At least one part stays without a clause, so that "no policy covers this" is never known from the family alone.
  const count = Math.min(options.clauses ?? 5 + random.integer(11), parts.length - 1);
  const weights = kinds.map(() => 0.4 + random.uniform());
  const subjects: DrawnClause['about'][] = [...parts.slice(0, count), ...formSubjects(random, name)];
  const listed = options.listed ?? 0;
  const examples = chancesOf(random, richness);
  const reasons = chancesOf(random, richness * 0.7);
  const grouped = random.uniform() < 0.5 ? random.shuffle(kinds) : null;
  let drawn = random.shuffle(subjects).map((subject) => ({ subject, ruling: weighted(random, weights) }));
  // One policy with one ruling would teach not to read.
  if (new Set(drawn.map((d) => d.ruling)).size === 1) drawn[0]!.ruling = random.pick(kinds.filter((kind) => kind !== drawn[0]!.ruling));
  if (grouped !== null) drawn = grouped.flatMap((kind) => drawn.filter((d) => d.ruling === kind));
  const names = codes(random, drawn.length, taken);
  const clauses = drawn.map(({ subject, ruling }, i): DrawnClause => {
    const topic = 'subtopic' in subject;
    const clause: Clause = {
      code: names[i] as string,
      subject: topic ? subjectText(random, subject.subtopic.subject) : subject.subject,
      ruling,
      text: topic
        ? topicText(
            random,
            ruling,
            subject.subtopic.subject,
            subject.family.name,
            random.uniform() < listed ? listedWords(random, subject.subtopic) : [],
          )
        : formText(random, ruling),
      ...(random.uniform() < reasons ? { rationale: rationales(random) } : {}),
      examples: topic && random.uniform() < examples ? exampleTexts(random, subject.subtopic) : [],
      exclusions: [],
      ...place,
    };
    return { clause, about: subject };
  });
  addExclusions(random, clauses, chancesOf(random, richness * 0.6));
  return { drawn: clauses, uncovered: parts.slice(count) };
}

const mixedTitles = ['House rules', 'Everyday matters', 'What we talk about', 'The list', 'Daily life', 'Leisure and home'];

/** Half of the policies have none of a sort of part; the richer the rest, the more. */
const chancesOf = (random: Random, richness: number): number => (random.uniform() < 0.5 * (1 - richness) ? 0 : richness);

const listedWords = (random: Random, { words }: Subtopic) => random.shuffle(words.slice(0, 10)).slice(0, 2 + random.integer(3));

/** One request or two; enough stay to be asked. */
const exampleTexts = (random: Random, { requests }: Subtopic) =>
  random
    .shuffle(requests)
    .slice(0, random.uniform() < 0.25 ? 2 : 1)
    .map((text) => ({ text, line: 1 }));

/** "Exclusions" as real specifications have them: a neighbour that is another clause's matter. */
function addExclusions(random: Random, clauses: readonly DrawnClause[], share: number): void {
  for (const { clause } of clauses) {
    const { clause: other } = random.pick(clauses);
    if (other === clause || random.uniform() >= share) continue;
    const text = random.pick([
      `${capital(other.subject)} is ${other.code}.`,
      `For ${other.subject} see ${other.code}.`,
      `This is not about ${other.subject}: that is ${other.code}.`,
    ]);
    clause.exclusions.push({ text, line: 1 });
  }
}

function weighted(random: Random, weights: readonly number[]): ResponseKind {
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  return kinds.find((_, i) => (left -= weights[i] as number) < 0) ?? 'comply';
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
