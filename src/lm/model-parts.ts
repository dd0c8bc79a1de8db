/** What trainer and sampler need of a checkpoint, in memory; and how much memory a setting leaves for training. */
import type { Checkpoint } from './checkpoint.js';
import type { LlamaConfig } from './config.js';
import { blockWeightNames, type LoraShape } from './llama.js';
import type { ModelParts } from './trainer.js';

/** Reads every weight as f32. @throws input error for a tensor that is missing or damaged */
export async function readModelParts(checkpoint: Checkpoint, lora: LoraShape): Promise<ModelParts> {
  const { config } = checkpoint;
  const weights = new Map<string, Float32Array>();
  for (const name of blockWeightNames(config)) weights.set(name, await checkpoint.tensor(`model.${name}`));
  const embedding = await checkpoint.tensor('model.embed_tokens.weight');
  const head = config.tiedEmbeddings ? embedding : await checkpoint.tensor('lm_head.weight');
  return { config, weights, embedding, head, lora };
}

/** Bytes that do not grow with the micro-batch: weights for sampling and for training, caches, the runtime. */
export function fixedBytes({ layers, hiddenSize, ffnSize, vocabSize }: LlamaConfig): number {
  const parameters = layers * hiddenSize * (2 * hiddenSize + 3 * ffnSize) + vocabSize * hiddenSize;
  return parameters * 4 * 3 + 0.8e9;
}
