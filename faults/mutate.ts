/** Damages files: random ones, and what somebody would write who wants to do harm. Everything follows from the seed. */
import type { Random } from '../src/base/random.js';

const extremes = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  1n << 32n,
  1n << 40n,
  (1n << 53n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];

/** @param focus most changes fall into the first so many bytes: a header */
export function mutateBytes(bytes: Buffer, random: Random, focus: number): Buffer {
  let out = Buffer.from(bytes);
  for (let left = 1 + random.integer(4); left > 0; left--) {
    const at = random.integer(random.uniform() < 0.85 ? Math.min(focus, out.length) : out.length);
    const length = 1 + random.integer(64);
    switch (random.integer(8)) {
      case 0:
        out[at] = random.integer(256);
        break;
      case 1:
        out[at] = (out[at] ?? 0) ^ (1 << random.integer(8));
        break;
      case 2:
        if (at + 8 <= out.length) out.writeBigUInt64LE(random.pick(extremes), at);
        break;
      case 3:
        if (at + 4 <= out.length) out.writeUInt32LE(Number(random.pick(extremes) & 0xffffffffn), at);
        break;
      case 4:
        out = Buffer.concat([out.subarray(0, at), Buffer.from(Array.from({ length }, () => random.integer(256))), out.subarray(at)]);
        break;
      case 5:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at + length)]);
        break;
      case 6:
        out = Buffer.concat([out.subarray(0, at + length), out.subarray(at)]);
        break;
      default:
        if (random.uniform() < 0.3) out = out.subarray(0, at);
        else out.fill(random.pick([0, 0x20, 0xff]), at, Math.min(at + length, out.length));
    }
  }
  return out;
}

const hostile: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e21,
  2 ** 31,
  2 ** 53,
  '',
  'a',
  ' ',
  '\ud800',
  '\u0000',
  '__proto__',
  'constructor',
  '<|im_end|>',
  'BPE',
  'x'.repeat(5000),
  [],
  [[]],
  {},
  [null],
  { type: 'Sequence' },
  { type: 'Split', pattern: { Regex: '[' } },
  { type: 'Split', pattern: { Regex: '' }, behavior: 'Isolated' },
  { Regex: '(' },
];

type Container = Record<string, unknown> | unknown[];

/** Changes one to three places anywhere in a JSON value. */
export function mutateJson(value: unknown, random: Random): unknown {
  const copy = structuredClone(value);
  for (let left = 1 + random.integer(3); left > 0; left--) {
    const [owner, key] = somewhere(copy as Container, random);
    const items = owner as Record<string, unknown>;
    switch (random.integer(5)) {
      case 0:
        if (Array.isArray(owner)) owner.splice(Number(key), 1);
        else delete items[key];
        break;
      case 1:
        if (Array.isArray(owner)) owner.push(structuredClone(owner[Number(key)]));
        else items[random.pick(['__proto__', 'type', 'id', 'extra', ''])] = items[key];
        break;
      default:
        items[key] = structuredClone(random.pick(hostile));
    }
  }
  return copy;
}

/** A place, each level of nesting as likely as the next. */
function somewhere(root: Container, random: Random): [Container, string] {
  let owner = root;
  for (;;) {
    const keys = Object.keys(owner);
    if (keys.length === 0) return [owner, '0'];
    const key = random.pick(keys);
    const inner = (owner as Record<string, unknown>)[key];
    if (inner === null || typeof inner !== 'object' || random.uniform() < 0.25) return [owner, key];
    owner = inner as Container;
  }
}

const fragments = [
  '{%',
  '%}',
  '{{',
  '}}',
  ' if ',
  ' for x in messages ',
  '{% endfor %}',
  '{% endif %}',
  ' | ',
  'messages',
  '[0]',
  '.content',
  "'",
  '"',
  '(',
  ')',
  '~',
  '-',
  'range(9)',
  '\u0000',
  'é',
];

/** Damages a template. */
export function mutateText(text: string, random: Random): string {
  let out = text;
  for (let left = 1 + random.integer(4); left > 0; left--) {
    const at = random.integer(out.length + 1);
    const length = random.integer(20);
    switch (random.integer(4)) {
      case 0:
        out = out.slice(0, at) + out.slice(at + length);
        break;
      case 1:
        out = out.slice(0, at) + random.pick(fragments) + out.slice(at);
        break;
      case 2:
        out = out.slice(0, at + length) + out.slice(at);
        break;
      default:
        out = out.slice(0, at) + String.fromCharCode(32 + random.integer(95)) + out.slice(at + 1);
    }
  }
  return out;
}
