/** Opens the folders of a run's shards, and refuses what does not make one whole. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { inputError } from '../base/errors.js';
import { bindingDifferences, readRunFile, RunPaths, type StoredRun } from '../base/run-folder.js';
import { shardText, type Shard } from '../base/shard.js';
import { shardFiles, whyUnfinished } from './shard-mark.js';

export interface ReadShard {
  paths: RunPaths;
  run: StoredRun;
  shard: Shard;
}

/** @returns every shard once, in order @throws input error that names the folder and what is wrong with it */
export async function readShards(folders: readonly string[]): Promise<ReadShard[]> {
  const given = await Promise.all(folders.map(openShard));
  const [first] = given;
  if (first === undefined) throw inputError('give the folders of all shards.');
  for (const other of given.slice(1)) refuseOtherRun(first, other);
  const shards = await oneOfEach(given);
  for (const { paths, run, shard } of shards) {
    const why = await whyUnfinished(paths, shard, run);
    if (why !== null)
      throw inputError(
        `${paths.root}: shard ${shardText(shard)} ${why}. Run it to its end (deliberate run … --shard ${shardText(shard)} --out ${paths.root}), copy it whole, then merge.`,
      );
  }
  return shards;
}

async function openShard(root: string): Promise<ReadShard> {
  const paths = new RunPaths(root);
  const run = await readRunFile(paths);
  if (run === null) throw inputError(`${root}: holds no run. Give the folders that \`deliberate run --shard i/n\` wrote.`);
  const { shard } = run;
  if (shard === undefined)
    throw inputError(`${root}: is a whole run, not a shard of one. Give the folders that \`deliberate run --shard i/n\` wrote.`);
  return { paths, run, shard };
}

function refuseOtherRun(first: ReadShard, other: ReadShard): void {
  const [a, b] = [first.paths.root, other.paths.root];
  const differ = (what: string) => inputError(`${a} and ${b} are not shards of one run: ${what}. Run one of them again as the other was.`);
  if (first.shard.of !== other.shard.of)
    throw differ(`the one is ${shardText(first.shard)}, the other ${shardText(other.shard)}, so the prompts were divided differently`);
  const value = (one: unknown) => JSON.stringify(one) ?? 'unset';
  const settings = bindingDifferences(first.run.config, other.run.config).map(
    ({ path: name, before, after }) => `${name} is ${value(before)} in the one and ${value(after)} in the other`,
  );
  if (settings.length > 0) throw differ(settings.join('; '));
  const [x, y] = [first.run.digests, other.run.digests];
  const categories = [...new Set([...Object.keys(x.spec), ...Object.keys(y.spec)])].filter((name) => x.spec[name] !== y.spec[name]);
  if (categories.length > 0) throw differ(`their specifications differ in ${categories.join(', ')}`);
  if (x.prompts !== y.prompts) throw differ('they were given different prompts');
  for (const what of ['model', 'adapter'] as const)
    if (x[what] !== y[what]) throw differ(`the ${what}'s weights differ (digest ${x[what]} and ${y[what]})`);
}

async function oneOfEach(given: readonly ReadShard[]): Promise<ReadShard[]> {
  const of = given[0]!.shard.of;
  const found: (ReadShard | undefined)[] = Array.from({ length: of });
  for (const one of given) {
    const before = found[one.shard.index - 1];
    if (before === undefined) found[one.shard.index - 1] = one;
    else await refuseOtherRecords(before, one);
  }
  const missing = found.flatMap((one, at) => (one === undefined ? [shardText({ index: at + 1, of })] : []));
  if (missing.length > 0) throw inputError(`missing: shard ${missing.join(', ')}. Give the folders of all ${of}; each must be done.`);
  return found as ReadShard[];
}

/** The same folder, or a copy of it, may be given twice. */
async function refuseOtherRecords(a: ReadShard, b: ReadShard): Promise<void> {
  const lines = async (file: string) => (await readFile(file, 'utf8').catch(() => '')).split('\n').sort().join('\n');
  for (const [at, file] of shardFiles(a.paths).entries()) {
    const other = shardFiles(b.paths)[at]!;
    if ((await lines(file)) !== (await lines(other)))
      throw inputError(
        `${a.paths.root} and ${b.paths.root} are both shard ${shardText(a.shard)}, with different records in ${path.basename(file)}. Give one of them.`,
      );
  }
}
