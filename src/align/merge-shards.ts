/** Puts the shards of a run together: one run folder, as one machine alone would have made it, in which the filter and what follows go on. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { writeTextAtomically } from '../base/atomic-text.js';
import { diskError } from '../base/disk-error.js';
import { inputError } from '../base/errors.js';
import { lockFolder } from '../base/folder-lock.js';
import { jsonlLines } from '../base/jsonl-lines.js';
import { Completion, Judgement, Prompt } from '../base/records.js';
import { RunPaths } from '../base/run-folder.js';
import { Categorised } from './categorise.js';
import { mergeRecords, type Place } from './merge-records.js';
import { readShards, type ReadShard } from './read-shards.js';
import { fileDigest } from './shard-mark.js';
import { byCategory } from './stage.js';

export interface Merged {
  shards: number;
  prompts: number;
  completions: number;
  judgements: number;
  /** The target held exactly this already: an earlier merge had come to its end. */
  already: boolean;
}

/** All that a merged folder may hold. */
const names = ['run.yaml', 'prompts.jsonl', 'categories.jsonl', 'completions.jsonl', 'judgements.jsonl', 'usage.jsonl'];

/**
 * The target appears whole or not at all: it is built beside and renamed. A merge that was killed leaves `.NAME.merging`, which the
 * next one uses. Shards are only read.
 * @throws input error for shards that do not make one whole (other settings, prompts or specification, one missing, not done or there
 * twice with other records), and for a target that is in use or holds something else
 */
export async function mergeShards(to: string, folders: readonly string[]): Promise<Merged> {
  const target = path.resolve(to);
  const shards = await readShards(folders);
  await refuseTarget(target);
  const room = path.join(path.dirname(target), `.${path.basename(target)}.merging`);
  const lock = await lockFolder(room);
  const fresh = path.join(room, 'run');
  try {
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh);
    const counts = await build(new RunPaths(fresh), shards);
    const already = await sameFolder(fresh, target);
    if (!already) await moveInto(fresh, target);
    return { shards: shards.length, ...counts, already };
  } finally {
    await removeAllBut(['.lock', '.writer.json'], room);
    await lock.release();
    // Not where another merge has the lock already.
    await rmdir(room).catch(() => undefined);
  }
}

async function build(out: RunPaths, shards: readonly ReadShard[]) {
  const [first] = shards as [ReadShard];
  const { shard: _, ...run } = parse(await readFile(first.paths.runFile(), 'utf8')) as Record<string, unknown>;
  await writeTextAtomically(out.runFile(), stringify(run));
  await writeTextAtomically(out.prompts(), await readFile(first.paths.prompts()));
  const usage = await Promise.all(shards.map(({ paths }) => readFile(paths.file('usage.jsonl')).catch(() => Buffer.alloc(0))));
  if (usage.some(({ length }) => length > 0)) await writeTextAtomically(out.file('usage.jsonl'), Buffer.concat(usage));

  const last: Place = { prompt: Number.MAX_SAFE_INTEGER, sample: 0 };
  const prompts = await promptList(first.paths);
  const asked = new Map(prompts.map(({ id }, at): [string, number] => [id, at]));
  const categories = shards.map(({ paths }) => paths.categories());
  const categoryOf = new Map<string, string>();
  if (categories.some((file) => existsSync(file)))
    await mergeRecords({
      files: categories,
      schema: Categorised,
      about: ({ promptId }) => promptId,
      place: ({ promptId, category }) => {
        categoryOf.set(promptId, category);
        return { prompt: asked.get(promptId) ?? last.prompt, sample: 0 };
      },
      out: out.categories(),
    });

  // Generation and judging take the prompts of one category after the other.
  const ordered = byCategory(prompts, ({ id, category }) => category ?? categoryOf.get(id) ?? 'none');
  const turn = new Map(ordered.map(({ id }, at): [string, number] => [id, at]));
  const placeOf = new Map<string, Place>();
  const completions = await mergeRecords({
    files: shards.map(({ paths }) => paths.completions()),
    schema: Completion,
    about: ({ promptId }) => promptId,
    place: ({ id, promptId, sample }) => {
      const place = { prompt: turn.get(promptId) ?? last.prompt, sample };
      placeOf.set(id, place);
      return place;
    },
    out: out.completions(),
  });
  const judgements = await mergeRecords({
    files: shards.map(({ paths }) => paths.judgements()),
    schema: Judgement,
    about: ({ completionId }) => completionId,
    place: ({ completionId }) => placeOf.get(completionId) ?? last,
    out: out.judgements(),
  });
  return { prompts: prompts.filter(({ train }) => train).length, completions, judgements };
}

/** In the order of the run; of each only what the order of records needs. */
async function promptList(paths: RunPaths): Promise<{ id: string; category: string | undefined; train: boolean }[]> {
  const list = [];
  for await (const { bytes } of jsonlLines(paths.prompts())) {
    const { id, category, split } = Prompt.parse(JSON.parse(bytes.toString('utf8')));
    list.push({ id, category, train: split === 'train' });
  }
  return list;
}

const entries = (folder: string): Promise<string[] | null> =>
  readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw diskError(folder, error);
  });

/** A merge that was killed may have left more than the run: a name half-written into its lock. */
async function removeAllBut(kept: readonly string[], room: string): Promise<void> {
  for (const name of (await entries(room)) ?? [])
    if (!kept.includes(name)) await rm(path.join(room, name), { recursive: true, force: true });
}

const notEmpty = (target: string) =>
  inputError(`${target}: is not empty. Give a folder that is new or empty; a merge writes into no run that has begun.`);

/** What an earlier merge of the same shards left may be there: it is compared at the end. */
async function refuseTarget(target: string): Promise<void> {
  const there = (await entries(target)) ?? [];
  // Says who writes there, if somebody does.
  if (there.includes('.lock')) await (await lockFolder(target)).release();
  if (there.some((name) => !names.includes(name))) throw notEmpty(target);
}

async function sameFolder(fresh: string, target: string): Promise<boolean> {
  const [made, there] = [(await entries(fresh)) ?? [], (await entries(target)) ?? []];
  if (there.length === 0) return false;
  const equal = async (name: string) => (await fileDigest(path.join(fresh, name))) === (await fileDigest(path.join(target, name)));
  if (made.length !== there.length || made.some((name) => !there.includes(name))) throw notEmpty(target);
  for (const name of made) if (!(await equal(name))) throw notEmpty(target);
  return true;
}

async function moveInto(fresh: string, target: string): Promise<void> {
  try {
    // An empty folder makes room; Windows renames over none.
    await rmdir(target).catch(() => undefined);
    await rename(fresh, target);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw ['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(code) ? notEmpty(target) : diskError(target, error);
  }
}
