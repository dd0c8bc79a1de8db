import { mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float32ToBfloat16, halfToFloat32 } from './float-formats.js';
import { openSafetensors, writeSafetensors } from './safetensors.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'safetensors-'))));
afterAll(() => rm(folder, { recursive: true }));

const file = async (header: unknown, data = Buffer.alloc(0), length?: bigint) => {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const name = path.join(folder, `${Math.random()}.safetensors`);
  await writeFile(name, Buffer.concat([Buffer.from(BigUint64Array.of(length ?? BigInt(json.length)).buffer), json, data]));
  return name;
};
const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = 'F32') => ({ dtype, shape, data_offsets: [begin, end] });

describe('safetensors', () => {
  it('reads back what it wrote, tensors one by one', async () => {
    const name = path.join(folder, 'round.safetensors');
    const tensors = new Map([
      ['a', { shape: [2, 3], data: Float32Array.of(1, -2.5, 3e-20, Infinity, 0, -0) }],
      ['empty', { shape: [0, 4], data: new Float32Array(0) }],
      ['__proto__', { shape: [1], data: Float32Array.of(7) }],
    ]);
    await writeSafetensors(name, tensors, { metadata: { format: 'pt', step: '3' } });
    const read = await openSafetensors(name);
    expect(read.metadata).toEqual({ format: 'pt', step: '3' });
    expect(read.names).toEqual(['a', 'empty', '__proto__']);
    expect(read.tensors.get('a')?.shape).toEqual([2, 3]);
    for (const [key, { data }] of tensors) expect(await read.read(key)).toEqual(data);
    await read.close();
    // Whole or not at all: no temporary file is left, and the header is aligned.
    expect((await readdir(folder)).filter((f) => f.includes('.tmp'))).toEqual([]);
    expect(Number((await readFile(name)).readBigUInt64LE()) % 8).toBe(0);
  });

  it('leaves the old file alone when the new one cannot be written', async () => {
    const name = path.join(folder, 'old.safetensors');
    await writeFile(name, 'old');
    const broken = new Map([['a', { shape: [1], data: () => Promise.reject(new Error('disk')) }]]);
    await expect(writeSafetensors(name, broken)).rejects.toThrow(/disk/);
    expect(await readFile(name, 'utf8')).toBe('old');
    expect((await readdir(folder)).filter((f) => f.includes('.tmp'))).toEqual([]);
  });

  it('reads F16 and BF16, and writes BF16 rounded to nearest even', async () => {
    const half = Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555).buffer);
    const read = await openSafetensors(await file({ h: entry(0, 10, [5], 'F16') }, half));
    expect([...(await read.read('h'))]).toEqual([1, -2, 2 ** -24, Infinity, 0.333251953125]);
    await read.close();
    const name = path.join(folder, 'bf16.safetensors');
    await writeSafetensors(name, new Map([['b', { shape: [4], data: Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, NaN) }]]), {
      dtype: 'BF16',
    });
    const again = await openSafetensors(name);
    expect([...(await again.read('b'))]).toEqual([1, 1, 1 + 2 ** -6, NaN]);
    await again.close();
  });

  it('keeps every bfloat16 and the sign of every half', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const there = bfloat16ToFloat32(all);
    const back = float32ToBfloat16(there);
    expect([...all].filter((bits, i) => back[i] !== bits && !Number.isNaN(there[i]))).toEqual([]);
    const halves = halfToFloat32(all);
    expect(
      [...all].filter((bits) => !Number.isNaN(halves[bits]) && Object.is(halves[bits], Math.abs(halves[bits] as number)) !== bits < 0x8000),
    ).toEqual([]);
  });

  it.each<[string, () => Promise<string>, RegExp]>([
    [
      'an empty file',
      async () => {
        const f = await file('');
        await writeFile(f, '');
        return f;
      },
      /too short/,
    ],
    ['a header as large as memory', () => file({}, undefined, 2n ** 62n), /claims a header of 4611686018427387904 bytes/],
    ['a header longer than the file', () => file({}, undefined, 99n), /claims a header/],
    ['text that is not JSON', () => file('{"a":'), /not JSON/],
    ['a list', () => file('[]'), /not a JSON object/],
    [
      'bytes that are not UTF-8',
      async () =>
        file('{"\ud800":1}').then(async (f) => {
          const b = await readFile(f);
          b[10] = 0xff;
          await writeFile(f, b);
          return f;
        }),
      /not JSON/,
    ],
    [
      'a name twice',
      () =>
        file(
          '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
          Buffer.alloc(4),
        ),
      /named twice/,
    ],
    ['a hole', () => file({ a: entry(0, 4), b: entry(8, 12) }, Buffer.alloc(12)), /hole/],
    ['an overlap', () => file({ a: entry(0, 8), b: entry(4, 12) }, Buffer.alloc(12)), /overlaps/],
    ['bytes left over', () => file({ a: entry(0, 4) }, Buffer.alloc(5)), /end at byte/],
    ['missing bytes', () => file({ a: entry(0, 8) }, Buffer.alloc(4)), /end at byte/],
    ['a shape that disagrees', () => file({ a: entry(0, 8, [3]) }, Buffer.alloc(8)), /has 8 bytes/],
    ['a shape that overflows', () => file({ a: entry(0, 0, [2 ** 40, 2 ** 40]) }), /has 0 bytes/],
    ['a negative size', () => file({ a: entry(0, 4, [-1, -1]) }, Buffer.alloc(4)), /malformed/],
    ['offsets in reverse', () => file({ a: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }, Buffer.alloc(4)), /has -4 bytes/],
    ['a fractional offset', () => file({ a: { dtype: 'F32', shape: [1], data_offsets: [0.5, 4.5] } }, Buffer.alloc(4)), /malformed/],
    ['an unknown type', () => file({ a: entry(0, 4, [1], 'F33') }, Buffer.alloc(4)), /unknown type F33/],
    ['metadata that is not text', () => file({ __metadata__: { a: 1 } }), /__metadata__/],
  ])('refuses %s', async (_name, make, message) => {
    const name = await make();
    await expect(openSafetensors(name)).rejects.toThrow(message);
    await expect(openSafetensors(name)).rejects.toMatchObject({ kind: 'input' });
  });

  it.skipIf(process.platform === 'win32')('says how much memory a tensor needs where it is not to be had', async () => {
    const bytes = 2 ** 42;
    const name = await file({ huge: entry(0, bytes, [bytes / 2], 'F16') });
    // A hole that takes no room on the disk.
    await truncate(name, (await stat(name)).size + bytes);
    const read = await openSafetensors(name);
    await expect(read.read('huge')).rejects.toThrow(/not enough memory: reading .*\.safetensors needs 4398\.0 GB, and/);
    await expect(read.read('huge')).rejects.toMatchObject({ kind: 'dependency' });
    await read.close();
  });

  it('refuses to read whole numbers as weights', async () => {
    const read = await openSafetensors(await file({ a: entry(0, 4, [1], 'I32') }, Buffer.alloc(4)));
    await expect(read.read('a')).rejects.toThrow(/is I32; F32, F16 and BF16 can be read/);
    await read.close();
  });

  it('ends in a sentence or in a file for any header', async () => {
    const loose = fc.record({
      a: fc.record({
        dtype: fc.constantFrom('F32', 'F16', 'X'),
        shape: fc.array(fc.integer({ min: -1, max: 3 })),
        data_offsets: fc.array(fc.integer({ min: -1, max: 12 })),
      }),
    });
    await fc.assert(
      fc.asyncProperty(loose, fc.nat(12), async (header, bytes) => {
        const opened = await openSafetensors(await file(header, Buffer.alloc(bytes))).catch((error: unknown) => error);
        if (opened instanceof Error) expect(opened).toMatchObject({ kind: 'input' });
        else await (opened as Awaited<ReturnType<typeof openSafetensors>>).close();
      }),
      { numRuns: 60 },
    );
  });
});
