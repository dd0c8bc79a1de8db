/** Writes a Hugging Face model folder: config.json, generation_config.json, model.safetensors, tokenizer files. */
import { existsSync } from 'node:fs';
import { copyFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomically } from './atomic-write.js';
import type { Checkpoint } from './checkpoint.js';
import type { LlamaConfig } from './config.js';
import type { WeightType } from './float-formats.js';
import { readJson } from './folder-checkpoint.js';
import { checkAdapterFits, mergedWeight, weightShapes } from './merge.js';
import type { Adapter } from './peft.js';
import { type TensorToWrite, writeSafetensors } from './safetensors.js';

const torchTypes = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' } as const satisfies Record<WeightType, string>;
const architectures = { llama: 'LlamaForCausalLM', qwen2: 'Qwen2ForCausalLM', qwen3: 'Qwen3ForCausalLM' } as const;

/** @param folder exists. @throws input error for an adapter of another model; dependency error from the disk */
export async function writeModelFolder(folder: string, checkpoint: Checkpoint, adapter: Adapter | null, type: WeightType): Promise<void> {
  const { config } = checkpoint;
  if (adapter) checkAdapterFits(config, adapter, folder);
  const source = await sourceFolder(checkpoint);
  await writeJson(path.join(folder, 'config.json'), await modelConfig(config, source, type));
  const generation =
    source && existsSync(path.join(source, 'generation_config.json')) ? await readJson(path.join(source, 'generation_config.json')) : {};
  await writeJson(path.join(folder, 'generation_config.json'), { ...(generation as object), ...tokenIds(config) });
  const tensors = new Map<string, TensorToWrite>();
  for (const { name, shape } of weightShapes(config)) tensors.set(name, { shape, data: () => mergedWeight(checkpoint, adapter, name) });
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensors, {
    dtype: type.toUpperCase() as Uppercase<WeightType>,
    metadata: { format: 'pt' },
  });
  await writeTokenizerFiles(folder, checkpoint);
}

const tokenizerFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
];

/** The files as they are where the model is a folder; out of a GGUF file's metadata else. */
export async function writeTokenizerFiles(folder: string, checkpoint: Checkpoint): Promise<void> {
  const source = await sourceFolder(checkpoint);
  if (source !== null) {
    for (const name of tokenizerFiles)
      if (existsSync(path.join(source, name))) await copyFile(path.join(source, name), path.join(folder, name));
    return;
  }
  const { json, bosToken, eosToken, chatTemplate } = checkpoint.tokenizer;
  await writeJson(path.join(folder, 'tokenizer.json'), { version: '1.0', truncation: null, padding: null, ...json });
  await writeJson(path.join(folder, 'tokenizer_config.json'), {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: checkpoint.config.maxPositions,
    clean_up_tokenization_spaces: false,
    ...(bosToken !== null && { bos_token: bosToken }),
    ...(eosToken !== null && { eos_token: eosToken, pad_token: eosToken }),
    ...(chatTemplate !== null && { chat_template: chatTemplate }),
  });
  if (chatTemplate !== null) await writeFileAtomically(path.join(folder, 'chat_template.jinja'), [Buffer.from(chatTemplate)]);
}

async function sourceFolder({ source }: Checkpoint): Promise<string | null> {
  return (await stat(source.path)).isDirectory() ? source.path : null;
}

const writeJson = (file: string, value: unknown) => writeFileAtomically(file, [Buffer.from(`${JSON.stringify(value, null, 2)}\n`)]);

const tokenIds = ({ bosToken, eosTokens }: LlamaConfig) => ({
  ...(bosToken !== undefined && { bos_token_id: bosToken }),
  ...(eosTokens.length > 0 && { eos_token_id: eosTokens.length === 1 ? eosTokens[0] : eosTokens }),
});

/** The base's own file where there is one; both spellings of what was renamed, for older and newer readers. */
async function modelConfig(config: LlamaConfig, source: string | null, type: WeightType): Promise<object> {
  const given = source === null ? {} : ((await readJson(path.join(source, 'config.json'))) as object);
  const rope = { rope_type: 'default', rope_theta: config.ropeTheta, ...scaling(config) };
  return {
    architectures: [architectures[config.architecture]],
    model_type: config.architecture,
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    intermediate_size: config.ffnSize,
    hidden_act: 'silu',
    rms_norm_eps: config.rmsEps,
    max_position_embeddings: config.maxPositions,
    attention_bias: config.qkvBias,
    tie_word_embeddings: config.tiedEmbeddings,
    ...tokenIds(config),
    ...given,
    rope_theta: config.ropeTheta,
    rope_parameters: rope,
    ...(config.ropeScaling && { rope_scaling: rope }),
    dtype: torchTypes[type],
    torch_dtype: torchTypes[type],
  };
}

const scaling = ({ ropeScaling: s }: LlamaConfig) =>
  s && {
    rope_type: 'llama3',
    factor: s.factor,
    low_freq_factor: s.lowFreqFactor,
    high_freq_factor: s.highFreqFactor,
    original_max_position_embeddings: s.originalMaxPositions,
  };
