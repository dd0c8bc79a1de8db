/**
 * kill −9 of real runs: SmolLM2 on the embedded engine with the settings of `demo --smoke`. Started only by `npm run faults -- --real`,
 * for it takes a quarter of an hour on a quiet machine. Kills are spread over the stages; after each the same command goes on.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { duration } from '../src/base/progress.js';
import { Random } from '../src/base/random.js';
import { compareStored, storedIn } from './same-records.js';
import { compiled, times, type FaultOptions, type Figures } from './section.js';

/** Kills in each stage, in their order; a few more than are needed, for a stage may end before its kill. */
const plan = { start: 2, generate: 4, judge: 4, sft: 5, rl: 5, eval: 4 } as const;
type Stage = keyof typeof plan;
const order = Object.keys(plan) as Stage[];
export const fullRealKills = 20;
/** Kills come in this part of a stage's time, so that they come before its end although some of it was done before. */
const part = 0.8;
const mostRuns = 3;

/** Of an undisturbed run. */
interface Measured {
  milliseconds: number;
  operations: number;
}

interface Life {
  /** null: killed. */
  code: number | null;
  /** The last stage it spoke of. */
  stage: string;
  stages: Map<string, Measured>;
  milliseconds: number;
  errors: string;
}

interface Kill {
  stage: Stage;
  /** Milliseconds after the stage began. */
  after?: number;
  /** Or at this file operation of the stage. */
  at?: number;
}

export async function killedForReal(options: FaultOptions): Promise<Figures> {
  const { home, seed, say } = options;
  const wanted = times(fullRealKills, options);
  const started = performance.now();
  const folder = (name: string) => path.join(home, 'real', name, 'run');
  say('an undisturbed run first');
  const undisturbed = await live(folder('whole'));
  if (undisturbed.code !== 0) return { lines: [], failures: [`the undisturbed run fails:\n${undisturbed.errors}`] };
  const expected = await storedIn(folder('whole'));
  say(`undisturbed: ${seconds(undisturbed.milliseconds)} (${timesOf(undisturbed)}), ${expected.size} files`);

  const failures: string[] = [];
  const byStage = new Map<string, number>(order.map((stage) => [stage, 0]));
  const totals = { records: 0, equalRecords: 0, files: 0, equalFiles: 0 };
  const others = new Set<string>();
  let [kills, torn, runs] = [0, 0, 0];
  while (kills < wanted && runs < mostRuns && failures.length === 0) {
    const random = new Random(`real kill ${seed} ${runs}`);
    const root = folder(String(runs));
    let due = killsOf(random, undisturbed);
    for (let ended = false; !ended;) {
      // Armed in each stage, so that the later ones are still killed where a stage ends before its kill.
      const armed = order.flatMap((stage) => due.find((kill) => kill.stage === stage) ?? []);
      const life = await live(root, armed);
      ended = life.code !== null;
      if (life.code === null) {
        const killed = armed.find(({ stage }) => stage === life.stage);
        if (killed === undefined) {
          failures.push(`run ${runs} of seed ${seed} died by itself in ${life.stage}: ${life.errors.trim()}`);
          break;
        }
        kills++;
        if (killed.at !== undefined) torn++;
        byStage.set(killed.stage, (byStage.get(killed.stage) ?? 0) + 1);
        due = due.filter((kill) => kill !== killed && order.indexOf(kill.stage) >= order.indexOf(killed.stage));
      } else if (life.code !== 0) failures.push(`run ${runs} of seed ${seed} does not go on after ${kills} kills: ${life.errors.trim()}`);
      say(`${kills}/${wanted} kills, in ${life.stage} after ${seconds(life.milliseconds)}; ${seconds(performance.now() - started)} in all`);
    }
    runs++;
    if (failures.length > 0) break;
    const found = compareStored(expected, await storedIn(root));
    failures.push(...found.wrong.map((wrong) => `run ${runs - 1} of seed ${seed}: ${wrong}`));
    for (const key of ['records', 'equalRecords', 'files', 'equalFiles'] as const) totals[key] += found[key];
    for (const name of found.otherFiles) others.add(name);
  }
  for (const [stage, count] of wanted < fullRealKills ? [] : byStage)
    if (count === 0) failures.push(`no kill came in ${stage}, so that nothing is said of it`);
  if (kills < wanted) failures.push(`only ${kills} kills of ${wanted} in ${runs} runs: stages end before their kills`);
  const stages = [...byStage].map(([stage, count]) => `${stage} ${count}`).join(', ');
  return {
    lines: [
      `${kills} kills in ${runs} runs of SmolLM2-135M with the settings of \`demo --smoke\`, ${kills - torn} at random instants and ${torn} at random file operations of a stage (half of it done): ${failures.length === 0 ? 'the same files and record ids as the undisturbed run, nothing lost, nothing doubled' : 'WRONG'}.`,
      `${totals.equalRecords} of ${totals.records} records are equal in all they say, ${totals.equalFiles} of ${totals.files} other files (weights, settings, tables, report) byte for byte${others.size === 0 ? '' : `; not ${[...others].sort().join(', ')}`}.`,
      `Stage at the kill: ${stages}. Undisturbed ${seconds(undisturbed.milliseconds)} (${timesOf(undisturbed)}); all of this ${seconds(performance.now() - started)}.`,
    ],
    failures,
  };
}

const seconds = (milliseconds: number) => duration(milliseconds / 1000);
const timesOf = ({ stages }: Life) => [...stages].map(([stage, { milliseconds }]) => `${stage} ${seconds(milliseconds)}`).join(', ');

/** By turns at an instant and at a file operation, counted from where the process before was killed: each takes its share of the stage. */
function killsOf(random: Random, { stages }: Life): Kill[] {
  return order.flatMap((stage) => {
    const { milliseconds, operations } = stages.get(stage) ?? { milliseconds: 0, operations: 0 };
    const share = part / plan[stage];
    return Array.from({ length: plan[stage] }, (_, i): Kill => {
      if (i % 2 === 1 && operations > 0) return { stage, at: 1 + random.integer(Math.ceil(operations * share)) };
      return { stage, after: random.uniform() * milliseconds * share };
    });
  });
}

const program = compiled('real-kill-program');

/** One process, until it has ended. @param kills one of a stage at most */
function live(root: string, kills: readonly Kill[] = []): Promise<Life> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const atOperations = kills.flatMap(({ stage, at }) => (at === undefined ? [] : `${stage}=${at}`));
    const child = spawn(process.execPath, [program, root, ...atOperations], { stdio: ['ignore', 'pipe', 'pipe'] });
    const stages = new Map<string, Measured>();
    let current = { stage: 'loading', at: start, operations: 0 };
    let [rest, errors] = ['', ''];
    let timer: NodeJS.Timeout | undefined;
    const next = (stage: string, operations: number) => {
      const now = performance.now();
      const before = stages.get(current.stage) ?? { milliseconds: 0, operations: 0 };
      stages.set(current.stage, {
        milliseconds: before.milliseconds + now - current.at,
        operations: before.operations + operations - current.operations,
      });
      const begins = stage !== current.stage;
      current = { stage, at: now, operations };
      // A stage that speaks again is still the same.
      if (!begins) return;
      clearTimeout(timer);
      const after = kills.find((kill) => kill.stage === stage)?.after;
      if (after !== undefined) timer = setTimeout(() => child.kill('SIGKILL'), after);
    };
    child.stdout.on('data', (data: Buffer) => {
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [, stage, operations] = /^(?:stage (\w+)|end) (\d+)$/.exec(line) ?? [];
        if (operations !== undefined) next(stage ?? 'end', Number(operations));
      }
    });
    child.stderr.on('data', (data: Buffer) => (errors = (errors + data.toString()).slice(-4000)));
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      stages.delete('end');
      resolve({ code, stage: current.stage, stages, milliseconds: performance.now() - start, errors });
    });
  });
}
