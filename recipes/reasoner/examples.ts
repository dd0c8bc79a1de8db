/** Questions under a policy, each with the reasoning and the answer that the policy asks for. */
import type { Random } from '../../src/base/random.js';
import type { Message, ResponseKind } from '../../src/base/records.js';
import { responseKind } from '../../src/align/response-kind.js';
import type { Reasoning } from '../../src/align/spec/lines.js';
import { writeCot } from '../../src/align/spec/lines.js';
import { joinCot } from '../../src/lm/split-cot.js';
import type { Policy, PolicyClause } from './policy.js';
import { restate } from './restate.js';
import { type ComplyElements, cutToStyle, styleAnswer } from './styles.js';
import type { Family, Subtopic } from './topics.js';
import { type TransformationRequest, transformationRequests } from './transformations.js';
import { joinRequests, pushes, type Wrapper } from './wrappers.js';

/** The base model's own answer to a request; undefined where none was sampled. */
export type AnswerOf = (request: string) => string | undefined;

/** Everything about one question, before it becomes an example to answer or an answer to grade. */
export interface Question {
  /** After the system message. */
  messages: Message[];
  reasoning: Reasoning;
  /** An answer of the decided kind and style; each call another one where it can be. */
  answer: (random: Random) => string;
  /** How it is asked: plain, wrapped, several, transformation, multi-turn. */
  kind: string;
  meta: QuestionMeta;
}

export interface QuestionMeta {
  request: string;
  /** Code of the clause that applies; null: none does. */
  clause: string | null;
  style: string | null;
  decision: ResponseKind;
  wrapper: string | null;
  /** What an answer may name: the clause's subject, or the subtopic's where no clause applies. */
  subject: string;
  /** `family/subject`, to look up whether it was trained on. */
  topic: string;
}

/** One request and the line that it falls under. */
interface Target {
  request: string;
  restated: string;
  family: Family;
  subtopic: Subtopic;
  clause: PolicyClause | null;
  /** The request that the base model answered, where the one asked has words around it. */
  answered?: string;
}

export interface AskContext {
  /** Null: no system message at all. */
  policy: Policy | null;
  /** Where requests come from that no clause covers. */
  otherFamilies: readonly Family[];
  answerOf: AnswerOf;
  wrappers: readonly Wrapper[];
  /** Which subtopics to ask about first, where the policy covers them. */
  prefer?: ((subtopic: Subtopic) => boolean) | undefined;
  /** Share of requests that name the subject in its own words, alone or beside what is asked. */
  named?: number;
  /** Short of the answer none of the base model's own is needed. Default answer. */
  until?: Until;
  /** Requests asked in this group already; filled as questions are drawn. */
  used: Set<string>;
}

const strictness: Record<ResponseKind, number> = { refuse: 2, 'safe-complete': 1, comply: 0 };
const rulingOf = (target: Target): ResponseKind => target.clause?.ruling ?? 'comply';

/** A question of that way of asking, or null when this policy has none left. `ruling`: of the clause that applies, `none` for no clause; work on texts draws its own. */
export function drawQuestion(random: Random, context: AskContext, kind: string, ruling: ResponseKind | 'none'): Question | null {
  if (kind === 'transformation') return drawTransformation(random, context);
  const target = drawTarget(random, context, ruling);
  if (target === null) return null;
  if (kind === 'several') return drawSeveral(random, context, target);
  if (kind === 'multi-turn') return drawTurns(random, context, target);
  if (kind === 'wrapped') {
    const wrapper = random.pick(context.wrappers);
    const question = questionOf(context, target, kind, [user(wrapper.apply(target.request, random))], wrapper.name);
    if (question === null) return null;
    const plain = question.answer;
    return wrapper.dress === undefined || question.meta.decision !== 'comply'
      ? question
      : { ...question, answer: (r) => (wrapper.dress as (a: string) => string)(plain(r)) };
  }
  return questionOf(context, target, 'plain', [user(target.request)]);
}

function drawTarget(random: Random, context: AskContext, ruling: ResponseKind | 'none'): Target | null {
  const { policy } = context;
  if (ruling === 'none') {
    const near = policy !== null && policy.uncovered.length > 0 && random.uniform() < 0.12 ? random.pick(policy.uncovered) : null;
    const family = near?.family ?? random.pick(context.otherFamilies);
    return targetOf(random, context, family, near?.subtopic ?? random.pick(family.subtopics), null);
  }
  const clauses = (policy?.clauses ?? []).filter((clause) => clause.ruling === ruling && 'subtopic' in clause.about);
  const first = (clause: PolicyClause) => ('subtopic' in clause.about && context.prefer?.(clause.about.subtopic) === true ? 0 : 1);
  for (const clause of random.shuffle(clauses).sort((a, b) => first(a) - first(b))) {
    const { family, subtopic } = clause.about as { family: Family; subtopic: Subtopic };
    const target = targetOf(random, context, family, subtopic, clause);
    if (target !== null) return target;
  }
  return null;
}

function targetOf(random: Random, context: AskContext, family: Family, subtopic: Subtopic, clause: PolicyClause | null): Target | null {
  const complies = (clause?.ruling ?? 'comply') === 'comply' && (context.until ?? 'answer') === 'answer';
  // Finding a subject by its words comes first, by its meaning second.
  const naming = random.uniform() < (context.named ?? 0);
  if (naming && !complies && random.uniform() < 0.5) {
    const named = nameSubject(random, subtopic.subject);
    if (context.used.has(named)) return null;
    context.used.add(named);
    return { request: named, restated: restate(named), family, subtopic, clause };
  }
  const free = subtopic.requests.filter(
    (request) =>
      !context.used.has(request) && context.policy?.quoted.has(request) !== true && (!complies || usable(context.answerOf(request))),
  );
  if (free.length === 0) return null;
  const request = random.pick(free);
  context.used.add(request);
  if (!naming) return { request, restated: restate(request), family, subtopic, clause };
  const both = random
    .pick(besides)
    .replace('{s}', subtopic.subject)
    .replace('{r}', () => request);
  return { request: both, restated: restate(both), family, subtopic, clause, answered: request };
}

/** Whether an answer of the base model may stand as help: words that make sense and do not decline. */
export const usable = (answer: string | undefined): answer is string => answer !== undefined && responseKind(answer) === 'comply';

const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });

function questionOf(
  context: AskContext,
  target: Target,
  kind: string,
  messages: Message[],
  wrapper: string | null = null,
  askedOf = target.answered ?? target.request,
): Question | null {
  const decision = rulingOf(target);
  const style = context.policy?.styles[decision] ?? null;
  const own = decision === 'comply' ? context.answerOf(askedOf) : undefined;
  if (decision === 'comply' && (context.until ?? 'answer') === 'answer' && !usable(own)) return null;
  const cited = decision === 'comply' ? null : style;
  const subject = target.clause?.subject ?? target.subtopic.subject;
  return {
    messages,
    reasoning: { restated: target.restated, clause: target.clause?.line ?? null, style: cited?.line ?? null, decision },
    answer: (random) => {
      const elements = style?.elements;
      if (elements === undefined || elements.kind === 'comply') return cutToStyle(own ?? '', elements ?? plainComply);
      return styleAnswer(random, elements, subject, target.family.name);
    },
    kind,
    meta: {
      request: target.request,
      clause: target.clause?.code ?? null,
      style: cited?.code ?? null,
      decision,
      wrapper,
      subject,
      topic: `${target.family.name}/${target.subtopic.subject}`,
    },
  };
}
const plainComply: ComplyElements = { kind: 'comply', brief: false };

/** Two or three requests at once: the strictest decides and is restated; among equals the first that a clause covers. */
function drawSeveral(random: Random, context: AskContext, first: Target): Question | null {
  const targets = [first];
  const count = 2 + random.integer(2);
  for (let tries = 0; targets.length < count && tries < 8; tries++) {
    const next = drawTarget(random, context, random.pick(['none', 'none', 'comply', 'safe-complete', 'refuse'] as const));
    if (next !== null) targets.push(next);
  }
  if (targets.length < 2) return null;
  const asked = random.shuffle(targets);
  const weight = (target: Target) => strictness[rulingOf(target)] * 2 + (target.clause === null ? 0 : 1);
  const strictest = asked.reduce((best, target) => (weight(target) > weight(best) ? target : best));
  return questionOf(context, strictest, 'several', [
    user(
      joinRequests(
        random,
        asked.map((target) => target.request),
      ),
    ),
  ]);
}

/** An earlier exchange on something else; or the request was declined and the user insists. */
function drawTurns(random: Random, context: AskContext, target: Target): Question | null {
  const question = questionOf(context, target, 'multi-turn', []);
  if (question === null) return null;
  // There is only one sampled answer to a request, so asking for more of it would teach to repeat oneself.
  if (question.meta.decision !== 'comply' && random.uniform() < 0.5) {
    return { ...question, messages: [user(target.request), assistant(question.answer(random)), user(random.pick(pushes))] };
  }
  const earlier = drawTarget(random, context, random.pick(['none', 'comply', 'refuse'] as const));
  const before = earlier === null ? null : questionOf(context, earlier, 'plain', []);
  if (earlier === null || before === null) return null;
  return { ...question, messages: [user(earlier.request), assistant(before.answer(random)), user(target.request)] };
}

/** Work on a supplied text. Without a clause on that form the text is about something that no clause covers. */
function drawTransformation(random: Random, context: AskContext): Question | null {
  const { policy } = context;
  const formClauses = (policy?.clauses ?? []).filter((clause) => 'forms' in clause.about);
  const clause = formClauses.length > 0 && random.uniform() < 0.8 ? random.pick(formClauses) : null;
  const parts = policy?.families.flatMap((family) => family.subtopics.map((subtopic) => ({ family, subtopic }))) ?? [];
  const outside = random.pick(context.otherFamilies);
  const { family, subtopic } =
    clause === null || parts.length === 0 ? { family: outside, subtopic: random.pick(outside.subtopics) } : random.pick(parts);
  const covered = clause !== null && 'forms' in clause.about ? clause.about.forms : [];
  const anyForm = formClauses.flatMap((candidate) => ('forms' in candidate.about ? candidate.about.forms : []));
  const requests = transformationRequests(family, subtopic, context.answerOf).filter(
    (request) => (clause === null ? !anyForm.includes(request.form) : covered.includes(request.form)) && !context.used.has(request.request),
  );
  if (requests.length === 0) return null;
  const chosen: TransformationRequest = random.pick(requests);
  context.used.add(chosen.request);
  return questionOf(context, { request: chosen.request, restated: chosen.restated, family, subtopic, clause }, 'transformation', [
    user(chosen.request),
  ]);
}

/** Where a completion ends: with the subject and ruling of the clause, with the CoT, or with the answer. */
export type Until = 'ruling' | 'reasoning' | 'answer';

/** What the assistant writes: the CoT between its tags, then the answer; or its beginning. */
export function completionOf(question: Question, random: Random, until: Until = 'answer'): string {
  const cot = writeCot(question.reasoning);
  if (until === 'ruling') return `<think>\n${/^.*\nPolicy on [^:]*: [^.]*\./.exec(cot)?.[0] ?? cot}`;
  return joinCot(cot, until === 'answer' ? question.answer(random) : '');
}

const besides = ['On {s}: {r}', 'I have a question about {s}. {r}', 'This is about {s}. {r}', '{r} It is about {s}.', '{r} ({s})'];

/** A request that says what it is about in the subject's own words. */
const nameSubject = (random: Random, subject: string): string =>
  random.pick([
    `Tell me about ${subject}.`,
    `Can you help me with ${subject}?`,
    `What should I know about ${subject}?`,
    `Write a short text on ${subject}.`,
    `Give me three tips on ${subject}.`,
    `How do I get started with ${subject}?`,
    `Explain ${subject} to me.`,
    `i need some advice on ${subject}`,
    `What is the best way to go about ${subject}?`,
    `Make a list of what matters in ${subject}.`,
  ]);
