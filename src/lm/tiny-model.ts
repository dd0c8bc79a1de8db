/** Tiny random models for tests, made on the spot. */
import { allTargets } from '../base/lora-targets.js';
import { Random } from '../base/random.js';
import type { LlamaConfig } from './config.js';
import { blockSites, blockWeightNames, type LoraShape } from './llama.js';
import type { ModelParts } from './trainer.js';

export const tinyConfig = (changes: Partial<LlamaConfig> = {}): LlamaConfig => ({
  architecture: 'llama',
  vocabSize: 96,
  hiddenSize: 32,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  ffnSize: 48,
  rmsEps: 1e-5,
  ropeTheta: 10000,
  tiedEmbeddings: true,
  qkvBias: false,
  qkNorm: false,
  maxPositions: 256,
  eosTokens: [2],
  ...changes,
});

/** A model with normal weights of standard deviation 0.1 (norms around 1), by seed. */
export function tinyModel(config: LlamaConfig = tinyConfig(), lora: Partial<LoraShape> = {}, seed = 0): ModelParts {
  const random = new Random(`tiny:${seed}`);
  const normal = (length: number, around = 0) => Float32Array.from({ length }, () => around + 0.1 * random.normal());
  const sizes = new Map<string, number>();
  for (let layer = 0; layer < config.layers; layer++) {
    for (const { name, inputs, outputs } of blockSites(config, layer)) {
      sizes.set(`${name}.weight`, inputs * outputs);
      sizes.set(`${name}.bias`, outputs);
    }
  }
  const weights = new Map(
    blockWeightNames(config).map((name) => {
      if (/[qk]_norm/.test(name)) return [name, normal(config.headDim, 1)];
      const size = sizes.get(name);
      return [name, size === undefined ? normal(config.hiddenSize, 1) : normal(size)];
    }),
  );
  const embedding = normal(config.vocabSize * config.hiddenSize);
  const head = config.tiedEmbeddings ? embedding : normal(config.vocabSize * config.hiddenSize);
  return { config, weights, embedding, head, lora: { rank: 4, alpha: 8, targets: allTargets, ...lora } };
}
