/** Groups of training examples behind one shared system message, drawn by seed. */
import { reasoningSystem } from '../../src/align/instructions.js';
import type { Random } from '../../src/base/random.js';
import type { Message } from '../../src/base/records.js';
import { type AnswerOf, completionOf, drawQuestion, type Question, type QuestionMeta, type Until } from './examples.js';
import { drawGrading, type Flaw, type Grade } from './grading.js';
import { makePolicy, type PolicyOptions } from './policy.js';
import type { Family } from './topics.js';
import { transformationRequests } from './transformations.js';
import { trainingWrappers, type Wrapper } from './wrappers.js';

export interface TrainingExample {
  /** After the system message; ends on a user turn. */
  messages: Message[];
  /** All that the assistant writes. */
  completion: string;
  /** plain, wrapped, several, transformation, multi-turn, or grade. */
  kind: string;
  meta: ExampleMeta;
}

export interface ExampleMeta extends QuestionMeta {
  restated: string;
  clauseLine: string | null;
  styleLine: string | null;
  /** For `grade` examples only. */
  grading?: { grade: Grade; flaw: Flaw; withCot: boolean };
}

export interface TrainingGroup {
  /** Null: a conversation without any policy. */
  system: string | null;
  examples: TrainingExample[];
}

export interface GroupOptions extends PolicyOptions {
  /** Default 14. */
  examples?: number;
  /** Share of groups without a policy; default 0.08. */
  withoutPolicy?: number;
  /** Share of grade turns among the examples of a group with a policy; default 0.3. */
  grading?: number;
  wrappers?: readonly Wrapper[];
  /** Share of questions that are asked plainly, whatever else is drawn; default 0. */
  plain?: number;
  /** Share of requests that name the subject in its own words; not where answers are learnt. Default 0. */
  named?: number;
  /** Where completions end: answers and quotes are most of the tokens, and finding the subject is learnt before them. Default answer. */
  until?: Until;
}

const kinds: readonly [string, number][] = [
  ['plain', 0.45],
  ['wrapped', 0.33],
  ['several', 0.08],
  ['transformation', 0.07],
  ['multi-turn', 0.07],
];
const rulings = [
  ['comply', 0.26],
  ['safe-complete', 0.29],
  ['refuse', 0.33],
  // A prompt meets a category in detail because it was filed under it, so few are covered by no clause.
  ['none', 0.12],
] as const;

/** Grades asked for. Good ones are the easiest to draw, so they come often enough as what is left. */
const gradeOrder: readonly Grade[] = [5, 1, 3, 1, 5, 3, 1, 2];

/** One group. The same state of `random`, topics and answers give the same group. */
export function makeGroup(random: Random, families: readonly Family[], answerOf: AnswerOf, options: GroupOptions = {}): TrainingGroup {
  const count = options.examples ?? 14;
  const asked = {
    answerOf,
    wrappers: options.wrappers ?? trainingWrappers,
    named: options.named ?? 0,
    until: options.until ?? 'answer',
    used: new Set<string>(),
  };
  if (random.uniform() < (options.withoutPolicy ?? 0.08)) {
    const context = { ...asked, policy: null, otherFamilies: families };
    return { system: null, examples: draw(random, context, count, options).map((question) => asExample(random, question, options)) };
  }
  // A share of policies in short only: without any detail no clause applies, whatever is asked.
  const policy = makePolicy(random, families, { ...options, withoutDetail: options.withoutDetail ?? random.uniform() < 0.06 });
  const questions = draw(random, { ...asked, policy, otherFamilies: policy.otherFamilies, prefer: options.mustCover }, count, options);
  // Good and bad answers stand side by side in each group, so that a grade cannot be guessed from the policy.
  const turns = Math.round(count * (options.grading ?? 0.3));
  const wanted = random.shuffle(gradeOrder).slice(0, turns);
  const examples = questions.map((question, i) => {
    if (i < turns) {
      const other = questions[(i + 1) % questions.length] ?? null;
      const graded =
        tries(8, () => drawGrading(random, question, { policy, answerOf, other }, wanted[i])) ??
        tries(4, () => drawGrading(random, question, { policy, answerOf, other }, 1)) ??
        tries(8, () => drawGrading(random, question, { policy, answerOf, other }));
      if (graded !== null) return gradeExample(question, graded);
    }
    return asExample(random, question, options);
  });
  return { system: reasoningSystem(policy.text), examples };
}

function draw(random: Random, context: Parameters<typeof drawQuestion>[1], count: number, options: GroupOptions): Question[] {
  const drawn: Question[] = [];
  // Some combinations do not exist in some policies; that many attempts find what there is.
  for (let attempt = 0; drawn.length < count && attempt < count * 6; attempt++) {
    const ruling = context.policy === null ? 'none' : weighted(random, rulings);
    const kind = random.uniform() < (options.plain ?? 0) ? 'plain' : weighted(random, kinds);
    const question = drawQuestion(random, context, kind, ruling);
    if (question !== null) drawn.push(question);
  }
  return drawn;
}

function tries<T>(count: number, attempt: () => T | null): T | null {
  for (let i = 0; i < count; i++) {
    const got = attempt();
    if (got !== null) return got;
  }
  return null;
}

const metaOf = (question: Question): ExampleMeta => ({
  ...question.meta,
  restated: question.reasoning.restated,
  clauseLine: question.reasoning.clause,
  styleLine: question.reasoning.style,
});

const asExample = (random: Random, question: Question, options: GroupOptions): TrainingExample => ({
  messages: question.messages,
  completion: completionOf(question, random, options.until),
  kind: question.kind,
  meta: metaOf(question),
});

const gradeExample = (
  question: Question,
  { messages, completion, grade, flaw, withCot }: NonNullable<ReturnType<typeof drawGrading>>,
): TrainingExample => ({
  messages,
  completion,
  kind: 'grade',
  meta: { ...metaOf(question), grading: { grade, flaw, withCot } },
});

function weighted<T>(random: Random, weights: readonly (readonly [T, number])[]): T {
  let left = random.uniform() * weights.reduce((sum, [, weight]) => sum + weight, 0);
  return (weights.find(([, weight]) => (left -= weight) < 0) ?? weights[0]!)[0];
}

/** Every plain request: what the base model must answer first, for `answerOf`. */
export const plainRequests = (families: readonly Family[]): string[] => [
  ...new Set(families.flatMap((family) => family.subtopics.flatMap((subtopic) => subtopic.requests))),
];

/** Every request for work on a text: to be answered second, for some of the texts are answers to plain requests. */
export const textRequests = (families: readonly Family[], answerOf: AnswerOf): string[] =>
  families.flatMap((family) =>
    family.subtopics.flatMap((subtopic) => transformationRequests(family, subtopic, answerOf).map((made) => made.request)),
  );
