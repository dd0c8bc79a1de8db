import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFolder } from './atomic-write.js';
import { readAdapter, writeAdapter, type Adapter } from './peft.js';
import { writeSafetensors } from './safetensors.js';

let parent: string;
let folder: string;
beforeEach(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'peft-'));
  folder = path.join(parent, 'adapter');
});
afterEach(() => rm(parent, { recursive: true }));

const adapter = (scale = 1): Adapter => ({
  r: 2,
  alpha: 4,
  targets: ['q_proj', 'down_proj'],
  tensors: new Map([
    [
      'layers.0.self_attn.q_proj',
      { A: Float32Array.of(1, 2, 3, 4, 5, 6).map((x) => x * scale), B: Float32Array.of(1, 0, 0, 1, 2, 2, 3, 3) },
    ],
    ['layers.1.mlp.down_proj', { A: Float32Array.of(1, 2, 3, 4), B: Float32Array.of(-1, -2) }],
  ]),
});
const options = { baseModel: 'tiny', dtype: 'F32' } as const;

describe('PEFT adapters', () => {
  it('come back as they were written, in the layout PEFT reads', async () => {
    await writeAdapter(folder, adapter(), options);
    expect(await readAdapter(folder)).toEqual(adapter());
    expect(JSON.parse(await readFile(path.join(folder, 'adapter_config.json'), 'utf8'))).toMatchObject({
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: 'tiny',
      r: 2,
      lora_alpha: 4,
      target_modules: ['q_proj', 'down_proj'],
    });
    const bytes = (await readFile(path.join(folder, 'adapter_model.safetensors'))).toString('latin1');
    expect(bytes).toContain('"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight":{"dtype":"F32","shape":[2,3]');
    expect(bytes).toContain('"base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight":{"dtype":"F32","shape":[4,2]');
  });

  it('replace an older adapter whole, and leave nothing else behind', async () => {
    await writeAdapter(folder, adapter(), options);
    await writeAdapter(folder, adapter(3), { ...options, dtype: 'BF16' });
    expect((await readAdapter(folder)).tensors.get('layers.0.self_attn.q_proj')?.A[5]).toBe(18);
    expect(await readdir(parent)).toEqual(['adapter']);
  });

  it('stay as they were when writing the next one fails', async () => {
    await writeAdapter(folder, adapter(), options);
    await expect(
      replaceFolder(folder, async (temporary) => {
        await writeFile(path.join(temporary, 'half'), '');
        throw new Error('disk full');
      }),
    ).rejects.toThrow('disk full');
    expect(await readAdapter(folder)).toEqual(adapter());
    expect(await readdir(parent)).toEqual(['adapter']);
  });

  it('are found again when the process died between the two renames', async () => {
    await writeAdapter(folder, adapter(), options);
    await rename(folder, path.join(parent, '.adapter.previous'));
    expect(await readAdapter(folder)).toEqual(adapter());
  });

  it('with rank-stabilised scaling keep their update: alpha / √r = alpha′ / r', async () => {
    await writeAdapter(folder, adapter(), options);
    await change({ use_rslora: true, r: 2, lora_alpha: 4 });
    expect((await readAdapter(folder)).alpha / 2).toBeCloseTo(4 / Math.sqrt(2));
  });

  it.each<[string, object, RegExp]>([
    ['another kind of adapter', { peft_type: 'IA3' }, /not a LoRA adapter/],
    ['DoRA', { use_dora: true }, /DoRA cannot be used/],
    ['trained biases', { bias: 'all' }, /trained biases/],
    ['modules saved whole', { modules_to_save: ['lm_head'] }, /modules_to_save/],
    ['ranks by layer', { rank_pattern: { q_proj: 8 } }, /some layers/],
    ['another rank than the tensors', { r: 3 }, /rank is 3/],
    ['no alpha', { lora_alpha: undefined }, /lora_alpha/],
  ])('are refused: %s', async (_name, changed, message) => {
    await writeAdapter(folder, adapter(), options);
    await change(changed);
    await expect(readAdapter(folder)).rejects.toThrow(message);
  });

  it.each<[string, Record<string, number[]>, RegExp]>([
    ['half a pair', { 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': [2, 3] }, /only one of lora_A and lora_B/],
    ['a foreign tensor', { 'base_model.model.lm_head.weight': [2, 3] }, /is not part of a LoRA adapter/],
    ['nothing', {}, /holds no tensors/],
  ])('are refused with %s', async (_name, shapes, message) => {
    await writeAdapter(folder, adapter(), options);
    const tensors = new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape, data: new Float32Array(6) }]));
    await writeSafetensors(path.join(folder, 'adapter_model.safetensors'), tensors);
    await expect(readAdapter(folder)).rejects.toThrow(message);
  });

  it('are missed with a sentence', async () => {
    await mkdir(folder);
    await expect(readAdapter(folder)).rejects.toThrow(/cannot read .*adapter_config.json/);
  });
});

async function change(changed: object): Promise<void> {
  const file = path.join(folder, 'adapter_config.json');
  await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), ...changed }));
}
