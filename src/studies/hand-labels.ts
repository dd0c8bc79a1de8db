/** The outputs labelled by hand (data/labelled-outputs.jsonl) as answers that a judge can be calibrated on. */
import type { Config } from '../base/config.js';
import { contentId, type Prompt } from '../base/records.js';
import { answerKind } from '../evals/graders.js';
import type { LabelledOutput } from '../evals/grader-agreement.js';
import { splitCot } from '../lm/split-cot.js';
import { techniques } from '../prompts/jailbreaks/wrap.js';
import type { JudgeItem } from './judge-items.js';

/** What a label says of an answer holds for the prompts it was given on, and for the specification that gave these their ideal kinds. */
export const handLabelsHold = (config: Pick<Config, 'spec' | 'prompts'>): boolean =>
  config.spec === undefined && config.prompts.file === undefined;

export interface JoinedLabels {
  items: JudgeItem[];
  /** Outputs whose prompt is none of these: those that taught the reasoner have neither a category nor an ideal kind. */
  unknownPrompt: number;
  /** Gibberish by the rules and empty answers, which never reach a judge. */
  neverJudged: number;
}

/** Good = the kind given by hand is the ideal kind of the prompt. Style is not in it, nor whether what it says is right. */
export function joinLabels(outputs: readonly LabelledOutput[], prompts: readonly Prompt[]): JoinedLabels {
  const joined: JoinedLabels = { items: [], unknownPrompt: 0, neverJudged: 0 };
  const asked = byLastMessage(prompts);
  for (const { prompt: text, output, kind } of outputs) {
    const { answer } = splitCot(output);
    const prompt = promptOf(text, asked);
    if (prompt?.ideal === undefined || prompt.category === undefined) joined.unknownPrompt++;
    else if (answerKind({ cot: null, answer, stopReason: 'stop', request: text }) === 'gibberish') joined.neverJudged++;
    else {
      const messages = [...prompt.messages.slice(0, -1), { role: 'user' as const, content: text }];
      joined.items.push({
        id: contentId('item', messages, answer),
        request: prompt.request,
        messages,
        category: prompt.category,
        answer,
        good: kind === prompt.ideal,
      });
    }
  }
  return joined;
}

/** Plain prompts by what the user says last; null where conversations that differ end on the same words. */
function byLastMessage(prompts: readonly Prompt[]): ReadonlyMap<string, Prompt | null> {
  const found = new Map<string, Prompt | null>();
  for (const prompt of prompts) {
    if (prompt.technique !== 'none') continue;
    const text = prompt.messages.at(-1)!.content;
    found.set(text, found.has(text) ? null : prompt);
  }
  return found;
}

/** The prompt that a text is, or that a technique wrapped: the request is taken out of the wrapper, never guessed from words in common. */
function promptOf(text: string, asked: ReadonlyMap<string, Prompt | null>): Prompt | null {
  const plain = asked.get(text);
  if (plain !== undefined) return plain;
  for (const technique of techniques.values()) {
    const request = technique.recover(text);
    const prompt = request === null ? undefined : asked.get(request);
    if (prompt != null) return prompt;
  }
  return null;
}
