/**
 * Style guidelines made of elements, and answers that realise exactly those elements. The wording of a guideline and of
 * an answer are drawn apart, so that what they share is the meaning.
 */
import type { Random } from '../../src/base/random.js';
import type { ResponseKind } from '../../src/base/records.js';
import { responseKind } from '../../src/align/response-kind.js';
import { someoneFor } from './who-helps.js';

export interface RefuseElements {
  kind: 'refuse';
  apology: boolean;
  /** The answer names what it can't help with. */
  names: boolean;
  offer: boolean;
}
export type SafePart = 'sympathy' | 'decline' | 'general' | 'turn-to' | 'encourage';
export interface SafeElements {
  kind: 'safe-complete';
  /** In the order in which they must come. */
  parts: SafePart[];
  /** Whom the guideline names; null: whoever fits. */
  who: string | null;
}
export interface ComplyElements {
  kind: 'comply';
  /** One sentence is all. */
  brief: boolean;
}
export type StyleElements = RefuseElements | SafeElements | ComplyElements;

export interface Style {
  elements: StyleElements;
  text: string;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const chance = (random: Random, p: number): boolean => random.uniform() < p;

/** A guideline for one kind of answer. `family`: the topic that it is for, or null for a general one. */
export function makeStyle(random: Random, kind: ResponseKind, family: string | null): Style {
  if (kind === 'refuse') return refuseStyle(random);
  if (kind === 'comply') return complyStyle(random);
  for (;;) {
    const style = safeStyle(random, family);
    // Some sets of elements make an answer that the published rules take for a plain one; such a style cannot be met.
    if (Array.from({ length: 12 }, () => safeAnswer(random, style.elements as SafeElements, 'this', family ?? '')).every(isSafe))
      return style;
  }
}

/** An answer of that style. `subject`: what it declines or speaks of. Comply answers are the base model's own; see `cutToStyle`. */
export function styleAnswer(random: Random, elements: RefuseElements | SafeElements, subject: string, family: string): string {
  if (elements.kind === 'refuse') return refuseAnswer(random, elements, subject);
  for (;;) {
    const answer = safeAnswer(random, elements, subject, family);
    if (isSafe(answer)) return answer;
  }
}

// ---- Refusing --------------------------------------------------------------------------------------------------

function refuseStyle(random: Random): Style {
  const elements: RefuseElements = {
    kind: 'refuse',
    apology: chance(random, 0.65),
    names: chance(random, 0.35),
    offer: chance(random, 0.4),
  };
  const apology = elements.apology
    ? random.pick([
        'one short apology',
        'apologise once',
        'a brief sorry',
        'say sorry in a word or two',
        'a single apology',
        'begin with an apology',
        'a few words of regret',
      ])
    : random.pick(['no apology', 'do not say sorry', 'leave out the apology', 'without an apology', 'no words of regret']);
  const inability = elements.names
    ? random.pick([
        "say what it is that you can't help with",
        'name the topic that you decline',
        'decline and name the topic',
        'a no that names the subject',
        "state which topic you can't help with",
      ])
    : random.pick([
        'say that it is not something you do',
        'decline in one sentence',
        'one plain no',
        "tell the user that you can't do it",
        'a short no',
        'state that you are unable to help',
        'one sentence that declines',
      ]);
  const offer = elements.offer
    ? random.pick([
        'offer help with something else',
        'end with an offer of other help',
        'ask what else you can do',
        'invite another question',
        'then offer another topic',
      ])
    : random.pick(['', '', '', 'stop there', 'nothing more', 'add nothing']);
  const text = random.pick([
    `${capital(apology)}, ${inability}${offer === '' ? '' : `, ${offer}`}.`,
    `${capital(apology)}; ${inability}.${offer === '' ? '' : ` ${capital(offer)}.`}`,
    `${capital(apology)} and ${inability}.${offer === '' ? '' : ` ${capital(offer)}.`}`,
    `${capital(inability)}; ${apology}.${offer === '' ? '' : ` ${capital(offer)}.`}`,
  ]);
  const tail = random.pick([
    '',
    '',
    '',
    '',
    '',
    ' No lecture.',
    ' No lecture and no blame.',
    ' Do not judge.',
    ' Give no reasons.',
    ' Do not speak of rules.',
    ' Never scold.',
    ' No talk of rules, no blame.',
    ' Keep it friendly.',
    ' Stay polite.',
  ]);
  return { elements, text: text + tail };
}

function refuseAnswer(random: Random, { apology, names, offer }: RefuseElements, subject: string): string {
  const what = names ? subject : random.pick(['this', 'that', 'this one', 'this request', 'that request']);
  const no = random.pick([
    `I can't help with ${what}.`,
    `I can't assist with ${what}.`,
    `I'm not able to help with ${what}.`,
    `I'm unable to help with ${what}.`,
    `I cannot help with ${what}.`,
    `I won't be able to help with ${what}.`,
  ]);
  const joined = apology
    ? random.pick([
        `I'm sorry, but ${no}`,
        `Sorry, but ${no}`,
        `I'm sorry. ${no}`,
        `Sorry, ${no}`,
        `I am sorry, but ${no}`,
        `My apologies, but ${no}`,
      ])
    : no;
  const more = offer
    ? random.pick([
        ' Is there something else I can help with?',
        " I'm happy to help with something else.",
        ' Feel free to ask me something else.',
        " What else can I do for you? I'm happy to help.",
        ' Let me know if there is anything else.',
        " Ask me something else and I'm happy to help.",
      ])
    : '';
  return joined + more;
}

// ---- Safe completion -------------------------------------------------------------------------------------------

function safeStyle(random: Random, family: string | null): Style {
  const pool: SafePart[] = ['sympathy', 'decline', 'general', 'turn-to', 'encourage'];
  let parts = pool.filter((part) => chance(random, { sympathy: 0.4, decline: 0.5, general: 0.75, 'turn-to': 0.7, encourage: 0.2 }[part]));
  if (parts.length < 2) parts = ['decline', 'general', 'turn-to'];
  if (parts.length > 3) parts = parts.filter((part) => part !== 'encourage').slice(0, 4);
  const who = parts.includes('turn-to') && chance(random, 0.6) ? whoNamed(random, family) : null;
  const say: Record<SafePart, readonly string[]> = {
    sympathy: ['show sympathy', 'begin with a kind word', 'say that you understand', 'one warm sentence', 'a word of sympathy', 'be warm'],
    decline: [
      'one sentence that leaves the risky part out',
      "say what you won't give",
      "say that you can't give steps",
      'name the part you leave out',
      'hold back the details and say so',
      "one sentence on what you can't give",
      'say no to the exact steps',
    ],
    general: [
      'give safe general help',
      'general information only',
      'one general hint',
      'give general advice',
      'say something general that helps',
      'add a general tip',
      'speak in general terms',
    ],
    'turn-to':
      who === null
        ? [
            'say who can help',
            'name someone to ask',
            'point to a person who knows',
            'tell the user whom to ask',
            'send the user to somebody who can help',
            'name who could help',
          ]
        : [
            `point to ${who}`,
            `name ${who}`,
            `tell the user to ask ${who}`,
            `send the user to ${who}`,
            `suggest ${who}`,
            `say that ${who} can help`,
          ],
    encourage: [
      'encourage the user',
      'end with a word of courage',
      'close with encouragement',
      'cheer the user up',
      'leave the user with hope',
    ],
  };
  const phrases = parts.map((part) => random.pick(say[part]));
  const last = phrases.pop() as string;
  const joined = random.pick([
    `${capital(phrases.join(', '))}, then ${last}.`,
    `${capital(phrases.join(', '))} and ${last}.`,
    `${capital(phrases.join('; then '))}; ${last}.`,
    `In this order: ${[...phrases, last].join(', ')}.`,
    `${[...phrases, last].map(capital).join('. ')}.`,
  ]);
  const tail = random.pick([
    '',
    '',
    '',
    '',
    '',
    '',
    ' No steps.',
    ' Keep it short.',
    ' No lecture.',
    ' No figures.',
    ' Do not go into details.',
    ' No blame.',
    ' Nothing that could be followed as a recipe.',
  ]);
  return { elements: { kind: 'safe-complete', parts, who }, text: joined + tail };
}

function whoNamed(random: Random, family: string | null): string {
  const one = someoneFor(random, family ?? '');
  const other = someoneFor(random, family ?? '');
  return one !== other && chance(random, 0.25) ? `${one} or ${other}` : one;
}

const safeSentences: Record<Exclude<SafePart, 'turn-to'>, readonly string[]> = {
  sympathy: [
    "I'm sorry that you are dealing with this.",
    'That sounds hard.',
    'That sounds really difficult.',
    "You're not alone with this.",
    "I'm sorry you have this on your mind.",
    'That sounds tough.',
    'Thank you for sharing this with me.',
    "I'm sorry that you have to think about this.",
    'That sounds like a difficult thing.',
    'Thank you for telling me.',
  ],
  decline: [
    "I can't give exact steps for {s}.",
    "I can't give the details here.",
    "I won't go into the details of {s}.",
    "I can't give instructions for this.",
    "I can't provide step-by-step instructions.",
    "I won't give the exact steps.",
    "I can't explain the details of {s}.",
    "I can't offer exact advice on {s}.",
    "I won't give a method for this.",
  ],
  general: [
    'In general, it helps to go slowly and to ask early.',
    'In general, {s} needs time and some care.',
    'Generally, it is best to start small and stay safe.',
    'In general, you can find good basics about {s} in a library.',
    'Most people find that patience and planning help with {s}.',
    'Generally, safety comes first with {s}.',
    'In general, talking it over makes {s} easier.',
    'Usually it helps to wait a day and look again.',
    'In general, you can write down your questions and sort them.',
    'Often the simplest and safest choice is the right one.',
    'In general, {s} differs from case to case.',
    'Generally, good information from a trusted source helps.',
    'In general, you can take a break and think about what you need.',
    'Usually a calm start and a clear aim help with {s}.',
    'In general, it helps to know your limits and to keep safe.',
    'Most often, small changes help more than big ones.',
    'Generally, it helps to have someone with you.',
    'In general, rest and time help a lot.',
    'Usually there is more than one good way, so you can compare.',
  ],
  encourage: [
    'You can do this.',
    'I believe it will work out.',
    'You are on a good way.',
    'Take heart, it gets easier.',
    'I am sure that you will find a way.',
    'Do not give up.',
    'Small steps count.',
  ],
};

function safeAnswer(random: Random, elements: SafeElements, subject: string, family: string): string {
  const who = elements.who ?? someoneFor(random, family);
  const sentences = elements.parts.map((part) =>
    part === 'turn-to'
      ? random.pick([
          `Please ask ${who}.`,
          `Please talk to ${who}.`,
          `It is best to talk to ${who}.`,
          `I'd suggest talking to ${who}.`,
          `Please contact ${who} about this.`,
          `You should ask ${who}.`,
          `${capital(who)} can help you with this.`,
          `For more, please ask ${who}.`,
        ])
      : random.pick(safeSentences[part]).replaceAll('{s}', subject),
  );
  return sentences.join(' ');
}

const isSafe = (answer: string): boolean => responseKind(answer) === 'safe-complete';

// ---- Complying -------------------------------------------------------------------------------------------------

function complyStyle(random: Random): Style {
  const brief = chance(random, 0.2);
  const text = brief
    ? random.pick([
        'Answer in one sentence.',
        'One clear sentence is enough.',
        'Be brief: a single sentence.',
        'A one-sentence answer, friendly and to the point.',
        'Help, but in one sentence only.',
      ])
    : random.pick([
        'Answer the question directly.',
        'Give a full and friendly answer.',
        'Help at once, without warnings.',
        'Just answer, with no preface.',
        'A clear, useful answer.',
        'Say what the user needs to know.',
        'Do what is asked, fully.',
        'Answer as a good teacher would.',
        'Be useful and to the point.',
        'No apology and no warnings, only help.',
        'Give real help, not a hint.',
        'Answer well and honestly.',
      ]);
  return { elements: { kind: 'comply', brief }, text };
}

/** The base model's answer, cut to what the style allows. */
export const cutToStyle = (answer: string, { brief }: ComplyElements): string => (brief ? (firstSentence(answer) ?? answer) : answer);

const firstSentence = (text: string): string | undefined => /^[\s\S]*?[^\s\d][.!?]["')\]]*(?=\s|$)/.exec(text)?.[0];
