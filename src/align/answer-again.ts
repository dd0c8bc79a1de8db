/**
 * Further answers behind a CoT that holds. A small base often decides well and then does something else: without this the whole
 * completion is lost for its last sentence. Sampling answers behind the CoT and keeping the first that fits draws from the same
 * distribution as sampling whole completions until one with this CoT fits, and costs about a quarter of it. Ours, not the paper's.
 */
import { Checks, lastRequest, type Completion, type Prompt } from '../base/records.js';
import type { ChatModel, ChatRequest } from '../engines/types.js';
import { thoughtTurn } from '../lm/split-cot.js';
import { checkCompletion, failedChecks } from './check.js';
import type { Spec } from './spec/types.js';
import { categoryOf, seedFrom } from './stage.js';

/** Whether everything that the CoT says holds, and only the answer is of another kind than it decided. */
export const lacksOnlyAnswer = (completion: Completion): completion is Completion & { cot: string } =>
  completion.cot !== null && failedChecks(completion.checks, Checks.keyof().options).join() === 'answerMatchesDecision';

/**
 * The completion with the first of `request.n` further answers that does what its CoT decided; as it was, where none does.
 * @returns null where the engine failed before one was found: nothing is kept then, and going on asks again
 */
export async function answerAgain(
  model: ChatModel,
  request: ChatRequest,
  completion: Completion & { cot: string },
  { prompt, spec, seed }: { prompt: Prompt; spec: Spec; seed: number },
): Promise<Completion | null> {
  const { cot, sample } = completion;
  const { choices } = await model.chat({
    ...request,
    messages: [...request.messages, { role: 'assistant', content: thoughtTurn(cot) }],
    seed: seedFrom('answer again', seed, prompt.id, sample),
  });
  for (const [i, { text, stopReason }] of choices.entries()) {
    if (stopReason === 'error') return null;
    const answer = text.trim();
    const input = { cot, answer, request: lastRequest(prompt.messages), malformed: false, stopReason, spec, category: categoryOf(prompt) };
    const { checks } = checkCompletion(input);
    if (checks.wellFormed && checks.answerMatchesDecision === true)
      return { ...completion, answer, stopReason, checks, answersTried: i + 2 };
  }
  return { ...completion, answersTried: choices.length + 1 };
}
