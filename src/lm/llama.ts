/**
 * The Llama family as a graph: RMSNorm, rotary grouped-query attention, SwiGLU, LoRA on any linear layer;
 * Qwen2's QKV bias and Qwen3's q/k norm where the checkpoint has them. Shape letters: N tokens, D hidden size,
 * H query heads, K key/value heads, G = H/K, h head size, F feed-forward size, V vocabulary, r LoRA rank.
 */
import type { Dim } from '../tensor/dims.js';
import type { Graph, Value } from '../tensor/graph.js';
import type { LlamaConfig } from './config.js';

/** A linear layer that can carry a LoRA, by the name it has in Hugging Face's Llama and in PEFT. */
export interface LinearSite {
  /** `layers.3.self_attn.q_proj` */
  name: string;
  inputs: number;
  outputs: number;
}

export interface LoraShape {
  rank: number;
  alpha: number;
  /** Names of projections: q_proj … down_proj. */
  targets: readonly string[];
  /** Those of them that a training changes; left out: all. The adapter that a training starts from may adapt more than these. */
  trained?: readonly string[];
}

/** The linear layers of one block, in order. */
export function blockSites(config: LlamaConfig, layer: number): LinearSite[] {
  const { hiddenSize: D, ffnSize: F, heads, kvHeads, headDim } = config;
  const site = (name: string, inputs: number, outputs: number) => ({ name: `layers.${layer}.${name}`, inputs, outputs });
  return [
    site('self_attn.q_proj', D, heads * headDim),
    site('self_attn.k_proj', D, kvHeads * headDim),
    site('self_attn.v_proj', D, kvHeads * headDim),
    site('self_attn.o_proj', heads * headDim, D),
    site('mlp.gate_proj', D, F),
    site('mlp.up_proj', D, F),
    site('mlp.down_proj', F, D),
  ];
}

/** Every linear layer that carries a LoRA. */
export function loraSites(config: LlamaConfig, lora: LoraShape): LinearSite[] {
  return Array.from({ length: config.layers }, (_, layer) => blockSites(config, layer))
    .flat()
    .filter(({ name }) => lora.targets.some((target) => name.endsWith(target)));
}

/** All weights of the blocks and the final norm as f32, by Hugging Face's name without `model.`. */
export type Weights = ReadonlyMap<string, Float32Array>;

/** Builds the blocks; how q, k, v become the attention's output is the caller's (training and decoding differ only there). */
export class LlamaGraph {
  private readonly position: Value;
  private readonly rotary: Value[];

  constructor(
    readonly graph: Graph,
    private readonly config: LlamaConfig,
    private readonly weights: Weights,
    private readonly lora: LoraShape | null,
    /** Number of tokens in the graph's flat batch. */
    private readonly tokens: Dim,
  ) {
    this.position = graph.input('position', 'int64', [tokens, 1]);
    const half = config.headDim / 2;
    const [cos, sin, minusSin] = rotaryTables(config);
    const shape = [config.maxPositions, half];
    this.rotary = [
      graph.weight('rotary.cos', cos, shape),
      graph.weight('rotary.sin', sin, shape),
      graph.weight('rotary.minus_sin', minusSin, shape),
    ];
  }

  private weight(name: string, shape: number[]): Value {
    const data = this.weights.get(name);
    if (!data) throw new Error(`internal: weight ${name} was not loaded`);
    return this.graph.weight(name, data, shape);
  }

  private norm(x: Value, name: string, size: number): Value {
    return this.graph.apply('rmsNorm', [x, this.weight(name, [size])], { epsilon: this.config.rmsEps });
  }

  /** x Wᵀ (+ bias) + (α/r) (x Aᵀ) Bᵀ */
  private linear(x: Value, { name, inputs, outputs }: LinearSite): Value {
    const bias = this.weights.has(`${name}.bias`) ? [this.weight(`${name}.bias`, [outputs])] : [];
    const base = this.graph.apply('linear', [x, this.weight(`${name}.weight`, [outputs, inputs]), ...bias]);
    if (!this.lora?.targets.some((target) => name.endsWith(target))) return base;
    const { rank, alpha, targets, trained = targets } = this.lora;
    const isTrained = trained.some((target) => name.endsWith(target));
    const place = (part: string, shape: number[]) =>
      isTrained ? this.graph.parameter(part, shape) : this.graph.input(part, 'float32', shape);
    const a = place(`${name}.A`, [rank, inputs]);
    const b = place(`${name}.B`, [outputs, rank]);
    const low = this.graph.apply('linear', [x, a]);
    return this.graph.apply('linear', [low, b, base], { alpha: alpha / rank });
  }

  /** Optional norm over each head (Qwen3), then rotation. x_N_(heads·h) */
  private rotate(x: Value, heads: number, normName: string): Value {
    const { headDim, qkNorm } = this.config;
    let y = x;
    if (qkNorm) {
      y = this.graph.apply('reshape', [y], { shape: [this.tokens, heads, headDim] });
      y = this.norm(y, normName, headDim);
    }
    y = this.graph.apply('reshape', [y], { shape: [this.tokens, 1, heads * headDim] });
    y = this.graph.apply('rope', [y, this.position, ...this.rotary]);
    return this.graph.apply('reshape', [y], { shape: [this.tokens, heads * headDim] });
  }

  /**
   * One transformer block over x_N_D.
   * @param attend from q_N_(H·h), k_N_(K·h), v_N_(K·h) to o_N_(H·h)
   */
  block(x: Value, layer: number, attend: (q: Value, k: Value, v: Value) => Value): Value {
    const { config, graph } = this;
    const [q, k, v, o, gate, up, down] = blockSites(config, layer) as [
      LinearSite,
      LinearSite,
      LinearSite,
      LinearSite,
      LinearSite,
      LinearSite,
      LinearSite,
    ];
    const prefix = `layers.${layer}`;
    const normed = this.norm(x, `${prefix}.input_layernorm.weight`, config.hiddenSize);
    const attention = attend(
      this.rotate(this.linear(normed, q), config.heads, `${prefix}.self_attn.q_norm.weight`),
      this.rotate(this.linear(normed, k), config.kvHeads, `${prefix}.self_attn.k_norm.weight`),
      this.linear(normed, v),
    );
    const afterAttention = graph.apply('add', [x, this.linear(attention, o)]);
    const normed2 = this.norm(afterAttention, `${prefix}.post_attention_layernorm.weight`, config.hiddenSize);
    const hidden = graph.apply('swiglu', [this.linear(normed2, gate), this.linear(normed2, up)]);
    return graph.apply('add', [afterAttention, this.linear(hidden, down)]);
  }

  finalNorm(x: Value): Value {
    return this.norm(x, 'norm.weight', this.config.hiddenSize);
  }
}

/** cos, sin and −sin of position · θ^(−2i/h), [maxPositions, h/2]; Llama 3's stretched low frequencies where the config asks. */
function rotaryTables(config: LlamaConfig): [Float32Array, Float32Array, Float32Array] {
  const half = config.headDim / 2;
  const frequencies = Array.from({ length: half }, (_, i) => scaleFrequency(config.ropeTheta ** (-i / half), config));
  const size = config.maxPositions * half;
  const [cos, sin, minusSin] = [new Float32Array(size), new Float32Array(size), new Float32Array(size)];
  for (let position = 0; position < config.maxPositions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * (frequencies[i] as number);
      const at = position * half + i;
      cos[at] = Math.cos(angle);
      sin[at] = Math.sin(angle);
      minusSin[at] = -Math.sin(angle);
    }
  }
  return [cos, sin, minusSin];
}

function scaleFrequency(frequency: number, { ropeScaling }: LlamaConfig): number {
  if (!ropeScaling) return frequency;
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = ropeScaling;
  const wavelength = (2 * Math.PI) / frequency;
  const share = (originalMaxPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  const keep = Math.min(1, Math.max(0, share));
  return frequency * keep + (frequency / factor) * (1 - keep);
}

/** Names and shapes of the checkpoint's tensors that the blocks need (without the vocabulary matrices). */
export function blockWeightNames(config: LlamaConfig): string[] {
  const names = ['norm.weight'];
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `layers.${layer}`;
    names.push(`${prefix}.input_layernorm.weight`, `${prefix}.post_attention_layernorm.weight`);
    for (const { name } of blockSites(config, layer)) {
      names.push(`${name}.weight`);
      if (config.qkvBias && /[qkv]_proj$/.test(name)) names.push(`${name}.bias`);
    }
    if (config.qkNorm) names.push(`${prefix}.self_attn.q_norm.weight`, `${prefix}.self_attn.k_norm.weight`);
  }
  return names;
}
