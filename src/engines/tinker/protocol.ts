/** The Tinker protocol's messages: what we send, and what we read of the answers (api/v1, JSON). */
import { z } from 'zod';
import type { Datum, LossFunction } from '../types.js';

export const Taken = z.looseObject({ request_id: z.coerce.string() });
export const CreatedSession = z.looseObject({ session_id: z.string() });
export const CreatedModel = Taken.extend({ model_id: z.string() });
export const Capabilities = z.looseObject({ supported_models: z.array(z.looseObject({ model_name: z.string().nullish() })) });
/** For results of which nothing is used. */
export const Anything = z.unknown();

const Numbers = z.looseObject({ data: z.array(z.number()) });
export const PassResult = z.looseObject({ loss_fn_outputs: z.array(z.looseObject({ logprobs: Numbers })) });
export const StepResult = z.looseObject({ metrics: z.record(z.string(), z.unknown()).nullish() }).nullable();
export const SavedPath = z.looseObject({ path: z.string().startsWith('tinker://') });
export const SampleResult = z.looseObject({
  sequences: z.array(
    z.looseObject({ tokens: z.array(z.int()), logprobs: z.array(z.number()).nullish(), stop_reason: z.enum(['stop', 'length']) }),
  ),
  prompt_logprobs: z.array(z.number().nullable()).nullish(),
});
export type SampleResult = z.infer<typeof SampleResult>;

/** Where a model's weights for sampling are. */
export type Weights = { base_model: string } | { model_path: string };

export interface SampleBody {
  prompt: { chunks: object[] };
  num_samples: number;
  sampling_params: {
    max_tokens: number;
    temperature?: number;
    top_p?: number;
    top_k?: number;
    seed?: number;
    /** All token ids, or all texts. */
    stop?: number[] | string[];
  };
  prompt_logprobs?: boolean;
}

export const modelInput = (tokens: readonly number[]) => ({ chunks: [{ type: 'encoded_text', tokens }] });

const tensor = (dtype: 'int64' | 'float32', data: readonly number[]) => ({ dtype, shape: [data.length], data });

/** How a service adds up the losses of one sequence's targets: their sum (Tinker), or that divided by the sum of the weights (SkyRL tx on JAX). */
export type LossReduction = 'sum' | 'mean';

/**
 * One sequence. The losses of RL are given no weights, for not every service takes them: they are multiplied into the advantages,
 * which comes to the same, as each of these losses is proportional to them. Without weights every target weighs 1, so a service
 * that divides by their sum divides by the length, and this is made up for as well. For cross_entropy it cannot be: there
 * such a service weighs sequences alike, whatever their lengths.
 */
export function datumJson({ tokens, targets, weights, advantages, logprobs }: Datum, loss: LossFunction, reduction: LossReduction): object {
  const scale = reduction === 'mean' ? targets.length : 1;
  const inputs =
    loss === 'cross_entropy'
      ? { weights: tensor('float32', weights) }
      : {
          advantages: tensor(
            'float32',
            weights.map((weight, t) => weight * scale * (advantages?.[t] ?? 0)),
          ),
          logprobs: tensor('float32', logprobs ?? []),
        };
  return { model_input: modelInput(tokens), loss_fn_inputs: { target_tokens: tensor('int64', targets), ...inputs } };
}

/** Requests of no more sequences and tokens than this; gradients add up over requests. */
const mostSequences = 128;
const mostTokens = 200_000;

export function inRequests(data: readonly Datum[]): Datum[][] {
  const requests: Datum[][] = [];
  let tokens = 0;
  for (const datum of data) {
    const last = requests.at(-1);
    if (last === undefined || last.length === mostSequences || tokens + datum.tokens.length > mostTokens) {
      requests.push([datum]);
      tokens = datum.tokens.length;
    } else {
      last.push(datum);
      tokens += datum.tokens.length;
    }
  }
  return requests;
}
