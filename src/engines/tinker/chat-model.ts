/** Chat models over a service that takes tokens and gives tokens. */
import { dependencyError, inputError } from '../../base/errors.js';
import type { ModelRenderer } from '../../lm/chat-template.js';
import { cutAtStop } from '../../lm/text-stream.js';
import type { ChatModel, SampledSequence, SamplingParams } from '../types.js';
import { modelInput, type SampleBody, type SampleResult } from './protocol.js';

/** Samples of certain weights. */
export type Ask = (body: SampleBody, signal?: AbortSignal) => Promise<SampleResult>;

/** What ends the assistant's turn, as ids and as texts: a request takes stops of one kind only. */
export interface StopTokens {
  ids: number[];
  texts: string[];
}

/** Services count seeds in 31 bits, and add the number of the sample. */
const seedRange = 2_000_000_000;

export function sampleBody(promptTokens: readonly number[], n: number, params: SamplingParams, stops: StopTokens): SampleBody {
  const { maxTokens, temperature = 1, topP = 1, topK = -1, stop = [], stopAfter, seed } = params;
  return {
    prompt: modelInput(promptTokens),
    num_samples: n,
    sampling_params: {
      max_tokens: maxTokens,
      temperature,
      top_p: topP,
      top_k: topK,
      ...(seed !== undefined && { seed: seed % seedRange }),
      // Stop strings that count from some place on are looked for here, when the text is there.
      stop: stop.length > 0 && stopAfter === undefined ? [...stop, ...stops.texts] : stops.ids,
    },
  };
}

export const sequencesOf = ({ sequences }: SampleResult): SampledSequence[] =>
  sequences.map(({ tokens, logprobs, stop_reason }) => ({ tokens, logprobs: logprobs ?? [], stopReason: stop_reason }));

/** Services that stop at texts may miss the end of the turn, which has none: cut there. */
function endTurn(sequence: SampledSequence, stops: StopTokens): SampledSequence {
  const at = sequence.tokens.findIndex((token) => stops.ids.includes(token));
  return at === -1 ? sequence : { ...sequence, tokens: sequence.tokens.slice(0, at + 1), stopReason: 'stop' };
}

export interface RemoteChatOptions {
  name: string;
  renderer: ModelRenderer;
  stops: StopTokens;
  ask: Ask;
}

export function remoteChatModel({ name, renderer, stops, ask }: RemoteChatOptions): ChatModel {
  return {
    name,
    async chat(request) {
      const { messages, n = 1, signal } = request;
      const promptTokens = renderer.promptTokens(messages);
      const sampled = sequencesOf(await ask(sampleBody(promptTokens, n, request, stops), signal));
      const choices = sampled.map((sequence) => {
        const { tokens, stopReason } = endTurn(sequence, stops);
        const whole = renderer.decode(tokens);
        const text = cutAtStop(whole, request.stop ?? [], request.stopAfter);
        return { text, stopReason: text.length < whole.length ? ('stop' as const) : stopReason, tokens: tokens.length };
      });
      const completionTokens = choices.reduce((sum, { tokens }) => sum + tokens, 0);
      return { choices, usage: { promptTokens: promptTokens.length, completionTokens } };
    },
    /** Each choice is read off as the last token of a prompt. */
    async choiceLogprobs({ messages, choices, signal }) {
      const promptTokens = renderer.promptTokens(messages);
      return Promise.all(
        choices.map(async (choice) => {
          const [token, ...more] = renderer.encode(choice);
          if (token === undefined || more.length > 0) throw inputError(`choice "${choice}" is not one token of this model`);
          const body = { ...sampleBody([...promptTokens, token], 1, { maxTokens: 1, temperature: 0 }, stops), prompt_logprobs: true };
          const logprob = (await ask(body, signal)).prompt_logprobs?.at(-1);
          if (typeof logprob === 'number') return logprob;
          throw dependencyError(
            `${name}: the service gives no prompt_logprobs, by which grades are read. Give the judge a server of its own (judge.engine, judge.baseUrl, judge.model).`,
          );
        }),
      );
    },
  };
}
