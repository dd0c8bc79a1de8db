import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from './checkpoint.js';
import { ggufTypes } from './dequantize.js';
import { unpermuteRows } from './gguf-checkpoint.js';
import { GgufFile } from './gguf.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'gguf-'))));
afterAll(() => rm(folder, { recursive: true }));

const u32 = (n: number) => Buffer.from(Uint32Array.of(n).buffer);
const u64 = (n: number | bigint) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
const f32 = (...n: number[]) => Buffer.from(Float32Array.from(n).buffer);
const text = (s: string) => Buffer.concat([u64(Buffer.byteLength(s)), Buffer.from(s)]);
type Value = string | number | { f32: number } | string[] | { i32: number[] };
function value(v: Value): Buffer {
  if (typeof v === 'string') return Buffer.concat([u32(8), text(v)]);
  if (typeof v === 'number') return Buffer.concat([u32(4), u32(v)]);
  if (Array.isArray(v)) return Buffer.concat([u32(9), u32(8), u64(v.length), ...v.map(text)]);
  if ('f32' in v) return Buffer.concat([u32(6), f32(v.f32)]);
  return Buffer.concat([u32(9), u32(5), u64(v.i32.length), ...v.i32.map(u32)]);
}
interface Tensor {
  name: string;
  dims: (number | bigint)[];
  type?: number;
  offset: number | bigint;
}
const pad = (b: Buffer) => Buffer.concat([b, Buffer.alloc((32 - (b.length % 32)) % 32)]);
const gguf = (keys: [string, Value][], tensors: Tensor[], data: Buffer) =>
  Buffer.concat([
    pad(
      Buffer.concat([
        Buffer.from('GGUF'),
        u32(3),
        u64(tensors.length),
        u64(keys.length),
        ...keys.map(([key, v]) => Buffer.concat([text(key), value(v)])),
        ...tensors.map(({ name, dims, type = 0, offset }) =>
          Buffer.concat([text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset)]),
        ),
      ]),
    ),
    data,
  ]);

const file = async (bytes: Buffer) => {
  const name = path.join(folder, `${Math.random()}.gguf`);
  await writeFile(name, bytes);
  return name;
};
const open = async (bytes: Buffer) => GgufFile.open(await file(bytes));

describe('a sound GGUF file', () => {
  it('gives metadata, and tensors with the outer dimension first', async () => {
    const sound = await open(
      gguf(
        [
          ['a', 'x'],
          ['b', { f32: 0.5 }],
          ['c', ['p', 'é']],
        ],
        [{ name: 't', dims: [3, 2], offset: 0 }],
        f32(1, 2, 3, 4, 5, 6),
      ),
    );
    expect(Object.fromEntries(sound.metadata)).toEqual({ a: 'x', b: 0.5, c: ['p', 'é'] });
    expect(sound.tensors.get('t')?.shape).toEqual([2, 3]);
    expect([...(await sound.tensor('t'))]).toEqual([1, 2, 3, 4, 5, 6]);
    await sound.close();
  });
});

describe('hostile and damaged GGUF files', () => {
  const one = (tensor: Partial<Tensor>, data = f32(...Array<number>(64).fill(1))) =>
    gguf([], [{ name: 't', dims: [64], offset: 0, ...tensor }], data);
  const head = (tensors: number | bigint, keys: number | bigint, rest: Buffer[] = []) =>
    Buffer.concat([Buffer.from('GGUF'), u32(3), u64(tensors), u64(keys), ...rest]);
  const huge = 2n ** 63n;
  it.each<[string, Buffer, RegExp]>([
    ['nothing', Buffer.alloc(0), /too short/],
    ['another format', Buffer.alloc(64, 'x'), /does not begin with GGUF/],
    ['another version', Buffer.concat([Buffer.from('GGUF'), u32(9), Buffer.alloc(32)]), /version 9/],
    ['a count of tensors that no file has', head(huge, 0), /tensor count of 9223372036854775808/],
    ['a count of keys that no file has', head(0, huge), /key count/],
    ['a text longer than the file', head(0, 1, [u64(huge)]), /string length/],
    ['an array longer than the file', head(0, 1, [text('k'), u32(9), u32(0), u64(2n ** 40n)]), /array length/],
    [
      'more values in arrays than any vocabulary has',
      head(0, 1, [text('k'), u32(9), u32(0), u64(9_000_000), Buffer.alloc(9_000_000)]),
      /more than 8388608 values in arrays/,
    ],
    [
      'arrays in arrays',
      head(0, 1, [text('k'), u32(9), ...Array.from({ length: 9 }, () => [u32(9), u64(1)]).flat(), Buffer.alloc(99)]),
      /nests arrays/,
    ],
    ['a value of unknown type', head(0, 1, [text('k'), u32(77)]), /unknown type 77/],
    [
      'a key twice',
      gguf(
        [
          ['k', 1],
          ['k', 2],
        ],
        [],
        Buffer.alloc(0),
      ),
      /key "k" twice/,
    ],
    [
      'a tensor twice',
      gguf(
        [],
        [
          { name: 't', dims: [1], offset: 0 },
          { name: 't', dims: [1], offset: 32 },
        ],
        Buffer.alloc(64),
      ),
      /tensor "t" twice/,
    ],
    ['an end within the header', one({}).subarray(0, 50), /ends within its header/],
    ['an end within the data', one({}).subarray(0, -1), /cut off/],
    ['sizes whose product overflows', one({ dims: [2 ** 40, 2 ** 40] }), /more elements/],
    ['a size beyond counting', one({ dims: [huge] }), /size of "t"/],
    ['an offset beyond the file', one({ offset: huge }), /offset of "t"/],
    ['an offset off the alignment', one({ offset: 4 }), /alignment/],
    ['five dimensions', one({ dims: [1, 1, 1, 1, 1] }), /5 dimensions/],
    ['rows that break a block', one({ dims: [33], type: 2 }), /not a multiple of Q4_0's block/],
    ['an odd alignment', gguf([['general.alignment', 3]], [], Buffer.alloc(0)), /alignment 3/],
    [
      'tensors that overlap',
      gguf(
        [],
        [
          { name: 'a', dims: [16], offset: 0 },
          { name: 'b', dims: [16], offset: 32 },
        ],
        Buffer.alloc(128),
      ),
      /"b" overlap "a"/,
    ],
  ])('%s', async (_name, bytes, message) => {
    await expect(open(bytes)).rejects.toThrow(message);
    await expect(open(bytes)).rejects.toMatchObject({ kind: 'input' });
  });

  it('refuses a tensor of a type that it cannot read only when it is asked for', async () => {
    const sound = await open(one({ type: 99 }));
    await expect(sound.tensor('t')).rejects.toThrow(/GGUF type 99.*Q4_1/s);
    await sound.close();
  });
});

describe('dequantization', () => {
  /** Bytes by formula with sensible scales at the given places; expected values come from the gguf package for Python. */
  function blocks(bytes: number, scales: Record<number, [number, number]>): Uint8Array {
    const b = Uint8Array.from({ length: 2 * bytes }, (_, i) => i * 37 + 11 + (i >> 3) * 5);
    for (const [at, halves] of Object.entries(scales))
      halves.forEach((half, block) => b.set(new Uint8Array(Uint16Array.of(half).buffer), block * bytes + Number(at)));
    return b;
  }
  const [d, m] = [
    [0x211f, 0x251f],
    [0x2225, 0x25a2],
  ] as [[number, number], [number, number]]; // 0.01, 0.02; 0.012, 0.022
  it.each<[number, Record<number, [number, number]>, number, Record<number, number>]>([
    [2, { 0: d }, 1.3902969360351562, { 0: -0.030006, 16: -0.030006, 17: -0.010002, 33: 0.120026 }],
    [3, { 0: d, 2: m }, 31.84241485595703, { 0: 0.162033, 1: 0.05201, 31: 0.142029, 32: 0.062012 }],
    [8, { 0: d }, -30.036415100097656, { 0: 0.850182, 15: -1.180252, 33: 2.400513, 47: -2.400513 }],
    [12, { 0: d, 2: m }, 5978.536903381348, { 0: 0.878273, 47: 0.012047, 95: 1.206261, 200: 7.165581, 511: -0.888107 }],
    [14, { 208: d }, 197.59220123291016, { 0: 18.093864, 33: 32.206879, 95: -0.360077, 200: 1.040222, 511: 42.008972 }],
  ])('type %i', (type, scales, checksum, samples) => {
    const format = ggufTypes.get(type);
    if (!format) throw new Error('no such type');
    const out = new Float32Array(2 * format.weights);
    format.decode(blocks(format.bytes, scales), out);
    for (const [i, expected] of Object.entries(samples)) expect(out[Number(i)]).toBeCloseTo(expected, 5);
    expect(out.reduce((sum, w, i) => sum + w * ((i % 7) + 1), 0)).toBeCloseTo(checksum, 3);
  });
});

describe('a checkpoint in GGUF', () => {
  const keys: [string, Value][] = [
    ['general.architecture', 'llama'],
    ['llama.block_count', 1],
    ['llama.context_length', 64],
    ['llama.embedding_length', 8],
    ['llama.feed_forward_length', 4],
    ['llama.attention.head_count', 2],
    ['llama.attention.head_count_kv', 1],
    ['llama.rope.freq_base', { f32: 100000 }],
    ['llama.attention.layer_norm_rms_epsilon', { f32: 1e-5 }],
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'smollm'],
    ['tokenizer.ggml.tokens', ['<|endoftext|>', 'a', 'b', 'ab', '<|im_end|>']],
    ['tokenizer.ggml.merges', ['a b']],
    ['tokenizer.ggml.token_type', { i32: [3, 1, 1, 1, 3] }],
    ['tokenizer.ggml.eos_token_id', 4],
  ];
  const q = Float32Array.from({ length: 64 }, (_, i) => i >> 3); // row numbers
  const tensors = [
    { name: 'token_embd.weight', dims: [8, 5], offset: 0 },
    { name: 'blk.0.attn_q.weight', dims: [8, 8], offset: 160 },
  ];
  const bytes = (changed: [string, Value][] = []) =>
    gguf([...keys.filter(([key]) => !changed.some(([k]) => k === key)), ...changed], tensors, f32(...Array<number>(40).fill(2), ...q));

  it('has the configuration, Hugging Face names and Hugging Face row order', async () => {
    const checkpoint = await openCheckpoint(await file(bytes()));
    expect(checkpoint.config).toEqual({
      architecture: 'llama',
      vocabSize: 5,
      hiddenSize: 8,
      layers: 1,
      heads: 2,
      kvHeads: 1,
      headDim: 4,
      ffnSize: 4,
      rmsEps: 1e-5,
      ropeTheta: 100000,
      tiedEmbeddings: true,
      qkvBias: false,
      qkNorm: false,
      maxPositions: 64,
      eosTokens: [4, 0],
    });
    const rows = await checkpoint.tensor('model.layers.0.self_attn.q_proj.weight');
    expect([...rows].filter((_, i) => i % 8 === 0)).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
    expect(checkpoint.has('model.embed_tokens.weight')).toBe(true);
    expect(checkpoint.has('lm_head.weight')).toBe(false);
    await expect(checkpoint.tensor('lm_head.weight')).rejects.toThrow(/no tensor for lm_head/);
    await checkpoint.close();
  });

  it('undoes the permutation w.reshape(heads, 2, h/2, …).swapaxes(1, 2)', () => {
    const [heads, half, columns] = [3, 4, 2];
    const original = Float32Array.from({ length: heads * 2 * half * columns }, (_, i) => i);
    const permuted = new Float32Array(original.length);
    for (let h = 0, to = 0; h < heads; h++)
      for (let i = 0; i < half; i++)
        for (let s = 0; s < 2; s++)
          for (let c = 0; c < columns; c++) permuted[to++] = original[((h * 2 + s) * half + i) * columns + c] as number;
    expect(unpermuteRows(permuted, heads, 2 * half)).toEqual(original);
  });

  it.each<[string, [string, Value][], RegExp]>([
    ['another architecture', [['general.architecture', 'mamba']], /architecture mamba; the embedded engine runs llama, qwen2, qwen3/],
    [
      'heads that cannot share',
      [
        ['llama.attention.head_count', 2],
        ['llama.attention.head_count_kv', 3],
      ],
      /2 heads cannot share 3/,
    ],
    ['an end token outside the vocabulary', [['tokenizer.ggml.eos_token_id', 5]], /outside the vocabulary/],
    ['an unknown tokenizer', [['tokenizer.ggml.model', 'llama']], /only byte-level BPE/],
    ['an unknown pre-tokenizer', [['tokenizer.ggml.pre', 'mystery']], /pre-tokenizer mystery is not known/],
    ['a list where a number belongs', [['llama.block_count', ['a']]], /llama.block_count is not a number/],
    ['more layers than any model has', [['llama.block_count', 5000]], /claims 5000 layers/],
    ['another rotary scaling', [['llama.rope.scaling.type', 'yarn']], /rotary scaling of type yarn/],
  ])('refuses %s', async (_name, changed, message) => {
    await expect(openCheckpoint(await file(bytes(changed)))).rejects.toThrow(message);
  });

  it('says what it wants when nothing is there', async () => {
    await expect(openCheckpoint(path.join(folder, 'absent'))).rejects.toThrow(/give a Hugging Face folder/);
  });
});
