/**
 * Splits what a model wrote into chain of thought and answer. The RL judge must never see the chain of thought
 * (paper, section 2.4), so the rule is: the answer is what follows the last tag, and only if that tag surely closes.
 */

export interface SplitText {
  /** null: the text has no think tags at all. */
  cot: string | null;
  /** Empty where it cannot be told from the chain of thought. */
  answer: string;
  /** Anything but one plain pair of tags at the start, or no tags. */
  malformed: boolean;
}

/** Characters that show nothing and may hide in a tag. Each part below is one class repeated, so that matching takes linear time. */
const hidden = '\\s\\u00ad\\u200b-\\u200f\\u2060\\ufeff';
const spelled = (name: string) => [...name].join(`[${hidden}]*`);
const names = ['thinking', 'thoughts', 'thought', 'think', 'reasoning'].map(spelled).join('|');
const left = '(?:[<＜‹〈]|&(?:amp;)*lt;?|&#0*60;?|&#x0*3c;?|%3c|\\\\u003c|\\\\x3c)';
const right = '(?:[>＞›〉]|&(?:amp;)*gt;?|&#0*62;?|&#x0*3e;?|%3e|\\\\u003e|\\\\x3e)';

/** Everything that looks like a think tag: escaped, spaced, half of one, other names, special-token bars. */
export const tagLike = new RegExp(`${left}[${hidden}/|\\\\]*(?:${names})(?![A-Za-z])(?:[${hidden}/|\\\\]*${right})?`, 'giu');

/** A closing tag beyond doubt; case and inner white space may vary. */
const surelyCloses = /^<\s*\/\s*(?:think|thinking)\s*>$/iu;

/** The two pairs that are no doubt one. */
export const plainPair: readonly (readonly [string, string])[] = [
  ['<think>', '</think>'],
  ['<thinking>', '</thinking>'],
];

/**
 * @param text the whole assistant turn, prefill included
 */
export function splitCot(text: string): SplitText {
  const tags = [...text.matchAll(tagLike)];
  const last = tags.at(-1);
  if (!last) return { cot: null, answer: text.trim(), malformed: false };

  const answer = surelyCloses.test(last[0]) ? text.slice(last.index + last[0].length).trim() : '';
  const [open, close] = tags;
  const plain =
    tags.length === 2 &&
    open !== undefined &&
    close !== undefined &&
    plainPair.some(([opening, closing]) => open[0] === opening && close[0] === closing) &&
    text.slice(0, open.index).trim() === '';
  if (plain) return { cot: text.slice(open.index + open[0].length, close.index).trim(), answer, malformed: false };

  const beforeAnswer = answer === '' ? text : text.slice(0, last.index);
  return { cot: beforeAnswer.replace(tagLike, '\n').trim(), answer, malformed: true };
}

/** An assistant turn that has thought and not yet answered: as a prefill, what the model goes on from. */
export const thoughtTurn = (cot: string): string => `<think>\n${cot}\n</think>`;

/** The assistant turn that `splitCot` takes apart again. */
export const joinCot = (cot: string, answer: string): string => `${thoughtTurn(cot)}\n${answer}`;
