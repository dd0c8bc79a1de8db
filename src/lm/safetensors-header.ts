/** The JSON header of a safetensors file, checked as strictly as the format's own reader does. */
import { z } from 'zod';
import { inputError } from '../base/errors.js';

const bytesOf: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};

const Entry = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.int().min(0)).max(8),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});

export interface SafetensorsInfo {
  dtype: string;
  shape: number[];
  /** Absolute byte offset in the file, and length. */
  start: number;
  bytes: number;
}

export interface SafetensorsHeader {
  metadata: Map<string, string>;
  tensors: Map<string, SafetensorsInfo>;
}

/** A header is an object of objects with lists; millions of lists in lists would end the process in JSON.parse. */
const deepest = 16;

/** @throws input error: not JSON, names twice, sizes that disagree, holes, overlaps, bytes left over */
export function parseSafetensorsHeader(head: Uint8Array, path: string, fileSize: number): SafetensorsHeader {
  const wrong = (what: string) => inputError(`${path}: ${what}. The file is damaged or not safetensors; fetch it again.`);
  let text: string;
  let parsed: unknown;
  let repeated: string | null;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(head);
    repeated = repeatedKey(text);
    parsed = JSON.parse(text);
  } catch (cause) {
    throw wrong(`the header is not JSON (${(cause as Error).message.slice(0, 100)})`);
  }
  if (text[0] !== '{' || parsed === null || typeof parsed !== 'object') throw wrong('the header is not a JSON object');
  if (repeated !== null) throw wrong(`tensor ${repeated} is named twice`);

  const metadata = new Map<string, string>();
  const tensors = new Map<string, SafetensorsInfo>();
  const dataStart = 8 + head.length;
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') {
      const texts = z.record(z.string(), z.string()).safeParse(value);
      if (!texts.success) throw wrong('__metadata__ is not a map of texts');
      for (const [key, text] of Object.entries(texts.data)) metadata.set(key, text);
      continue;
    }
    const entry = Entry.safeParse(value);
    if (!entry.success) throw wrong(`the entry of tensor ${name} is malformed (${z.prettifyError(entry.error).slice(0, 200)})`);
    const {
      dtype,
      shape,
      data_offsets: [begin, end],
    } = entry.data;
    const size = bytesOf[dtype];
    if (size === undefined) throw wrong(`tensor ${name} has the unknown type ${dtype}`);
    const bytes = shape.reduce((product, n) => product * n, size);
    if (!Number.isSafeInteger(bytes) || end - begin !== bytes) {
      throw wrong(`tensor ${name} of shape [${shape.join(', ')}] and type ${dtype} has ${end - begin} bytes`);
    }
    tensors.set(name, { dtype, shape, start: dataStart + begin, bytes });
  }
  let expected = dataStart;
  for (const [name, { start, bytes }] of [...tensors].sort(([, a], [, b]) => a.start - b.start || a.bytes - b.bytes)) {
    if (start !== expected) throw wrong(`tensor ${name} ${start < expected ? 'overlaps another' : 'leaves a hole before it'}`);
    expected += bytes;
  }
  if (expected !== fileSize) throw wrong(`the tensors end at byte ${expected} and the file at byte ${fileSize}`);
  return { metadata, tensors };
}

/**
 * JSON.parse keeps the last of two equal names without a word, so names at the top level are collected here, before it.
 * @throws Error for what nests deeper than any header, wherever it stands, and for names that are no JSON
 */
function repeatedKey(json: string): string | null {
  const seen = new Set<string>();
  let repeated: string | null = null;
  let depth = 0;
  for (const { 0: token, 1: colon } of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}[\]]/gs)) {
    if (token === '{' || token === '[') {
      if (++depth > deepest) throw new Error('nested too deeply');
    } else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && colon !== undefined) {
      const key = JSON.parse(token.slice(0, -colon.length)) as string;
      if (seen.has(key)) repeated ??= key;
      seen.add(key);
    }
  }
  return repeated;
}
