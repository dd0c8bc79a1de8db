/** LoRA adapters as PEFT folders: adapter_config.json and adapter_model.safetensors. */
import path from 'node:path';
import { z } from 'zod';
import { inputError } from '../base/errors.js';
import { recoverFolder, replaceFolder, writeFileAtomically } from './atomic-write.js';
import { readJson } from './folder-checkpoint.js';
import { openSafetensors, type SafetensorsFile, type TensorToWrite, writeSafetensors } from './safetensors.js';

export interface Adapter {
  /** Rank. */
  r: number;
  /** The update is (alpha / r) · B A. */
  alpha: number;
  /** Names of the adapted projections, e.g. `q_proj`. */
  targets: string[];
  /** By layer, e.g. `layers.0.self_attn.q_proj`: A is [r, in], B is [out, r], row-major. */
  tensors: Map<string, { A: Float32Array; B: Float32Array }>;
}

const AdapterConfig = z.looseObject({
  peft_type: z.literal('LORA'),
  r: z.int().min(1).max(4096),
  lora_alpha: z.number(),
  target_modules: z.union([z.array(z.string()), z.string()]).nullish(),
  bias: z.string().nullish(),
  use_rslora: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
  fan_in_fan_out: z.boolean().nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  rank_pattern: z.record(z.string(), z.unknown()).nullish(),
  alpha_pattern: z.record(z.string(), z.unknown()).nullish(),
});

const tensorName = /^base_model\.model\.model\.(layers\.\d+\.(?:self_attn|mlp)\.\w+)\.lora_(A|B)\.weight$/;

/** @throws input error for damaged files and for kinds of adapters that the engine cannot apply (DoRA, per-layer ranks, …) */
export async function readAdapter(folder: string): Promise<Adapter> {
  await recoverFolder(folder);
  const configPath = path.join(folder, 'adapter_config.json');
  const parsed = AdapterConfig.safeParse(await readJson(configPath));
  if (!parsed.success) throw inputError(`${configPath} is not a LoRA adapter's configuration:\n${z.prettifyError(parsed.error)}`);
  const config = parsed.data;
  const refuse = (what: string) =>
    inputError(`${configPath}: ${what} cannot be used by the embedded engine. Train or convert a plain LoRA adapter.`);
  if (config.use_dora) throw refuse('DoRA');
  if (config.fan_in_fan_out) throw refuse('fan_in_fan_out');
  if (config.bias && config.bias !== 'none') throw refuse(`trained biases (bias: ${config.bias})`);
  if (config.modules_to_save?.length) throw refuse('modules saved whole (modules_to_save)');
  if (Object.keys({ ...config.rank_pattern, ...config.alpha_pattern }).length > 0)
    throw refuse('a rank or alpha of its own for some layers');

  const file = await openSafetensors(path.join(folder, 'adapter_model.safetensors'));
  try {
    const tensors = await readPairs(file, config.r);
    const targets = [...new Set([...tensors.keys()].map((site) => site.slice(site.lastIndexOf('.') + 1)))];
    // Rank-stabilised LoRA scales by alpha/√r; the same update in the plain form has alpha·√r.
    return { r: config.r, alpha: config.use_rslora ? config.lora_alpha * Math.sqrt(config.r) : config.lora_alpha, targets, tensors };
  } finally {
    await file.close();
  }
}

/** Names of the projections that the adapter in this folder adapts; reads no weights. @throws input error as `readAdapter` */
export async function adaptedTargets(folder: string): Promise<string[]> {
  await recoverFolder(folder);
  const file = await openSafetensors(path.join(folder, 'adapter_model.safetensors'));
  try {
    const found = file.names.flatMap((name) => tensorName.exec(name)?.[1] ?? []);
    return [...new Set(found.map((site) => site.slice(site.lastIndexOf('.') + 1)))];
  } finally {
    await file.close();
  }
}

async function readPairs(file: SafetensorsFile, r: number): Promise<Adapter['tensors']> {
  const sites = new Map<string, { A?: Float32Array; B?: Float32Array }>();
  for (const [name, { shape }] of file.tensors) {
    const match = tensorName.exec(name);
    if (!match) throw inputError(`${file.path}: tensor ${name} is not part of a LoRA adapter of a Llama-family model.`);
    const [, site, side] = match as unknown as [string, string, 'A' | 'B'];
    if (shape.length !== 2 || shape[side === 'A' ? 0 : 1] !== r) {
      throw inputError(
        `${file.path}: ${name} has shape [${shape.join(', ')}], but the adapter's rank is ${r}. adapter_config.json belongs to another adapter.`,
      );
    }
    sites.set(site, { ...sites.get(site), [side]: await file.read(name) });
  }
  if (sites.size === 0) throw inputError(`${file.path} holds no tensors.`);
  return new Map(
    [...sites].map(([site, { A, B }]) => {
      if (!A || !B) throw inputError(`${file.path}: ${site} has only one of lora_A and lora_B.`);
      return [site, { A, B }];
    }),
  );
}

/**
 * Writes the two files into a folder of their own, which appears whole or not at all and replaces what was there.
 * @throws dependency error from the disk
 */
export async function writeAdapter(
  folder: string,
  adapter: Adapter,
  options: { baseModel: string; dtype: 'F32' | 'F16' | 'BF16' },
): Promise<void> {
  const { r, alpha, targets } = adapter;
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: options.baseModel,
    r,
    lora_alpha: alpha,
    target_modules: targets,
    lora_dropout: 0,
    bias: 'none',
    use_rslora: false,
    inference_mode: true,
  };
  const tensors = new Map<string, TensorToWrite>();
  for (const [site, { A, B }] of adapter.tensors) {
    tensors.set(`base_model.model.model.${site}.lora_A.weight`, { shape: [r, A.length / r], data: A });
    tensors.set(`base_model.model.model.${site}.lora_B.weight`, { shape: [B.length / r, r], data: B });
  }
  await replaceFolder(folder, async (temporary) => {
    await writeSafetensors(path.join(temporary, 'adapter_model.safetensors'), tensors, {
      dtype: options.dtype,
      metadata: { format: 'pt' },
    });
    await writeFileAtomically(path.join(temporary, 'adapter_config.json'), [Buffer.from(`${JSON.stringify(config, null, 2)}\n`)]);
  });
}
