/** Cuts the chain of thought off an answer that some other program's model wrote, before a judge sees it (paper, section 2.4). */
import { splitCot } from '../lm/split-cot.js';

export interface CutAnswer {
  /** Empty where it cannot be told from a CoT. */
  answer: string;
  /** Tags that are not one plain pair before the answer, nor the end of a pair that the prompt's template began. */
  malformed: boolean;
}

/** Names that `splitCot` knows; then those of other families. */
const known = 'thinking|thoughts?|think|reasoning';
const foreign = 'analysis|reflection|scratch_?pad|inner_?monologue|cot';

/** Other families' tags, as they are written by those models, with what they stand for. */
const spellings: readonly (readonly [RegExp, string])[] = [
  [/<\|channel\|>\s*analysis\s*<\|message\|>/giu, '<think>'],
  [/<\|channel\|>\s*final\s*<\|message\|>/giu, '</think>'],
  [new RegExp(`(?:<(?:${known}|${foreign})>|\\[(?:${known})\\]|◁(?:${known})▷|<\\|begin_of_(?:${known})\\|>)`, 'giu'), '<think>'],
  [new RegExp(`(?:</(?:${known}|${foreign})>|\\[/(?:${known})\\]|◁/(?:${known})▷|<\\|end_of_(?:${known})\\|>)`, 'giu'), '</think>'],
  // What only looks like one, escaped or half: it takes the answer with it, see below.
  [
    new RegExp(
      `(?:[[◁【〔][\\s/|]*(?:${known})[\\s/|]*[\\]▷】〕]|(?:[<＜‹〈]|&(?:amp;)*lt;?|&#0*60;?|&#x0*3c;?|%3c|\\\\u003c|\\\\x3c)[\\s/|]*(?:${foreign})(?![A-Za-z])(?:[\\s/|]*>)?|<\\|[^<>|\\s]{0,20}(?:${known}|channel)[^<>|\\s]{0,20}\\|>)`,
      'giu',
    ),
    '<think|>',
  ],
];

/**
 * Tags of other families are first spelled as `<think>`, so that one splitter decides. A tag that does not close for sure takes
 * the answer with it: too little shown to a judge is a wrong score for one answer, too much would train CoTs to please it.
 */
export function cutCot(text: string): CutAnswer {
  const plain = spellings.reduce((spelled, [pattern, tag]) => spelled.replace(pattern, tag), text);
  const { cot, answer, malformed } = splitCot(plain);
  if (cot === null) return { answer, malformed: false };
  // Templates that open the tag in the prompt leave the closing one alone in the completion.
  const closesOnly = !splitCot(`<think>${plain}`).malformed;
  return { answer, malformed: answer === '' || (malformed && !closesOnly) };
}
