/** kill −9 at random instants and at random file operations, then the same command again, until the run has come to its end. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Random } from '../src/base/random.js';
import { times, type FaultOptions, type Figures } from './section.js';
import { contentsOf, differences, scriptedRun, type Kill } from './scripted-run.js';

/** At random instants; about as many at file operations come on top. */
export const fullKills = 200;
const longStages = ['start', 'generate', 'judge', 'sft', 'rl', 'eval'];
/** So many failed runs of one folder are enough to know. */
const enough = 3;

export async function killed(options: FaultOptions): Promise<Figures> {
  const { home, seed, say } = options;
  const wanted = times(fullKills, options);
  const whole = path.join(home, 'kill', 'whole', 'run');
  const undisturbed = await scriptedRun(whole);
  if (undisturbed.code !== 0) return { lines: [], failures: [`the undisturbed run fails:\n${undisturbed.errors}`] };
  const expected = await contentsOf(whole);
  say(`undisturbed: ${Math.round(undisturbed.milliseconds)} ms, ${undisturbed.operations} file operations, ${expected.size} files`);

  const failures: string[] = [];
  const byStage = new Map<string, number>();
  const reordered = new Set<string>();
  let [instants, torn, runs, same] = [0, 0, 0, 0];
  for (let n = 0; instants < wanted && failures.length < enough; n++) {
    const random = new Random(`kill ${seed} ${n}`);
    const root = path.join(home, 'kill', String(n), 'run');
    const history: string[] = [];
    for (let goes = 0; ; goes++) {
      const kill = goes < 40 ? nextKill(random, undisturbed) : {};
      const ended = await scriptedRun(root, kill);
      history.push(kill.at === undefined ? `after ${Math.round(kill.after ?? 0)} ms` : `at operation ${kill.at}`);
      if (ended.code === null) {
        if (kill.at === undefined) instants++;
        else torn++;
        byStage.set(ended.stage, (byStage.get(ended.stage) ?? 0) + 1);
        continue;
      }
      if (ended.code !== 0) failures.push(`run ${n} of seed ${seed}, killed ${history.join(', ')}, does not go on: ${ended.errors.trim()}`);
      break;
    }
    runs++;
    const found = differences(expected, await contentsOf(root));
    for (const name of found.reordered) reordered.add(name);
    if (found.differ.length > 0) failures.push(`run ${n} of seed ${seed}, killed ${history.join(', ')}: ${found.differ.join('; ')}`);
    else {
      if (found.reordered.length === 0) same++;
      await rm(path.dirname(root), { recursive: true });
    }
    say(`${instants}/${wanted} kills at random instants, ${torn} at file operations, ${runs} runs, ${failures.length} wrong`);
  }
  // Stages of one or two operations are met by chance alone.
  for (const stage of wanted >= fullKills ? longStages : [])
    if (!byStage.has(stage)) failures.push(`no kill came in ${stage}, so that nothing is said of it`);
  const stages = [...byStage].map(([stage, count]) => `${stage} ${count}`).join(', ');
  return {
    lines: [
      `${instants + torn} kills in ${runs} runs, ${instants} at random instants, ${torn} at a random one of ${undisturbed.operations} file operations, half of it done: ${runs - failures.length} of ${runs} final folders equal the undisturbed one in all ${expected.size} files, ${same} of them byte for byte${reordered.size === 0 ? '' : `, the others but for the order of lines in ${[...reordered].sort().join(', ')}`} (seconds in metrics left out).`,
      `Stage at the kill: ${stages}.`,
    ],
    failures,
  };
}

const nextKill = (random: Random, whole: { milliseconds: number; operations: number }): Kill =>
  random.uniform() < 0.5 ? { after: random.uniform() * whole.milliseconds } : { at: 1 + random.integer(whole.operations) };
