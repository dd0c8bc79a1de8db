import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from './checkpoint.js';
import { writeSafetensors } from './safetensors.js';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'checkpoint-'))));
afterEach(() => rm(folder, { recursive: true }));

const config = {
  model_type: 'llama',
  vocab_size: 4,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 16,
  rms_norm_eps: 1e-5,
  rope_theta: 500000,
  tie_word_embeddings: true,
  max_position_embeddings: 32,
  bos_token_id: 1,
  eos_token_id: 2,
};
const tokenizer = {
  added_tokens: [{ id: 3, content: '<|endoftext|>', special: true }],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] },
};
const write = (name: string, value: unknown) =>
  writeFile(path.join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
const weights = (name: string, ...tensors: string[]) =>
  writeSafetensors(
    path.join(folder, name),
    new Map(tensors.map((tensor, i) => [tensor, { shape: [2], data: Float32Array.of(i, i + 0.5) }])),
    { dtype: 'BF16' },
  );

async function makeFolder(changes: object = {}) {
  await write('config.json', { ...config, ...changes });
  await write('tokenizer.json', tokenizer);
  await weights('model.safetensors', 'model.embed_tokens.weight', 'model.norm.weight');
}

describe('a Hugging Face folder', () => {
  it('has configuration, weights, tokenizer and template', async () => {
    await makeFolder();
    await write('generation_config.json', { eos_token_id: [2, 0] });
    await write('tokenizer_config.json', {
      bos_token: { content: 'a' },
      eos_token: 'b',
      chat_template: [
        { name: 'tool_use', template: 'T' },
        { name: 'default', template: 'D' },
      ],
    });
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.config).toEqual({
      architecture: 'llama',
      vocabSize: 4,
      hiddenSize: 8,
      layers: 1,
      heads: 2,
      kvHeads: 1,
      headDim: 4,
      ffnSize: 16,
      rmsEps: 1e-5,
      ropeTheta: 500000,
      tiedEmbeddings: true,
      qkvBias: false,
      qkNorm: false,
      maxPositions: 32,
      bosToken: 1,
      eosTokens: [2, 0, 3],
    });
    expect(checkpoint.tokenizer).toMatchObject({ bosToken: 'a', eosToken: 'b', chatTemplate: 'D' });
    expect([...(await checkpoint.tensor('model.norm.weight'))]).toEqual([1, 1.5]);
    await expect(checkpoint.tensor('model.absent')).rejects.toThrow(/has no tensor model.absent/);
    await checkpoint.close();
    await write('chat_template.jinja', 'J');
    const again = await openCheckpoint(folder);
    expect(again.tokenizer.chatTemplate).toBe('J');
    await again.close();
  });

  it('may have its weights in shards', async () => {
    await makeFolder();
    await rm(path.join(folder, 'model.safetensors'));
    await weights('one.safetensors', 'model.a');
    await weights('two.safetensors', 'model.x', 'model.b');
    await write('model.safetensors.index.json', { weight_map: { 'model.a': 'one.safetensors', 'model.b': 'two.safetensors' } });
    const checkpoint = await openCheckpoint(folder);
    expect([...(await checkpoint.tensor('model.b'))]).toEqual([1, 1.5]);
    expect(checkpoint.has('model.a')).toBe(true);
    const digest = await checkpoint.digest();
    await checkpoint.close();
    await weights('two.safetensors', 'model.x', 'model.b', 'model.c');
    const changed = await openCheckpoint(folder);
    expect(await changed.digest()).not.toBe(digest);
    await changed.close();
  });

  it.each(['../outside.safetensors', '/etc/passwd', 'a\\b'])('never follows its index to %s', async (outside) => {
    await makeFolder();
    await write('model.safetensors.index.json', { weight_map: { a: outside } });
    await expect(openCheckpoint(folder)).rejects.toThrow(/points outside its folder/);
  });

  it('refuses a tensor that is in two shards', async () => {
    await makeFolder();
    await weights('one.safetensors', 'a');
    await weights('two.safetensors', 'a');
    await write('model.safetensors.index.json', { weight_map: { a: 'one.safetensors', b: 'two.safetensors' } });
    await expect(openCheckpoint(folder)).rejects.toThrow(/tensor a is in two files/);
  });

  it.each<[string, object, object]>([
    ['Qwen2', { model_type: 'qwen2' }, { architecture: 'qwen2', qkvBias: true, qkNorm: false }],
    [
      'Qwen3 with its own head size',
      { model_type: 'qwen3', head_dim: 6 },
      { architecture: 'qwen3', qkvBias: false, qkNorm: true, headDim: 6 },
    ],
    ['no key/value heads', { num_key_value_heads: undefined }, { kvHeads: 2 }],
    ['newer rope_parameters', { rope_theta: undefined, rope_parameters: { rope_type: 'default', rope_theta: 7 } }, { ropeTheta: 7 }],
    [
      'Llama 3 scaling',
      {
        rope_scaling: { rope_type: 'llama3', factor: 32, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 },
      },
      { ropeScaling: { factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 } },
    ],
  ])('reads the configuration of %s', async (_name, changes, expected) => {
    await makeFolder(changes);
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.config).toMatchObject(expected);
    await checkpoint.close();
  });

  it.each<[string, object, RegExp]>([
    ['another architecture', { model_type: 'gemma2' }, /architecture gemma2; the embedded engine runs llama, qwen2, qwen3/],
    ['quantized weights', { quantization_config: { bits: 4 } }, /quantized weights/],
    ['another activation', { hidden_act: 'gelu' }, /activation gelu/],
    ['attention biases', { attention_bias: true }, /biases in attention/],
    ['feed-forward biases', { mlp_bias: true }, /feed-forward/],
    ['a sliding window', { use_sliding_window: true }, /sliding-window/],
    ['YaRN', { rope_scaling: { type: 'yarn', factor: 4 } }, /rotary scaling of type yarn/],
    ['partial rotation', { partial_rotary_factor: 0.5 }, /partial rotary/],
    ['sizes that are not whole', { hidden_size: 7 }, /whole numbers/],
    ['absurd sizes', { num_hidden_layers: 1e12 }, /num_hidden_layers/],
    ['heads that cannot share', { num_key_value_heads: 3 }, /cannot share/],
    ['an end token outside the vocabulary', { eos_token_id: 4 }, /outside the vocabulary/],
  ])('refuses %s', async (_name, changes, message) => {
    await makeFolder(changes);
    await expect(openCheckpoint(folder)).rejects.toThrow(message);
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ kind: 'input' });
  });

  it('says which file is missing or broken, and never reads pickles', async () => {
    await expect(openCheckpoint(folder)).rejects.toThrow(/cannot read .*config.json/);
    await write('config.json', config);
    await expect(openCheckpoint(folder)).rejects.toThrow(/tokenizer.json/);
    await write('tokenizer.json', { model: 3 });
    await expect(openCheckpoint(folder)).rejects.toThrow(/not of the expected form/);
    await write('tokenizer.json', tokenizer);
    await write('pytorch_model.bin', '');
    await expect(openCheckpoint(folder)).rejects.toThrow(/Pickled weights .* are never read/);
  });
});
