/** LoRA parameters as the graphs take them: A [r, in] and B [out, r] of every adapted layer (PEFT's layout). */
import { inputError } from '../base/errors.js';
import { Random } from '../base/random.js';
import type { LlamaConfig } from './config.js';
import { type LoraShape, loraSites } from './llama.js';

export interface LoraParameters {
  shape: LoraShape;
  /** `layers.0.self_attn.q_proj.A` → values. */
  tensors: Map<string, Float32Array>;
}

/** A fresh adapter that changes nothing: A uniform in ±1/√in (PEFT's Kaiming initialisation), B zero. */
export function freshLora(config: LlamaConfig, shape: LoraShape, seed: number): LoraParameters {
  const tensors = new Map<string, Float32Array>();
  for (const { name, inputs, outputs } of loraSites(config, shape)) {
    const random = new Random(`lora:${seed}:${name}`);
    const bound = 1 / Math.sqrt(inputs);
    tensors.set(
      `${name}.A`,
      Float32Array.from({ length: shape.rank * inputs }, () => (random.uniform() * 2 - 1) * bound),
    );
    tensors.set(`${name}.B`, new Float32Array(outputs * shape.rank));
  }
  return { shape, tensors };
}

/** Refuses an adapter whose shape differs from what the model's graphs were built for. */
export function fitLora(config: LlamaConfig, expected: LoraShape, given: LoraParameters, where: string): LoraParameters {
  const fresh = freshLora(config, expected, 0);
  if (given.shape.rank !== expected.rank || given.shape.alpha !== expected.alpha) {
    throw inputError(
      `adapter ${where} has rank ${given.shape.rank} and alpha ${given.shape.alpha}; this run uses rank ${expected.rank} and alpha ${expected.alpha}. Set engine.lora to the adapter's values.`,
    );
  }
  const tensors = new Map<string, Float32Array>();
  for (const [name, zero] of fresh.tensors) {
    const data = given.tensors.get(name);
    if (data && data.length !== zero.length) {
      throw inputError(
        `adapter ${where}: ${name} has ${data.length} elements, the model needs ${zero.length}. It belongs to another base model.`,
      );
    }
    // A layer that the adapter leaves alone stays unchanged: B = 0.
    tensors.set(name, data ?? zero);
  }
  for (const name of given.tensors.keys()) {
    if (!fresh.tensors.has(name))
      throw inputError(`adapter ${where} adapts ${name}, which this run does not. Add its projection to engine.lora.targets.`);
  }
  return { shape: expected, tensors };
}
