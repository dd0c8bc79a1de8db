/** What may not happen when a CoT is cut off: that any of it reaches a judge. Properties of splitCot over texts made to break it. */
import fc from 'fast-check';
import { joinCot, splitCot, tagLike } from '../src/lm/split-cot.js';
import { times, type FaultOptions, type Figures } from './section.js';

export const fullTexts = 100_000;

const lefts = ['<', '＜', '‹', '〈', '&lt;', '&lt', '&amp;lt;', '&#60;', '&#x3c;', '%3C', '\\u003c', '\\x3c'];
const rights = ['>', '＞', '›', '〉', '&gt;', '&amp;gt;', '&#62;', '&#x3e;', '%3E', '\\u003e', '\\x3e', ''];
const names = ['think', 'thinking', 'thought', 'thoughts', 'reasoning', 'THINK', 'tHiNk', 't\u200bhink', 'th ink', 'think\u00ad'];
const insides = ['', '/', ' / ', '|', '/|', '\\/', '\ufeff'];

/** All shapes of tags that the splitter knows of. */
export const tagShapes: readonly string[] = lefts.flatMap((left) =>
  rights.flatMap((right) => names.flatMap((name) => insides.map((inside) => `${left}${inside}${name}${right}`))),
);

/** Those that what follows cannot turn into a longer word. */
const whole = new Set(tagShapes.filter((shape) => !/[\p{L}\u00ad\u200b]$/u.test(shape)));

/** Texts that were split into CoT and answer without a fault. */
let joined = 0;

const word = fc.nat(1e6).map((n) => ` w${n}w `);
const noise = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('<', '>', '/', '\\', '&', '&amp;', '&lt;', '%3c', '|', 'think', '\u200b', '\n', '</', '<thinker>', '##123', '\ud800'),
);
const tag = fc.constantFrom(...tagShapes, '<think>', '</think>', '<thinking>', '</thinking>', '<think/>');
const pieces = fc.array(fc.oneof(tag, word, noise), { maxLength: 16 });

/** Random pieces hardly ever make a text that is not malformed. */
const wellFormed = fc
  .tuple(fc.array(word, { minLength: 1 }), fc.array(word, { minLength: 1 }))
  .map(([cot, answer]) => ['<think>', ...cot, '</think>', ...answer]);

/** By name; each throws, or gives false, where it does not hold. */
const properties: Record<string, fc.IPropertyWithHooks<[string[]]>> = {
  'the answer is the end of the text, and holds nothing like a tag': fc.property(pieces, (parts) => {
    const text = parts.join('');
    const { answer } = splitCot(text);
    return text.trimEnd().endsWith(answer) && answer.match(tagLike) === null;
  }),
  'no word before the last tag is in the answer': fc.property(pieces, (parts) => {
    const last = parts.findLastIndex((part) => whole.has(part));
    const { answer } = splitCot(parts.join(''));
    return parts
      .slice(0, Math.max(0, last))
      .every((part) => !/^ w\d+w $/.test(part) || !answer.includes(part.trim()) || parts.slice(last).includes(part));
  }),
  'a text with a tag has a CoT or no answer, and one without is all answer': fc.property(pieces, (parts) => {
    const text = parts.join('');
    const { cot, answer } = splitCot(text);
    return text.match(tagLike) === null ? cot === null && answer === text.trim() : cot !== null;
  }),
  'what is not malformed is put together again as it was': fc.property(fc.oneof(pieces, wellFormed), (parts) => {
    const split = splitCot(parts.join(''));
    if (split.malformed || split.cot === null) return true;
    joined++;
    const again = splitCot(joinCot(split.cot, split.answer));
    return again.cot === split.cot && again.answer === split.answer && !again.malformed;
  }),
  'the answer is split into nothing more': fc.property(pieces, (parts) => splitCot(splitCot(parts.join('')).answer).cot === null),
};

export function thinkTags(options: FaultOptions): Promise<Figures> {
  const failures: string[] = [];
  const numRuns = times(fullTexts, options);
  for (const [name, property] of Object.entries(properties)) {
    const result = fc.check(property, { numRuns, seed: options.seed });
    if (result.failed)
      failures.push(`${name}: not for ${JSON.stringify(result.counterexample)} (seed ${result.seed}, path ${result.counterexamplePath})`);
    options.say(`${name}: ${result.numRuns} texts`);
  }
  if (joined === 0) failures.push('no text was well-formed, so that nothing was put together again');
  let missed = 0;
  for (const shape of tagShapes) {
    const { cot, answer } = splitCot(`secret${shape} rest`);
    if (cot === null || answer.includes('secret')) {
      missed++;
      if (missed <= 5) failures.push(`${JSON.stringify(shape)} is not seen as a tag`);
    }
  }
  const slow = [
    '<'.repeat(1e6),
    '< '.repeat(5e5),
    '&amp;'.repeat(2e5),
    `<${' '.repeat(1e6)}`,
    `<${'/|'.repeat(5e5)}`,
    '<think'.repeat(2e5),
    '<t h i n '.repeat(1e5),
  ].map((text) => {
    const start = process.cpuUsage();
    splitCot(text);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e6;
  });
  const slowest = Math.max(...slow);
  if (slowest > 5) failures.push(`a text of a million characters takes ${slowest.toFixed(1)} s`);
  return Promise.resolve({
    lines: [
      `${Object.keys(properties).length} properties on ${numRuns} texts each: ${Object.keys(properties).join('; ')} (${joined} were not malformed).`,
      `${tagShapes.length} shapes of a tag (escaped, spaced, half, hidden characters, other names): ${missed} not seen. Texts of a million characters made to be slow: at most ${slowest.toFixed(2)} s.`,
    ],
    failures,
  });
}
