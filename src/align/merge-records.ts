/** Records of several files in one, each once, in the order in which one machine alone would have begun them. Only an index is in memory. */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { z } from 'zod';
import { diskError } from '../base/disk-error.js';
import { inputError } from '../base/errors.js';
import { jsonlLines } from '../base/jsonl-lines.js';
import { jsonOrNull } from '../base/parse-json.js';
import { canonicalJson } from '../base/records.js';

/** Records of smaller places come first; those of equal ones keep their order. */
export interface Place {
  prompt: number;
  sample: number;
}

export interface MergeRecords<T extends { id: string }> {
  files: readonly string[];
  schema: z.ZodType<T>;
  /** What the record is about: of two records with one id, about one thing, the contents must be the same. */
  about: (record: T) => string;
  place: (record: T) => Place;
  out: string;
}

interface Entry extends Place {
  id: string;
  about: string;
  digest: string;
  file: number;
  line: number;
  at: number;
  length: number;
}

const batch = 1 << 20;

/**
 * Lines are copied byte for byte; files may be missing.
 * @returns the number of records
 * @throws input error for a line that is no record, and for two records of one id whose contents differ; dependency error when the disk refuses
 */
export async function mergeRecords<T extends { id: string }>(options: MergeRecords<T>): Promise<number> {
  const { files, out } = options;
  const entries = await index(options);
  entries.sort((a, b) => a.prompt - b.prompt || a.sample - b.sample || a.file - b.file || a.at - b.at);
  const once = withoutRepeats(entries, files);
  const sources = new Map<number, FileHandle>();
  try {
    const target = await open(out, 'w');
    try {
      let [pending, size]: [Buffer[], number] = [[], 0];
      const flush = async () => {
        await target.appendFile(Buffer.concat(pending));
        [pending, size] = [[], 0];
      };
      for (const { file, at, length } of once) {
        let source = sources.get(file);
        if (source === undefined) {
          source = await open(files[file]!, 'r');
          sources.set(file, source);
        }
        const line = Buffer.alloc(length + 1, 0x0a);
        await source.read(line, 0, length, at);
        pending.push(line);
        size += line.length;
        if (size >= batch) await flush();
      }
      await flush();
      await target.sync();
    } finally {
      await target.close();
    }
  } catch (error) {
    throw diskError(out, error);
  } finally {
    for (const source of sources.values()) await source.close();
  }
  return once.length;
}

async function index<T extends { id: string }>({ files, schema, about, place }: MergeRecords<T>): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const [file, name] of files.entries()) {
    for await (const { number, at, bytes } of jsonlLines(name)) {
      const text = bytes.toString('utf8');
      if (text.trim() === '') continue;
      const record = schema.safeParse(jsonOrNull(text));
      if (!record.success)
        throw inputError(
          `${name}:${number}: is not a record of this version (${record.error.issues[0]?.message}). Remove the line, and run the shard again: what it held is made again.`,
        );
      const { id } = record.data;
      const digest = createHash('sha256').update(canonicalJson(record.data)).digest('base64').slice(0, 16);
      entries.push({ id, about: about(record.data), digest, file, line: number, at, length: bytes.length, ...place(record.data) });
    }
  }
  return entries;
}

/** Two prompts of the same words have completions of the same id; a run alone makes them once, for the first. */
function withoutRepeats(entries: readonly Entry[], files: readonly string[]): Entry[] {
  const first = new Map<string, Entry>();
  return entries.filter((entry) => {
    const before = first.get(entry.id);
    if (before === undefined) {
      first.set(entry.id, entry);
      return true;
    }
    if (before.about === entry.about && before.digest !== entry.digest)
      throw inputError(
        `${files[before.file]}:${before.line} and ${files[entry.file]}:${entry.line} hold different records of one id, ${entry.id}: these shards overlap. Keep one of the two folders and run the shards that are missing.`,
      );
    return false;
  });
}
