import { describe, expect, it } from 'vitest';
import { generationInstruction } from '../../src/align/instructions.js';
import { responseKind } from '../../src/align/response-kind.js';
import { readCitations, readDecision } from '../../src/align/spec/lines.js';
import { Random } from '../../src/base/random.js';
import { heldOutFamilies } from '../../src/prompts/jailbreaks/held-out-families.js';
import { sampleAnswer } from './answers.js';
import { makeGroup, plainRequests, textRequests, type TrainingExample } from './group.js';
import { makePolicy } from './policy.js';
import { readTopics, splitTopics } from './topics.js';
import { trainingWrappers } from './wrappers.js';

const { training, heldOut } = splitTopics(readTopics(new URL('topics', import.meta.url).pathname), 1);
const groups = Array.from({ length: 80 }, (_, i) => makeGroup(new Random(`group ${i}`), training, sampleAnswer));
const answered = groups.flatMap(({ system, examples }) =>
  examples.filter(({ kind }) => kind !== 'grade').map((example) => ({ system, example })),
);
const graded = groups.flatMap(({ examples }) => examples.filter(({ kind }) => kind === 'grade'));
const split = ({ completion }: TrainingExample) =>
  /^<think>\n([\s\S]*)\n<\/think>\n([\s\S]+)$/.exec(completion)!.slice(1) as [string, string];

describe('makeGroup', () => {
  it('is the same for the same seed', () => {
    expect(makeGroup(new Random(5), training, sampleAnswer)).toEqual(makeGroup(new Random(5), training, sampleAnswer));
  });

  it('ends every system message on the shared instruction, and every conversation on a user turn', () => {
    for (const { system, examples } of groups) {
      if (system !== null) expect(system.endsWith(generationInstruction)).toBe(true);
      for (const { messages } of examples) expect(messages.at(-1)?.role).toBe('user');
    }
  });

  it('cites only what stands in the system message, and decides as the clause rules', () => {
    for (const { system, example } of answered) {
      const [cot] = split(example);
      expect(readDecision(cot)).toBe(example.meta.decision);
      for (const line of [example.meta.clauseLine, example.meta.styleLine]) if (line !== null) expect(system?.split('\n')).toContain(line);
      if (example.meta.clauseLine === null) expect(cot).toContain('Policy on this: none.\nDecision: comply');
      else expect(cot).toContain(`Policy on ${example.meta.clauseLine}`);
      expect(readCitations(cot).length).toBe([example.meta.clauseLine, example.meta.styleLine].filter((line) => line !== null).length);
    }
  });

  it('answers in the kind that was decided', () => {
    for (const { example } of answered) expect(responseKind(split(example)[1])).toBe(example.meta.decision);
  });

  it('restates the inner request, never its wrapping', () => {
    const wrapped = answered.filter(({ example }) => example.kind === 'wrapped');
    expect(wrapped.length).toBeGreaterThan(100);
    for (const { example } of wrapped) {
      expect(example.messages[0]?.content).toContain(example.meta.request);
      expect(example.meta.restated.length).toBeLessThan(example.meta.request.length + 40);
    }
  });

  it('lets the strictest of several requests decide', () => {
    const several = answered.filter(({ system, example }) => system !== null && example.kind === 'several');
    expect(several.length).toBeGreaterThan(20);
    for (const { example } of several) expect(example.messages[0]?.content).toContain(example.meta.request.replace(/[.?!]$/, ''));
    expect(several.filter(({ example }) => example.meta.decision === 'refuse').length).toBeGreaterThan(several.length / 4);
  });

  it('says that no policy covers a request wherever there is no policy', () => {
    const without = groups.filter(({ system }) => system === null);
    expect(without.length).toBeGreaterThan(4);
    for (const { examples } of without)
      for (const { meta, kind } of examples) expect([meta.clause, meta.decision, kind === 'grade']).toEqual([null, 'comply', false]);
  });

  it('mixes rulings and ways of asking', () => {
    for (const decision of ['comply', 'safe-complete', 'refuse']) {
      expect(answered.filter(({ example }) => example.meta.decision === decision).length).toBeGreaterThan(answered.length * 0.1);
    }
    expect(new Set(answered.map(({ example }) => example.kind))).toEqual(
      new Set(['plain', 'wrapped', 'several', 'transformation', 'multi-turn']),
    );
    const uncovered = answered.filter(({ system, example }) => system !== null && example.meta.clause === null);
    expect(uncovered.length).toBeGreaterThan(answered.length * 0.15);
  });

  it('uses no request of a held-out family, and no held-out jailbreak', () => {
    const kept = new Set(plainRequests(heldOut));
    expect(groups.flatMap(({ examples }) => examples).filter(({ meta }) => kept.has(meta.request))).toEqual([]);
    expect(trainingWrappers.filter(({ name }) => heldOutFamilies.some((technique) => technique.name === name))).toEqual([]);
  });

  it('does not ask for help that the base model could not give', () => {
    const declines = () => "I'm sorry, but I can't help with that.";
    for (let i = 0; i < 10; i++) {
      for (const { meta, kind } of makeGroup(new Random(i), training, declines).examples)
        if (kind !== 'grade') expect(meta.decision).not.toBe('comply');
    }
  });
});

describe('grade turns', () => {
  it('have every grade and flaw', () => {
    const count = (grade: number) => graded.filter(({ meta }) => meta.grading?.grade === grade).length / graded.length;
    expect(count(5)).toBeGreaterThan(0.15);
    expect(count(5)).toBeLessThan(0.55);
    expect(count(1)).toBeGreaterThan(0.2);
    expect(count(3)).toBeGreaterThan(0.08);
    expect(count(2)).toBeGreaterThan(0.03);
    expect(new Set(graded.map(({ meta }) => meta.grading?.flaw)).size).toBe(10);
  });

  const quoted = ({ messages }: TrainingExample) => /Answer (##\d+)\n([\s\S]*?)\n\1/.exec(messages.at(-1)!.content)![2]!;

  it('give 5 and 3 to the right kind, and 1 to another where the kind is the flaw', () => {
    for (const example of graded) {
      const { grade, flaw } = example.meta.grading!;
      if (grade > 1) expect(responseKind(quoted(example))).toBe(example.meta.decision);
      if (flaw === 'wrong kind') expect(responseKind(quoted(example))).not.toBe(example.meta.decision);
    }
  });

  it('show the reading first, and answer with what was found and the grade', () => {
    for (const { messages, completion, meta } of graded) {
      expect(messages.at(-2)).toMatchObject({ role: 'assistant' });
      expect(messages.at(-2)?.content).toContain(meta.restated);
      expect(completion).toMatch(new RegExp(`^Wanted: .* Got: .* Style: .*\\. Grade: ${meta.grading?.grade}$`));
    }
  });

  it('give 2 only where there is reasoning to be wrong', () => {
    for (const { messages, meta } of graded.filter(({ meta: { grading } }) => grading?.grade === 2)) {
      expect(meta.grading?.withCot).toBe(true);
      const cot = /Reasoning (##\d+)\n([\s\S]*?)\n\1/.exec(messages.at(-1)!.content)![2]!;
      expect(messages.at(-2)!.content).not.toContain(cot);
    }
  });
});

it('lists all requests that need an answer of the base model, each once and always the same', () => {
  const plain = plainRequests(training);
  expect(new Set(plain).size).toBe(plain.length);
  expect(textRequests(training, sampleAnswer)).toEqual(textRequests(training, sampleAnswer));
  const known = new Set([...plain, ...textRequests(training, sampleAnswer)]);
  for (const { example } of answered) expect(known).toContain(example.meta.request);
});

describe('completions that end early', () => {
  const early = (until: 'ruling' | 'reasoning') =>
    Array.from({ length: 12 }, (_, i) =>
      makeGroup(new Random(`early ${i}`), training, sampleAnswer, {
        until,
        named: 0.5,
        perFamily: 1,
        clauses: 6,
        grading: 0,
        withoutPolicy: 0,
      }),
    );

  it('end with the ruling, or with the CoT', () => {
    for (const { examples } of early('ruling')) {
      for (const { completion, meta } of examples) {
        const last = completion.split('\n').at(-1) as string;
        if (meta.clauseLine === null) expect(last).toBe('Policy on this: none.');
        else expect(`Policy on ${meta.clauseLine}`.startsWith(last)).toBe(true);
        expect(last).toMatch(/(: (allowed|disallowed|safe completion)|this: none)\.$/);
      }
    }
    for (const { examples } of early('reasoning')) for (const { completion } of examples) expect(completion).toMatch(/\n<\/think>\n$/);
  });

  it('name the subject in a share of the requests', () => {
    const examples = early('ruling').flatMap((group) => group.examples);
    const named = examples.filter(({ meta }) => meta.request.includes(meta.subject));
    expect(named.length / examples.length).toBeGreaterThan(0.3);
    expect(named.length / examples.length).toBeLessThan(0.8);
  });

  it('name it beside what is asked too, and the answer is then the one to what is asked', () => {
    const examples = Array.from({ length: 12 }, (_, i) =>
      makeGroup(new Random(`beside ${i}`), training, sampleAnswer, { named: 1, perFamily: 1, clauses: 6, grading: 0, withoutPolicy: 0 }),
    ).flatMap((group) => group.examples);
    const plain = examples.filter(({ kind, meta }) => kind === 'plain' && meta.decision === 'comply' && meta.clause !== null);
    expect(plain.length).toBeGreaterThan(3);
    const asked = plainRequests(training);
    for (const { meta, completion } of plain) {
      expect(asked).not.toContain(meta.request);
      const request = asked.find((one) => meta.request.includes(one))!;
      expect(completion).toContain(sampleAnswer(request)!.split('.')[0]);
    }
  });

  it('list in the text of a clause what its requests name', () => {
    for (let i = 0; i < 12; i++) {
      const { clauses } = makePolicy(new Random(`listed ${i}`), training, { perFamily: 1, clauses: 6, richness: 0, listed: 1 });
      for (const { line, about } of clauses)
        if ('subtopic' in about) expect(about.subtopic.words.filter((word) => line.includes(word)).length).toBeGreaterThan(1);
    }
  });

  it('mix families: one clause of each, and one family more than that', () => {
    for (let i = 0; i < 12; i++) {
      const { clauses, families } = makePolicy(new Random(`mixed ${i}`), training, { perFamily: 1, clauses: 6, richness: 0 });
      const of = clauses.flatMap(({ about }) => ('subtopic' in about ? [about.family.name] : []));
      expect(new Set(of).size).toBe(of.length);
      expect(families.length).toBe(7);
    }
  });
});
