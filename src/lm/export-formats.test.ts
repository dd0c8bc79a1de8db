/** What is written for other programs, read back by our own readers: the same log-probabilities as base and adapter. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRenderer } from './chat-template.js';
import { openCheckpoint } from './checkpoint.js';
import { float32ToHalf, halfToFloat32 } from './float-formats.js';
import { permuteRows, unpermuteRows } from './gguf-checkpoint.js';
import { writeGgufAdapter, writeGgufModel } from './gguf-model.js';
import { GgufFile } from './gguf.js';
import { freshLora, type LoraParameters } from './lora.js';
import { writeModelFolder } from './model-folder.js';
import { readModelParts } from './model-parts.js';
import { type Adapter, readAdapter } from './peft.js';
import { writeSpellingModel } from './spelling-model.js';
import { LoraTrainer } from './trainer.js';

let home: string;
beforeAll(async () => void (home = await mkdtemp(path.join(tmpdir(), 'export-'))));
afterAll(() => rm(home, { recursive: true }));

const tokens = [3, 17, 40, 8, 25, 60, 31, 12];
const shapeOf = ({ r, alpha, targets }: Adapter) => ({ rank: r, alpha, targets });

/** Log-probabilities of each next token of a fixed text. */
async function logprobs(model: string, adapter: Adapter, merged: boolean): Promise<number[]> {
  const checkpoint = await openCheckpoint(model);
  const parts = await readModelParts(checkpoint, shapeOf(adapter));
  await checkpoint.close();
  const flat: LoraParameters = {
    shape: parts.lora,
    tensors: new Map([...adapter.tensors].flatMap(([site, { A, B }]) => [[`${site}.A`, A] as const, [`${site}.B`, B] as const])),
  };
  const trainer = new LoraTrainer(parts, merged ? freshLora(parts.config, parts.lora, 0) : flat, 1 << 27, { threads: 1 });
  try {
    const datum = { tokens, targets: [...tokens.slice(1), 5], weights: tokens.map(() => 1) };
    return (await trainer.forward([datum])).logprobs[0] ?? [];
  } finally {
    await trainer.close();
  }
}

const largestGap = (a: readonly number[], b: readonly number[]) => Math.max(...a.map((x, i) => Math.abs(x - (b[i] as number))));

describe.each(['llama-tied', 'llama-untied', 'qwen2', 'qwen3', 'llama3-rope'])('%s with an adapter, exported', (fixture) => {
  let model: string;
  let adapter: Adapter;
  let expected: number[];
  beforeAll(async () => {
    model = path.join(home, fixture);
    await writeSpellingModel(model, fixture);
    adapter = await readAdapter(path.join(model, 'adapter'));
    expected = await logprobs(model, adapter, false);
  });

  it('is the same model as a merged folder, and nearly so in half precision', async () => {
    // The adapter does something.
    expect(largestGap(expected, await logprobs(model, adapter, true))).toBeGreaterThan(1e-2);
    const checkpoint = await openCheckpoint(model);
    for (const [type, gap] of [
      ['f32', 1e-5],
      ['f16', 0.02],
      ['bf16', 0.1],
    ] as const) {
      const folder = path.join(home, `${fixture}-${type}`);
      await mkdir(folder);
      await writeModelFolder(folder, checkpoint, adapter, type);
      expect(largestGap(expected, await logprobs(folder, adapter, true)), type).toBeLessThan(gap);
      expect(JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8'))).toMatchObject({
        dtype: type === 'f32' ? 'float32' : type === 'f16' ? 'float16' : 'bfloat16',
      });
    }
    await checkpoint.close();
  });

  it('is the same model as a GGUF file, tokenizer and template included', async () => {
    const checkpoint = await openCheckpoint(model);
    const file = path.join(home, `${fixture}.gguf`);
    await writeGgufModel(file, { checkpoint, adapter, name: 'tiny', type: 'f32' });
    const again = await openCheckpoint(file).catch((error: Error) => error);
    if (fixture === 'llama3-rope') {
      // Stretched by other numbers than Llama 3's, which the file does not name: our reader refuses to guess them.
      expect(again instanceof Error ? again.message : '').toContain('rotary frequencies');
      await checkpoint.close();
      return;
    }
    if (again instanceof Error) throw again;
    expect(largestGap(expected, await logprobs(file, adapter, true))).toBeLessThan(1e-5);
    const { config } = again;
    expect({ ...config, bosToken: 0, eosTokens: [], maxPositions: 0 }).toEqual({
      ...checkpoint.config,
      bosToken: 0,
      eosTokens: [],
      maxPositions: 0,
    });
    const conversation = [{ role: 'user' as const, content: 'Say <|im_end|> once.\nNow.' }];
    expect((await createRenderer(again.tokenizer)).promptTokens(conversation)).toEqual(
      (await createRenderer(checkpoint.tokenizer)).promptTokens(conversation),
    );
    await again.close();
    await checkpoint.close();
  });

  it('is a GGUF adapter that gives the same weights as merging', async () => {
    const checkpoint = await openCheckpoint(model);
    const file = path.join(home, `${fixture}-lora.gguf`);
    await writeGgufAdapter(file, { checkpoint, adapter, name: 'tiny', type: 'f32' });
    const gguf = await GgufFile.open(file);
    expect(Object.fromEntries(gguf.metadata)).toMatchObject({
      'general.type': 'adapter',
      'adapter.type': 'lora',
      'adapter.lora.alpha': adapter.alpha,
    });
    expect(gguf.tensors.size).toBe(2 * adapter.tensors.size);
    const { A, B } = adapter.tensors.get('layers.1.self_attn.k_proj') as { A: Float32Array; B: Float32Array };
    expect(gguf.tensors.get('blk.1.attn_k.weight.lora_a')?.shape).toEqual([adapter.r, A.length / adapter.r]);
    expect(await gguf.tensor('blk.1.attn_k.weight.lora_a')).toEqual(A);
    const { architecture, kvHeads, headDim } = checkpoint.config;
    const stored = await gguf.tensor('blk.1.attn_k.weight.lora_b');
    expect(architecture === 'llama' ? unpermuteRows(stored, kvHeads, headDim) : stored).toEqual(B);
    await gguf.close();
    await checkpoint.close();
  });
});

describe('a model that was a GGUF file', () => {
  it('is exported as a folder with a tokenizer and a template of its own', async () => {
    const source = path.join(home, 'source');
    await writeSpellingModel(source, 'llama-tied');
    const adapter = await readAdapter(path.join(source, 'adapter'));
    const folderModel = await openCheckpoint(source);
    const file = path.join(home, 'source.gguf');
    await writeGgufModel(file, { checkpoint: folderModel, adapter: null, name: 'tiny', type: 'f32' });
    await folderModel.close();
    const checkpoint = await openCheckpoint(file);
    const out = path.join(home, 'from-gguf');
    await mkdir(out);
    await writeModelFolder(out, checkpoint, adapter, 'f32');
    await checkpoint.close();
    expect(largestGap(await logprobs(source, adapter, false), await logprobs(out, adapter, true))).toBeLessThan(1e-5);
    const again = await openCheckpoint(out);
    expect((await createRenderer(again.tokenizer)).promptTokens([{ role: 'user', content: 'a' }])).toHaveLength(4);
    await again.close();
  });
});

describe('an adapter of another model', () => {
  it('is refused before anything is written', async () => {
    const model = path.join(home, 'other');
    await writeSpellingModel(model, 'llama-tied');
    const adapter = await readAdapter(path.join(model, 'adapter'));
    adapter.tensors.set('layers.9.mlp.up_proj', { A: new Float32Array(4), B: new Float32Array(4) });
    const checkpoint = await openCheckpoint(model);
    await expect(writeGgufModel(path.join(home, 'no.gguf'), { checkpoint, adapter, name: '', type: 'f32' })).rejects.toThrow(
      'another base model',
    );
    await checkpoint.close();
  });
});

describe('half precision', () => {
  it('gives back every one of its numbers, and rounds what lies between to the nearest, ties to even', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((bits) => (bits & 0x7fff) <= 0x7c00);
    expect(float32ToHalf(halfToFloat32(all))).toEqual(all);
    fc.assert(
      fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (x) => {
        const [half = 0] = float32ToHalf(Float32Array.of(x));
        const near = [half - 1, half, half + 1].filter((bits) => (bits & 0x7fff) < 0x7c00 && bits >= 0);
        const distances = near.map((bits) => Math.abs((halfToFloat32(Uint16Array.of(bits))[0] as number) - x));
        const own = distances[near.indexOf(half)] as number;
        const ties = distances.filter((d) => d === own).length;
        return own === Math.min(...distances) && (ties === 1 || half % 2 === 0 || x === 0);
      }),
    );
    expect([...float32ToHalf(Float32Array.of(1e6, -1e6, NaN))]).toEqual([0x7c00, 0xfc00, 0x7e00]);
  });
});

describe('the order of rows in llama GGUF files', () => {
  it('is done and undone', () => {
    const data = Float32Array.from({ length: 2 * 8 * 3 }, (_, i) => i);
    expect(permuteRows(unpermuteRows(data, 2, 8), 2, 8)).toEqual(data);
    expect(permuteRows(data, 2, 8)).not.toEqual(data);
  });
});
