/** LlamaConfig from config.json of a Hugging Face folder or from GGUF metadata; what the engine cannot run is refused here. */
import { z } from 'zod';
import { inputError } from '../base/errors.js';
import type { LlamaConfig } from './config.js';
import type { GgufValue } from './gguf-header.js';

const size = z
  .int()
  .min(1)
  .max(1 << 24);
const TokenIds = z.union([z.int(), z.array(z.int())]).nullish();
const Rope = z.looseObject({
  rope_theta: z.number().optional(),
  rope_type: z.string().optional(),
  type: z.string().optional(),
  factor: z.number().optional(),
  low_freq_factor: z.number().optional(),
  high_freq_factor: z.number().optional(),
  original_max_position_embeddings: z.number().optional(),
});

const ConfigJson = z.looseObject({
  model_type: z.string(),
  vocab_size: size,
  hidden_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  intermediate_size: size,
  rms_norm_eps: z.number().positive(),
  rope_theta: z.number().positive().optional(),
  rope_scaling: Rope.nullish(),
  rope_parameters: Rope.nullish(),
  partial_rotary_factor: z.number().optional(),
  tie_word_embeddings: z.boolean().optional(),
  max_position_embeddings: size,
  hidden_act: z.string().optional(),
  attention_bias: z.boolean().optional(),
  mlp_bias: z.boolean().optional(),
  use_sliding_window: z.boolean().optional(),
  quantization_config: z.unknown().optional(),
  bos_token_id: TokenIds,
  eos_token_id: TokenIds,
});

const architectures = ['llama', 'qwen2', 'qwen3'] as const;

/**
 * @param generation generation_config.json, whose end tokens count as well
 * @throws input error for another architecture or a feature that the engine has not
 */
export function configFromJson(json: unknown, where: string, generation?: unknown): LlamaConfig {
  const modelType = (json as { model_type?: unknown } | null)?.model_type;
  const architecture = knownArchitecture(modelType, where);
  const parsed = ConfigJson.safeParse(json);
  if (!parsed.success) throw inputError(`${where} is not a usable model configuration:\n${z.prettifyError(parsed.error)}`);
  const c = parsed.data;
  const refuse = (feature: string) =>
    inputError(`${where}: this model has ${feature}, which the embedded engine cannot run. Use another checkpoint.`);
  if (c.quantization_config != null) throw refuse('quantized weights (quantization_config)');
  if (c.hidden_act !== undefined && c.hidden_act !== 'silu') throw refuse(`the activation ${c.hidden_act}`);
  if (c.attention_bias && architecture !== 'qwen2') throw refuse('biases in attention (attention_bias)');
  if (c.mlp_bias) throw refuse('biases in the feed-forward layers (mlp_bias)');
  if (c.use_sliding_window) throw refuse('sliding-window attention');
  if (c.partial_rotary_factor !== undefined && c.partial_rotary_factor !== 1) throw refuse('partial rotary embeddings');
  const rope = c.rope_parameters ?? c.rope_scaling ?? {};
  const ropeScaling = llama3Scaling(rope, refuse);
  const end = z.looseObject({ eos_token_id: TokenIds }).safeParse(generation ?? {});
  const bos = [c.bos_token_id].flat()[0];
  return checked(
    {
      architecture,
      vocabSize: c.vocab_size,
      hiddenSize: c.hidden_size,
      layers: c.num_hidden_layers,
      heads: c.num_attention_heads,
      kvHeads: c.num_key_value_heads ?? c.num_attention_heads,
      headDim: c.head_dim ?? c.hidden_size / c.num_attention_heads,
      ffnSize: c.intermediate_size,
      rmsEps: c.rms_norm_eps,
      ropeTheta: rope.rope_theta ?? c.rope_theta ?? 10000,
      ...(ropeScaling && { ropeScaling }),
      tiedEmbeddings: c.tie_word_embeddings ?? false,
      qkvBias: architecture === 'qwen2',
      qkNorm: architecture === 'qwen3',
      maxPositions: c.max_position_embeddings,
      ...(bos != null && { bosToken: bos }),
      eosTokens: [...new Set([c.eos_token_id, end.success ? end.data.eos_token_id : null].flat().filter((id) => id != null))],
    },
    where,
  );
}

function llama3Scaling(rope: z.infer<typeof Rope>, refuse: (feature: string) => Error): LlamaConfig['ropeScaling'] {
  const type = rope.rope_type ?? rope.type ?? 'default';
  if (type === 'default') return undefined;
  const {
    factor,
    low_freq_factor: lowFreqFactor,
    high_freq_factor: highFreqFactor,
    original_max_position_embeddings: originalMaxPositions,
  } = rope;
  if (
    type !== 'llama3' ||
    factor === undefined ||
    lowFreqFactor === undefined ||
    highFreqFactor === undefined ||
    originalMaxPositions === undefined
  ) {
    throw refuse(`rotary scaling of type ${type}`);
  }
  return { factor, lowFreqFactor, highFreqFactor, originalMaxPositions };
}

/** Sizes from `<architecture>.…` keys; the vocabulary's size and whether the head is tied come from the tensors. */
export function configFromGguf(
  metadata: ReadonlyMap<string, GgufValue>,
  where: string,
  tensors: { vocabSize: number; tiedEmbeddings: boolean; ropeScaling?: LlamaConfig['ropeScaling'] },
): LlamaConfig {
  const architecture = knownArchitecture(metadata.get('general.architecture'), where);
  const optional = (key: string): number | undefined => {
    const value = metadata.get(key);
    if (value !== undefined && typeof value !== 'number') throw inputError(`${where}: ${key} is not a number.`);
    return value;
  };
  const required = (key: string): number => {
    const value = optional(`${architecture}.${key}`);
    if (value === undefined) throw inputError(`${where}: the metadata has no ${architecture}.${key}.`);
    return value;
  };
  const [hiddenSize, heads] = [required('embedding_length'), required('attention.head_count')];
  const headDim = optional(`${architecture}.attention.key_length`) ?? hiddenSize / heads;
  const scaling = metadata.get(`${architecture}.rope.scaling.type`) ?? 'none';
  if (scaling !== 'none')
    throw inputError(
      `${where}: rotary scaling of type ${String(scaling)} in a GGUF file cannot be run. Use the model's Hugging Face folder.`,
    );
  if ((optional(`${architecture}.rope.dimension_count`) ?? headDim) !== headDim)
    throw inputError(`${where}: partial rotary embeddings cannot be run by the embedded engine.`);
  const bos = optional('tokenizer.ggml.bos_token_id');
  const eos = [optional('tokenizer.ggml.eos_token_id'), optional('tokenizer.ggml.eot_token_id')];
  return checked(
    {
      architecture,
      vocabSize: tensors.vocabSize,
      hiddenSize,
      layers: required('block_count'),
      heads,
      kvHeads: optional(`${architecture}.attention.head_count_kv`) ?? heads,
      headDim,
      ffnSize: required('feed_forward_length'),
      // Stored as f32: 1e-5 comes out as 9.99999975e-6.
      rmsEps: Number(required('attention.layer_norm_rms_epsilon').toPrecision(6)),
      ropeTheta: optional(`${architecture}.rope.freq_base`) ?? 10000,
      ...(tensors.ropeScaling && { ropeScaling: tensors.ropeScaling }),
      tiedEmbeddings: tensors.tiedEmbeddings,
      qkvBias: architecture === 'qwen2',
      qkNorm: architecture === 'qwen3',
      maxPositions: required('context_length'),
      ...(bos !== undefined && { bosToken: bos }),
      eosTokens: [...new Set(eos.filter((id) => id !== undefined))],
    },
    where,
  );
}

function knownArchitecture(name: unknown, where: string): LlamaConfig['architecture'] {
  const known = architectures.find((architecture) => architecture === name);
  if (known) return known;
  throw inputError(`${where} is of architecture ${String(name)}; the embedded engine runs ${architectures.join(', ')}. Use such a model.`);
}

/** Names of all tensors are made from this number, before any of them is looked for. */
const maxLayers = 1024;

function checked(config: LlamaConfig, where: string): LlamaConfig {
  const { vocabSize, hiddenSize, layers, heads, kvHeads, headDim, ffnSize, maxPositions, bosToken, eosTokens } = config;
  const sizes = [vocabSize, hiddenSize, layers, heads, kvHeads, headDim, ffnSize, maxPositions];
  if (sizes.some((n) => !Number.isInteger(n) || n < 1 || n > 1 << 24))
    throw inputError(`${where}: sizes must be whole numbers between 1 and 16777216.`);
  if (layers > maxLayers) throw inputError(`${where}: claims ${layers} layers; no known model has more than ${maxLayers}.`);
  if (heads % kvHeads !== 0) throw inputError(`${where}: ${heads} heads cannot share ${kvHeads} key/value heads.`);
  if (headDim % 2 !== 0) throw inputError(`${where}: the head size ${headDim} is odd, so rotary embeddings are impossible.`);
  if ([bosToken ?? 0, ...eosTokens].some((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize)) {
    throw inputError(`${where}: a begin or end token lies outside the vocabulary of ${vocabSize}.`);
  }
  return config;
}
