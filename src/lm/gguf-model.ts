/** A model, or a LoRA adapter, as a GGUF file in the form that llama.cpp reads. */
import { internalError } from '../base/errors.js';
import type { Checkpoint } from './checkpoint.js';
import type { LlamaConfig } from './config.js';
import type { WeightType } from './float-formats.js';
import { ggufName, permuteRows } from './gguf-checkpoint.js';
import { ggufVocabulary } from './gguf-vocabulary.js';
import { type GgufEntry, type GgufTensorToWrite, writeGguf } from './gguf-write.js';
import { checkAdapterFits, mergedWeight, weightShapes } from './merge.js';
import type { Adapter } from './peft.js';

/** llama.cpp's numbers of whole-file types. */
const fileTypes = { f32: 0, f16: 1, bf16: 32 } as const satisfies Record<WeightType, number>;

export interface GgufModel {
  checkpoint: Checkpoint;
  /** Folded into the weights; null: the weights as they are. */
  adapter: Adapter | null;
  /** general.name: what people see. */
  name: string;
  type: WeightType;
}

/**
 * Writes the whole model with its tokenizer and chat template. Norms and biases stay f32.
 * @throws input error for a tokenizer that GGUF cannot express, or an adapter of another model
 */
export async function writeGgufModel(path: string, { checkpoint, adapter, name, type }: GgufModel): Promise<void> {
  const { config } = checkpoint;
  if (adapter) checkAdapterFits(config, adapter, path);
  const metadata = new Map<string, GgufEntry>([
    ['general.architecture', { text: config.architecture }],
    ['general.type', { text: 'model' }],
    ['general.name', { text: name }],
    ['general.file_type', { u32: fileTypes[type] }],
    ['general.quantization_version', { u32: 2 }],
    ...sizes(config),
    ...ggufVocabulary(checkpoint.tokenizer, config),
  ]);
  const tensors = new Map<string, GgufTensorToWrite>();
  for (const { name: tensor, shape } of weightShapes(config)) {
    tensors.set(stored(tensor), {
      shape,
      type: shape.length === 1 ? 'f32' : type,
      data: async () => inGgufOrder(config, tensor, await mergedWeight(checkpoint, adapter, tensor)),
    });
  }
  if (config.ropeScaling)
    tensors.set('rope_freqs.weight', { shape: [config.headDim / 2], type: 'f32', data: async () => frequencyDivisors(config) });
  await writeGguf(path, metadata, tensors);
}

/** The adapter alone, to be laid upon a GGUF file of its base. */
export async function writeGgufAdapter(path: string, { checkpoint, adapter, name, type }: GgufModel & { adapter: Adapter }): Promise<void> {
  const { config } = checkpoint;
  checkAdapterFits(config, adapter, path);
  const { r, alpha } = adapter;
  const metadata = new Map<string, GgufEntry>([
    ['general.architecture', { text: config.architecture }],
    ['general.type', { text: 'adapter' }],
    ['general.name', { text: name }],
    ['general.file_type', { u32: fileTypes[type] }],
    ['adapter.type', { text: 'lora' }],
    ['adapter.lora.alpha', { f32: alpha }],
  ]);
  const tensors = new Map<string, GgufTensorToWrite>();
  for (const [site, { A, B }] of adapter.tensors) {
    const tensor = `model.${site}.weight`;
    tensors.set(`${stored(tensor)}.lora_a`, { shape: [r, A.length / r], type, data: async () => A });
    // Only the rows of the output are in GGUF's order.
    tensors.set(`${stored(tensor)}.lora_b`, { shape: [B.length / r, r], type, data: async () => inGgufOrder(config, tensor, B) });
  }
  await writeGguf(path, metadata, tensors);
}

function stored(name: string): string {
  const found = ggufName(name);
  if (found === null) throw internalError(`${name} has no name in GGUF`);
  return found;
}

/** Only files of architecture llama interleave the rows of q and k; qwen's keep Hugging Face's order. */
function inGgufOrder({ architecture, heads, kvHeads, headDim }: LlamaConfig, name: string, data: Float32Array): Float32Array {
  const permuted = architecture === 'llama' ? /\.(q|k)_proj\.(?:weight|bias)$/.exec(name) : null;
  return permuted === null ? data : permuteRows(data, permuted[1] === 'q' ? heads : kvHeads, headDim);
}

function sizes(config: LlamaConfig): [string, GgufEntry][] {
  const { architecture } = config;
  const u32 = (key: string, value: number): [string, GgufEntry] => [`${architecture}.${key}`, { u32: value }];
  return [
    u32('vocab_size', config.vocabSize),
    u32('context_length', config.maxPositions),
    u32('embedding_length', config.hiddenSize),
    u32('block_count', config.layers),
    u32('feed_forward_length', config.ffnSize),
    u32('attention.head_count', config.heads),
    u32('attention.head_count_kv', config.kvHeads),
    u32('attention.key_length', config.headDim),
    u32('attention.value_length', config.headDim),
    u32('rope.dimension_count', config.headDim),
    [`${architecture}.attention.layer_norm_rms_epsilon`, { f32: config.rmsEps }],
    [`${architecture}.rope.freq_base`, { f32: config.ropeTheta }],
  ];
}

/** Llama 3's stretching as GGUF has it: what each rotary frequency is divided by. */
function frequencyDivisors({ headDim, ropeTheta, ropeScaling }: LlamaConfig): Float32Array {
  if (!ropeScaling) throw internalError('no stretching to write');
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = ropeScaling;
  return Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const turns = (originalMaxPositions * ropeTheta ** ((-2 * i) / headDim)) / (2 * Math.PI);
    const keep = Math.min(1, Math.max(0, (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)));
    return 1 / (keep + (1 - keep) / factor);
  });
}
