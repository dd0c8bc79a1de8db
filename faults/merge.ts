/** kill −9 at each file operation of a merge of shards, half of it done, then the same command again. */
import { execFile } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { loadSpec } from '../src/align/spec/parse.js';
import { parseConfig } from '../src/base/config.js';
import { packageRoot } from '../src/base/package-root.js';
import { silent } from '../src/base/progress.js';
import { runStages } from '../src/cli/run.js';
import { createScriptedWorkbench } from '../src/engines/scripted.js';
import { loadPrompts } from '../src/prompts/load.js';
import { contentsOf, differences } from './scripted-run.js';
import { compiled, type FaultOptions, type Figures } from './section.js';

const of = 3;

export async function killedMerges({ home, scale, say }: FaultOptions): Promise<Figures> {
  const folder = path.join(home, 'merge');
  const shards = await makeShards(folder);
  const whole = path.join(folder, 'whole');
  const { operations } = await merge(0, whole, shards);
  const expected = await contentsOf(whole);
  const given = await Promise.all(shards.map(contentsOf));
  const every = Math.max(1, Math.round(1 / scale));
  const failures: string[] = [];
  let [tried, absent] = [0, 0];
  for (let at = every; at <= operations; at += every) {
    const target = path.join(folder, `killed-${at}`);
    await merge(at, target, shards);
    // All or nothing, at every instant.
    const left = await contentsOf(target).catch(() => null);
    if (left === null) absent++;
    else if (differences(expected, left).differ.length > 0)
      failures.push(`killed at operation ${at}: the target is neither whole nor absent`);
    const { error } = await merge(0, target, shards);
    if (error !== '') failures.push(`killed at operation ${at}, does not go on: ${error}`);
    else {
      const { differ, reordered } = differences(expected, await contentsOf(target));
      if (differ.length + reordered.length > 0) failures.push(`killed at operation ${at}: ${[...differ, ...reordered].join('; ')}`);
    }
    tried++;
    await rm(target, { recursive: true, force: true });
  }
  const hidden = (await readdir(folder)).filter((name) => name.startsWith('.'));
  if (hidden.length > 0) failures.push(`left over: ${hidden.join(', ')}`);
  for (const [i, root] of shards.entries())
    if (differences(given[i]!, await contentsOf(root)).differ.length > 0) failures.push(`the merges changed shard ${i + 1}`);
  say(`${tried} kills, ${failures.length} wrong`);
  return {
    lines: [
      `${tried} merges of ${of} shards, each killed at ${every === 1 ? 'every one' : `every ${every}th`} of ${operations} file operations, half of it done: the target was absent ${absent} times and whole ${tried - absent} times, and the same command then gave the same ${expected.size} files byte for byte.`,
    ],
    failures,
  };
}

async function makeShards(folder: string): Promise<string[]> {
  const [spec, prompts] = [
    await loadSpec(path.join(packageRoot, 'spec')),
    await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl')),
  ];
  const config = parseConfig(
    { prompts: { train: 16, ordinary: 4 }, generate: { samples: 2, maxTokens: 400 }, judge: { maxTokens: 400 } },
    'faults',
  );
  const roots = Array.from({ length: of }, (_, i) => path.join(folder, `${i + 1}of${of}`));
  for (const [i, root] of roots.entries()) {
    const bench = createScriptedWorkbench();
    await runStages({ root, config, spec, prompts, bench, progress: silent, codeVersion: 'faults', shard: { index: i + 1, of } });
  }
  return roots;
}

/** `error` is empty where it was killed or came to its end. */
async function merge(at: number, target: string, shards: readonly string[]): Promise<{ operations: number; error: string }> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [compiled('merge-program'), String(at), target, ...shards]);
    return { operations: Number(/^operations (\d+)$/m.exec(stdout)?.[1] ?? 0), error: '' };
  } catch (error) {
    const { signal, stderr = '' } = error as { signal?: string; stderr?: string };
    return { operations: 0, error: signal === 'SIGKILL' ? '' : stderr || String(error) };
  }
}
