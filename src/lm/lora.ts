/** LoRA parameters as the graphs take them: A [r, in] and B [out, r] of every adapted layer (PEFT's layout). */
import { inputError } from '../base/errors.js';
import { allTargets } from '../base/lora-targets.js';
import { Random } from '../base/random.js';
import type { LlamaConfig } from './config.js';
import { type LinearSite, type LoraShape, loraSites } from './llama.js';

export interface LoraParameters {
  shape: LoraShape;
  /** `layers.0.self_attn.q_proj.A` → values. */
  tensors: Map<string, Float32Array>;
}

/** A fresh adapter that changes nothing: A uniform in ±1/√in (PEFT's Kaiming initialisation), B zero. */
export function freshLora(config: LlamaConfig, shape: LoraShape, seed: number): LoraParameters {
  const tensors = new Map<string, Float32Array>();
  for (const site of loraSites(config, shape)) {
    const { a, b } = freshSite(site, shape.rank, seed);
    tensors.set(`${site.name}.A`, a);
    tensors.set(`${site.name}.B`, b);
  }
  return { shape, tensors };
}

function freshSite({ name, inputs, outputs }: LinearSite, rank: number, seed: number): { a: Float32Array; b: Float32Array } {
  const random = new Random(`lora:${seed}:${name}`);
  const bound = 1 / Math.sqrt(inputs);
  return { a: Float32Array.from({ length: rank * inputs }, () => (random.uniform() * 2 - 1) * bound), b: new Float32Array(outputs * rank) };
}

/** Refuses an adapter whose shape differs from what the model's graphs were built for. */
export function fitLora(config: LlamaConfig, expected: LoraShape, given: LoraParameters, where: string): LoraParameters {
  if (given.shape.rank !== expected.rank || given.shape.alpha !== expected.alpha) {
    throw inputError(
      `adapter ${where} has rank ${given.shape.rank} and alpha ${given.shape.alpha}; this run uses rank ${expected.rank} and alpha ${expected.alpha}. Set engine.rank and engine.alpha to the adapter's values.`,
    );
  }
  const tensors = new Map<string, Float32Array>();
  for (const site of loraSites(config, expected)) {
    const [nameA, nameB] = [`${site.name}.A`, `${site.name}.B`];
    const [a, b] = [given.tensors.get(nameA), given.tensors.get(nameB)];
    check(nameA, a, expected.rank * site.inputs, where);
    check(nameB, b, expected.rank * site.outputs, where);
    // A layer that the adapter leaves alone stays unchanged: B = 0.
    const fresh = a && b ? { a, b } : freshSite(site, expected.rank, 0);
    tensors.set(nameA, a ?? fresh.a);
    tensors.set(nameB, b ?? fresh.b);
  }
  for (const name of given.tensors.keys()) {
    if (tensors.has(name)) continue;
    const projection = allTargets.find((target) => name.endsWith(`.${target}.A`) || name.endsWith(`.${target}.B`));
    throw inputError(
      projection === undefined || expected.targets.includes(projection)
        ? `adapter ${where} adapts ${name}, which the model does not have. It belongs to another base model.`
        : `adapter ${where} adapts ${name}, which this run does not. Add ${projection} to engine.targets.`,
    );
  }
  return { shape: expected, tensors };
}

function check(name: string, data: Float32Array | undefined, length: number, where: string): void {
  if (data === undefined || data.length === length) return;
  throw inputError(`adapter ${where}: ${name} has ${data.length} elements, the model needs ${length}. It belongs to another base model.`);
}
