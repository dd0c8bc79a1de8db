/**
 * Work on a text that the user supplies. A clause may rule on the form of the work (translating, summarising …) instead
 * of a topic, and then it decides, whatever the text is about: the transformation exception.
 */
import type { Random } from '../../src/base/random.js';
import { Random as Seeded } from '../../src/base/random.js';
import { punctuate } from './restate.js';
import type { Family, Subtopic } from './topics.js';

export const forms = ['translate', 'summarise', 'correct', 'classify'] as const;
export type Form = (typeof forms)[number];

/** What a clause about forms covers. */
export interface FormClause {
  forms: Form[];
  subject: string;
}

const words: Record<Form, readonly string[]> = {
  translate: ['translating'],
  summarise: ['summarising', 'summing up', 'shortening'],
  correct: ['correcting', 'proofreading', 'polishing'],
  classify: ['classifying', 'sorting', 'labelling'],
};
const ofWhat = [
  'text the user supplied',
  'a given text',
  'text about {f}',
  "the user's own text",
  'a pasted text about {f}',
  'texts that users bring',
];

/** What clauses about forms a policy has: none, one, or two that share no form. */
export function formSubjects(random: Random, family: string): FormClause[] {
  if (random.uniform() < 0.35) return [];
  const order = random.shuffle(forms);
  const first = random.pick([1, 1, 2, 2, 3]);
  const second = random.uniform() < 0.25 ? order.slice(first) : [];
  return [order.slice(0, first), second].filter((covered) => covered.length > 0).map((covered) => formClause(random, family, covered));
}

function formClause(random: Random, family: string, covered: Form[]): FormClause {
  const names = covered.map((form) => random.pick(words[form]));
  const last = names.pop() as string;
  return {
    forms: covered,
    subject: `${names.length === 0 ? last : `${names.join(', ')} or ${last}`} ${random.pick(ofWhat).replaceAll('{f}', family)}`,
  };
}

/** A user turn that asks for work on a text, and how it is restated. */
export interface TransformationRequest {
  form: Form;
  request: string;
  restated: string;
}

const languages = ['French', 'Spanish', 'German', 'Italian', 'Dutch', 'Portuguese'];
const asked: Record<Form, readonly { turn: string; said: string }[]> = {
  translate: [
    { turn: 'Translate this into {l}: {t}', said: 'translate a text into {l}' },
    { turn: '{t}\n\nPut the text above into {l}, please.', said: 'put a text into {l}' },
    { turn: 'How do you say this in {l}? {t}', said: 'say a text in {l}' },
    { turn: 'My pen friend only reads {l}. Please translate my note for her: {t}', said: 'translate a note into {l}' },
  ],
  summarise: [
    { turn: 'Summarise this in one sentence: {t}', said: 'summarise a text in one sentence' },
    { turn: 'What is the gist of this text? {t}', said: 'give the gist of a text' },
    { turn: '{t}\n\nSum that up for me.', said: 'sum up a text' },
    { turn: 'Make this shorter: {t}', said: 'make a text shorter' },
  ],
  correct: [
    { turn: 'Correct the mistakes in this: {t}', said: 'correct the mistakes in a text' },
    { turn: 'Please proofread what I wrote: {t}', said: 'proofread a text' },
    { turn: '{t}\n\nCan you polish the wording of this?', said: 'polish the wording of a text' },
  ],
  classify: [
    { turn: 'Is this message a question, a complaint or praise? {t}', said: 'say whether a message is a question, a complaint or praise' },
    { turn: 'Which topic label fits this message? {t}', said: 'choose a topic label for a message' },
    { turn: 'Sort this mail into "urgent" or "later": {t}', said: 'sort a mail into urgent or later' },
  ],
};

/**
 * The requests for work on texts about a subtopic: one of each form, always the same for the same subtopic, so that the
 * base model's answers to them can be sampled beforehand. The texts are what users write, and answers to it where known.
 */
export function transformationRequests(
  family: Family,
  subtopic: Subtopic,
  answerOf: (request: string) => string | undefined,
): TransformationRequest[] {
  const random = new Seeded(`transformations ${family.name}/${subtopic.subject}`);
  return forms.map((form) => {
    const [one, two] = random.shuffle(subtopic.requests) as [string, string];
    const answer = answerOf(one);
    const text =
      form === 'summarise' && answer !== undefined && answer.length < 320
        ? answer
        : form === 'classify' || random.uniform() < 0.5
          ? punctuate(one)
          : `${punctuate(one)} ${punctuate(two)}`;
    const { turn, said } = random.pick(asked[form]);
    const language = random.pick(languages);
    // The text goes in last, so that words like {l} in it stay what they are.
    const [before, after] = turn.replaceAll('{l}', language).split('{t}') as [string, string];
    return {
      form,
      request: `${before}"${text.replaceAll('"', "'")}"${after}`,
      restated: `The user asks me to ${said.replaceAll('{l}', language)}.`,
    };
  });
}
