/** A model under another budget of thought, as a model: so that every suite asks it as it asks any other. */
import { Random } from '../base/random.js';
import type { Message } from '../base/records.js';
import { expectedGrade } from '../align/judge-by-grades.js';
import { gradePrefill, grades, gradeTurn, pickDelimiter } from '../align/judge-turns.js';
import { responseKind } from '../align/response-kind.js';
import { seedFrom } from '../align/stage.js';
import type { ChatChoice, ChatModel, ChatRequest } from '../engines/types.js';
import { joinCot, splitCot, thoughtTurn } from '../lm/split-cot.js';

export type Budget =
  | { kind: 'natural' }
  /** The CoT is cut after so many tokens. */
  | { kind: 'shorter'; tokens: number }
  /** A CoT that has ended is made to go on, so many times. */
  | { kind: 'longer'; rounds: number }
  /** Of n samples the one that the model itself grades best. */
  | { kind: 'best-of'; n: number };

export function budgetName(budget: Budget): string {
  switch (budget.kind) {
    case 'natural':
      return 'natural';
    case 'shorter':
      return budget.tokens === 0 ? 'no CoT' : `at most ${budget.tokens} tokens`;
    case 'longer':
      return `${budget.rounds} more round${budget.rounds === 1 ? '' : 's'}`;
    case 'best-of':
      return `best of ${budget.n}`;
  }
}

/** The words by which a finished CoT is made to go on. */
export const nudge = 'Let me check once more which policy covers this.';
/** Best of n needs samples that differ. */
const sampling = 0.7;

export const withBudget = (model: ChatModel, budget: Budget): ChatModel => ({
  ...model,
  name: `${model.name}, ${budgetName(budget)}`,
  async chat(request) {
    const choice = await one(model, request, budget);
    return { choices: [choice], usage: { promptTokens: 0, completionTokens: choice.tokens } };
  },
});

async function one(model: ChatModel, request: ChatRequest, budget: Budget): Promise<ChatChoice> {
  switch (budget.kind) {
    case 'natural':
      return ask(model, request);
    case 'shorter': {
      const cot = budget.tokens === 0 ? { text: '', tokens: 0 } : await cutCot(model, request, budget.tokens);
      return answerAfter(model, request, cot.text, cot.tokens);
    }
    case 'longer':
      return longer(model, request, budget.rounds);
    case 'best-of':
      return bestOf(model, request, budget.n);
  }
}

async function ask(model: ChatModel, request: ChatRequest): Promise<ChatChoice> {
  const { choices } = await model.chat(request);
  return choices[0] ?? { text: '', stopReason: 'error', tokens: 0 };
}

const bare = (text: string): string =>
  text
    .replace(/^\s*<think>\s*/, '')
    .replace(/\s*<\/think>[\s\S]*$/, '')
    .trim();

async function cutCot(model: ChatModel, request: ChatRequest, tokens: number): Promise<{ text: string; tokens: number }> {
  // The opening tag is not thought.
  const tag = 4;
  const begun = await ask(model, { ...request, maxTokens: Math.min(tokens + tag, request.maxTokens), stop: ['</think>'] });
  return { text: bare(begun.text), tokens: begun.tokens };
}

/** The answer that follows a CoT which is put into the model's mouth. At least half of the tokens are left to it. */
async function answerAfter(model: ChatModel, request: ChatRequest, cot: string, used: number): Promise<ChatChoice> {
  const prefill: Message = { role: 'assistant', content: thoughtTurn(cot) };
  const maxTokens = Math.max(Math.ceil(request.maxTokens / 2), request.maxTokens - used);
  const said = await ask(model, { ...request, messages: [...request.messages, prefill], maxTokens });
  return { ...said, text: joinCot(cot, said.text.trim()), tokens: used + said.tokens };
}

async function longer(model: ChatModel, request: ChatRequest, rounds: number): Promise<ChatChoice> {
  const natural = await ask(model, request);
  const { cot: first, malformed } = splitCot(natural.text);
  // What never ended needs no forcing.
  if (first === null || malformed || natural.stopReason !== 'stop') return natural;
  let [cot, tokens] = [first, natural.tokens];
  for (let round = 0; round < rounds; round++) {
    const prefill: Message = { role: 'assistant', content: `<think>\n${cot}\n${nudge}` };
    const more = await ask(model, { ...request, messages: [...request.messages, prefill], stop: ['</think>'] });
    cot = `${cot}\n${nudge}\n${bare(more.text)}`.trim();
    tokens += more.tokens;
  }
  const answered = await answerAfter(model, request, cot, 0);
  return { ...answered, tokens: tokens + answered.tokens };
}

async function bestOf(model: ChatModel, request: ChatRequest, n: number): Promise<ChatChoice> {
  const { choices } = await model.chat({
    ...request,
    n,
    temperature: Math.max(sampling, request.temperature ?? sampling),
    seed: request.seed ?? 0,
  });
  const tokens = choices.reduce((sum, choice) => sum + choice.tokens, 0);
  const graded = await Promise.all(choices.map(async (choice) => ({ choice, grade: await selfGrade(model, request, choice.text) })));
  const highest = Math.max(...graded.map(({ grade }) => grade ?? -1));
  const best = highest < 0 ? ofMajority(choices) : graded.find(({ grade }) => grade === highest)!.choice;
  return best === undefined ? { text: '', stopReason: 'error', tokens } : { ...best, tokens };
}

/**
 * The model grades its own answer by what its CoT decided, as the embedded judge does, but with no specification before it. Null
 * for what is malformed, and where the engine gives no log-probabilities.
 */
async function selfGrade(model: ChatModel, { messages, signal }: ChatRequest, text: string): Promise<number | null> {
  const { cot, answer, malformed } = splitCot(text);
  if (model.choiceLogprobs === undefined || cot === null || malformed || answer === '') return null;
  const delimiter = pickDelimiter(new Random(seedFrom('self-grade', messages, text)), answer);
  const logprobs = await model.choiceLogprobs({
    messages: [
      ...messages,
      { role: 'assistant', content: thoughtTurn(cot) },
      { role: 'user', content: gradeTurn({ answer, delimiter, wording: 0 }) },
      { role: 'assistant', content: gradePrefill },
    ],
    choices: grades,
    ...(signal && { signal }),
  });
  return expectedGrade(logprobs);
}

/** Where nothing can be graded: the first answer of the kind that most have. */
function ofMajority(choices: readonly ChatChoice[]): ChatChoice | undefined {
  const kinds = choices.map(({ text }) => responseKind(splitCot(text).answer));
  const votes = (kind: string) => kinds.filter((other) => other === kind).length;
  const most = Math.max(0, ...kinds.map(votes));
  return choices.find((_, i) => votes(kinds[i]!) === most);
}
