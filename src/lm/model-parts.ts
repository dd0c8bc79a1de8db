/** What trainer and sampler need of a checkpoint, in memory; and how much memory a setting leaves for training. */
import { inputError } from '../base/errors.js';
import type { Checkpoint } from './checkpoint.js';
import type { LlamaConfig } from './config.js';
import { blockWeightNames, type LoraShape } from './llama.js';
import { weightShapes } from './merge.js';
import type { ModelParts } from './trainer.js';

/** Reads every weight as f32. @throws input error for a tensor that is missing, damaged, or of another shape than the configuration says */
export async function readModelParts(checkpoint: Checkpoint, lora: LoraShape): Promise<ModelParts> {
  const { config } = checkpoint;
  const sizes = new Map(weightShapes(config).map(({ name, shape }) => [name, shape]));
  const read = async (name: string) => {
    const weight = await checkpoint.tensor(name);
    const shape = sizes.get(name) ?? [];
    if (weight.length !== shape.reduce((product, size) => product * size, 1))
      throw inputError(
        `${checkpoint.source.path}: ${name} has ${weight.length} elements; by the configuration its shape is [${shape.join(', ')}]. The two belong to different models, or one is damaged.`,
      );
    return weight;
  };
  const weights = new Map<string, Float32Array>();
  for (const name of blockWeightNames(config)) weights.set(name, await read(`model.${name}`));
  const embedding = await read('model.embed_tokens.weight');
  const head = config.tiedEmbeddings ? embedding : await read('lm_head.weight');
  return { config, weights, embedding, head, lora };
}

/**
 * Bytes that do not grow with the micro-batch: weights for sampling and for training; then the runtime, and what sampling leaves
 * with it (caches of 64 rows, buffers of its largest step), which is not given back before training begins.
 */
export function fixedBytes({ layers, hiddenSize, ffnSize, vocabSize }: LlamaConfig): number {
  const parameters = layers * hiddenSize * (2 * hiddenSize + 3 * ffnSize) + vocabSize * hiddenSize;
  return parameters * 4 * 3 + 1.9e9;
}
