/** Training sequences of the reader: which tokens count, and how much. */
import type { Message } from '../../src/base/records.js';
import type { ModelRenderer } from '../../src/lm/chat-template.js';
import type { Datum } from '../../src/lm/types.js';
import type { TrainingExample, TrainingGroup } from './group.js';

/**
 * Loss weights a token, relative to the reasoning's own. Reading is a handful of choices (does a clause apply, which one,
 * is a style due, what follows); the rest of a line is copied and soon costs nothing. Answers are one of many good ones, so
 * their loss stays high whatever is learnt, and at full weight it drowns the choices (docs/LOG.md).
 */
export const weights = {
  reasoning: 1,
  choice: 4,
  answer: 0.3,
  ownAnswer: 0.08,
  opening: 0.8,
  verdict: 1,
  found: 6,
  grade: 6,
} as const;
/** So that the gradient of a step has a norm near one. */
const scale = 1 / 64;

/** The conversation that the model sees. */
export const promptOf = (group: TrainingGroup, example: TrainingExample): Message[] => [
  ...(group.system === null ? [] : [{ role: 'system' as const, content: group.system }]),
  ...example.messages,
];

export interface ReaderDatum extends Datum {
  /** Positions of the tokens that choose. */
  choices: number[];
  /** Position of the grade, where there is one. */
  grade: number[];
}

export function datumOf(renderer: ModelRenderer, group: TrainingGroup, example: TrainingExample): ReaderDatum {
  const messages = promptOf(group, example);
  const sharedPrefix = group.system === null ? 0 : renderer.prefixTokens(messages, 1).length;
  if (example.kind !== 'grade') {
    const prompt = renderer.promptTokens(messages);
    const [cot = '', answer] = example.completion.split(/(?<=<\/think>\n)/);
    // A completion without an answer is not over: its end must not be learnt.
    const all = [...prompt, ...renderer.completionTokens(example.completion, answer !== undefined)];
    const byToken = new Float64Array(all.length);
    const choices = weighCot(renderer, byToken, prompt.length, cot);
    const end = prompt.length + renderer.completionTokens(cot, false).length;
    byToken.fill(example.meta.decision === 'comply' ? weights.ownAnswer : weights.answer, end);
    // How an answer begins must be learnt: without it a decision to comply was followed by a refusal (docs/LOG.md).
    if (answer !== undefined) byToken.fill(weights.opening, end, Math.min(all.length, end + 8));
    return { ...shifted(all, byToken, choices, sharedPrefix), grade: [] };
  }
  // The reading stands in the conversation before the grade turn: it is learnt in the same pass.
  const prompt = renderer.promptTokens(messages);
  const asked = renderer.promptTokens(messages.slice(0, -2));
  const all = [...prompt, ...renderer.completionTokens(example.completion)];
  const byToken = new Float64Array(all.length);
  const cot = messages.at(-2)?.content ?? '';
  const choices = weighCot(renderer, byToken, asked.length, cot);
  const tokensOf = (text: string) => renderer.completionTokens(text, false).length;
  byToken.fill(weights.verdict, prompt.length);
  for (const { index } of example.completion.matchAll(/(?<=(?:Wanted|Got|Style|Reasoning):) /g)) {
    byToken[prompt.length + tokensOf(example.completion.slice(0, index))] = weights.found;
  }
  const grade = all.length - 2;
  byToken[grade] = weights.grade;
  return { ...shifted(all, byToken, choices, sharedPrefix), grade: [grade - 1] };
}

/** Where a choice is made, as the text before it; three tokens follow it in which subjects and codes still differ. */
const choicePoints = [/(?<=\nPolicy on )/g, /(?<=\][^\n]*\n)/g, /(?<=\nStyle for )/g, /(?<=\nDecision: )/g];

function weighCot(renderer: ModelRenderer, byToken: Float64Array, start: number, cot: string): number[] {
  const tokensOf = (text: string) => renderer.completionTokens(text, false).length;
  byToken.fill(weights.reasoning, start, start + tokensOf(cot));
  const choices: number[] = [];
  for (const point of choicePoints) {
    const at = [...cot.matchAll(point)].map((match) => match.index);
    for (const index of at) {
      const long = point.source.includes('Policy on ') ? 3 : 1;
      // A token that begins with the space before it begins one character earlier.
      const token = start + tokensOf(cot.slice(0, index).replace(/ $/, ''));
      for (let i = token; i < token + long; i++) {
        byToken[i] = weights.choice;
        choices.push(i);
      }
    }
  }
  return choices;
}

const shifted = (all: number[], byToken: Float64Array, choices: number[], sharedPrefix: number): Omit<ReaderDatum, 'grade'> => ({
  tokens: all.slice(0, -1),
  targets: all.slice(1),
  weights: [...byToken.subarray(1)].map((weight) => weight * scale),
  sharedPrefix,
  choices: choices.map((i) => i - 1),
});
