/** kill −9 at each file operation of a run in turn, half of it done, then the same command again. */
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { inParallel } from '../src/base/parallel.js';
import type { FaultOptions, Figures } from './section.js';
import { contentsOf, differences, scriptedRun } from './scripted-run.js';

/** So many failures are enough to know. */
const enough = 5;

export async function killedAtEach(options: FaultOptions): Promise<Figures> {
  const { home, scale, say } = options;
  const whole = path.join(home, 'each', 'whole', 'run');
  const undisturbed = await scriptedRun(whole);
  if (undisturbed.code !== 0) return { lines: [], failures: [`the undisturbed run fails:\n${undisturbed.errors}`] };
  const expected = await contentsOf(whole);
  const every = Math.max(1, Math.round(1 / scale));
  const wanted = Array.from({ length: Math.floor(undisturbed.operations / every) }, (_, i) => (i + 1) * every).filter(
    (at) => options.only === undefined || at === Number(options.only),
  );

  const failures: string[] = [];
  const byStage = new Map<string, number>();
  const reordered = new Set<string>();
  let [tried, same] = [0, 0];
  await inParallel(wanted, os.availableParallelism(), async (at) => {
    if (failures.length >= enough) return;
    const root = path.join(home, 'each', String(at), 'run');
    const again = `See it again: npm run faults -- --only each --case ${at}`;
    const killed = await scriptedRun(root, { at });
    byStage.set(killed.stage, (byStage.get(killed.stage) ?? 0) + 1);
    const gone = await scriptedRun(root);
    tried++;
    // The order of requests in flight may differ, so the last operations need not come.
    if (killed.code !== null && at < undisturbed.operations * 0.98) failures.push(`operation ${at} did not come. ${again}`);
    if (gone.code !== 0) return void failures.push(`killed at operation ${at}, does not go on: ${gone.errors.trim()}. ${again}`);
    const found = differences(expected, await contentsOf(root));
    for (const name of found.reordered) reordered.add(name);
    if (found.differ.length > 0) failures.push(`killed at operation ${at}: ${found.differ.join('; ')}. ${again}`);
    else {
      if (found.reordered.length === 0) same++;
      await rm(path.dirname(root), { recursive: true });
    }
    if (tried % 20 === 0) say(`${tried}/${wanted.length} operations, ${failures.length} wrong`);
  });
  const stages = [...byStage].map(([stage, count]) => `${stage} ${count}`).join(', ');
  const equal = tried - failures.length;
  return {
    lines: [
      `${tried} runs, each killed once, at ${every === 1 ? 'every one' : `every ${every}th`} of ${undisturbed.operations} file operations, half of it done: ${equal} of ${tried} final folders equal the undisturbed one in all ${expected.size} files, ${same} of them byte for byte${reordered.size === 0 ? '' : `, the others but for the order of lines in ${[...reordered].sort().join(', ')}`} (seconds in metrics left out).`,
      `Stage at the kill: ${stages}.`,
    ],
    failures,
  };
}
