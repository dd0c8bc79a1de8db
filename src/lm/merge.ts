/** Every weight of a model with an adapter folded in: W + (alpha / r) · B A. */
import { inputError } from '../base/errors.js';
import type { Checkpoint } from './checkpoint.js';
import type { LlamaConfig } from './config.js';
import { blockSites } from './llama.js';
import type { Adapter } from './peft.js';

export interface NamedShape {
  /** Hugging Face's: `model.layers.0.self_attn.q_proj.weight`. */
  name: string;
  /** Outermost dimension first. */
  shape: number[];
}

/** All tensors of a model and their shapes, in the order in which models are usually stored. */
export function weightShapes(config: LlamaConfig): NamedShape[] {
  const { vocabSize: V, hiddenSize: D, headDim, layers } = config;
  const blocks = Array.from({ length: layers }, (_, layer) => {
    const prefix = `model.layers.${layer}`;
    const linear = blockSites(config, layer).flatMap(({ name, inputs, outputs }) => [
      { name: `model.${name}.weight`, shape: [outputs, inputs] },
      ...(config.qkvBias && /[qkv]_proj$/.test(name) ? [{ name: `model.${name}.bias`, shape: [outputs] }] : []),
    ]);
    const headNorms = config.qkNorm ? ['self_attn.q_norm', 'self_attn.k_norm'] : [];
    return [
      { name: `${prefix}.input_layernorm.weight`, shape: [D] },
      ...linear,
      { name: `${prefix}.post_attention_layernorm.weight`, shape: [D] },
      ...headNorms.map((norm) => ({ name: `${prefix}.${norm}.weight`, shape: [headDim] })),
    ];
  });
  return [
    { name: 'model.embed_tokens.weight', shape: [V, D] },
    ...blocks.flat(),
    { name: 'model.norm.weight', shape: [D] },
    ...(config.tiedEmbeddings ? [] : [{ name: 'lm_head.weight', shape: [V, D] }]),
  ];
}

/** @throws input error when the adapter was made for a model of another shape */
export function checkAdapterFits(config: LlamaConfig, adapter: Adapter, where: string): void {
  const sites = new Map(
    Array.from({ length: config.layers }, (_, layer) => blockSites(config, layer).map((site) => [site.name, site] as const)).flat(),
  );
  for (const [name, { A, B }] of adapter.tensors) {
    const site = sites.get(name);
    if (site === undefined || A.length !== adapter.r * site.inputs || B.length !== adapter.r * site.outputs)
      throw inputError(`${where}: the adapter's ${name} does not fit the model. It belongs to another base model.`);
  }
}

/** One tensor as f32, the adapter folded in where it has something for it. */
export async function mergedWeight(checkpoint: Checkpoint, adapter: Adapter | null, name: string): Promise<Float32Array> {
  const weight = await checkpoint.tensor(name);
  const update = adapter?.tensors.get(name.replace(/^model\./, '').replace(/\.weight$/, ''));
  if (adapter === null || update === undefined || !name.endsWith('.weight')) return weight;
  const { r, alpha } = adapter;
  const { A, B } = update;
  const inputs = A.length / r;
  const scale = alpha / r;
  // Summed in double precision row by row, and rounded once.
  const row = new Float64Array(inputs);
  const result = new Float32Array(weight.length);
  for (let out = 0; out < B.length / r; out++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const b = (B[out * r + k] as number) * scale;
      for (let i = 0; i < inputs; i++) row[i] = (row[i] as number) + b * (A[k * inputs + i] as number);
    }
    for (let i = 0; i < inputs; i++) result[out * inputs + i] = (weight[out * inputs + i] as number) + (row[i] as number);
  }
  return result;
}
