/**
 * `npm run bench -- simulate [--prompts 1000,10000] [--speed 10] [--save]`: the orchestrator against a server of realistic latency and
 * failure, in time that runs faster than real time; then the same with kill −9 in each stage.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { dependencyError, inputError } from '../src/base/errors.js';
import { fillScalePage, markdownTable, measuredOn } from './scale-page.js';
import type { Behaviour, Work } from './server-behaviour.js';
import { compiled, startServerProcess, type ServerProcess } from './server-process.js';
import type { Job, SimulatedRun } from './simulate-program.js';
import { resultMark } from './workload.js';

/** A calm server, and one with everything that servers do. */
export const servers = {
  calm: { loading: 0, faults: { error: 0, hangUp: 0, silence: 0 } },
  rough: { loading: 30, requestsPerSecond: 40, faults: { error: 0.01, hangUp: 0.005, silence: 0.0005 } },
} as const;
export type ServerName = keyof typeof servers;

const slots = 64;
const behaviour = (name: ServerName, speed: number): Behaviour => ({
  seed: 0,
  speed,
  firstToken: { median: 300, sigma: 0.6 },
  token: { median: 25, sigma: 0.3 },
  slots,
  writes: 'reasoning',
  ...servers[name],
});

export interface Simulation {
  server: ServerName;
  prompts: number;
  speed: number;
  run: SimulatedRun;
  /** The least time that the server could have taken for what each stage asked, s of simulated time. */
  least: Record<string, number>;
  kills: Kill[];
  /** Whether the records after the kills are those of the run without them. */
  same: boolean;
}

export interface Kill {
  stage: string;
  /** Share of the stage that was done. */
  at: number;
  /** ms from the start of the next process until it had read what there was, and until its first new record was on the disk. */
  ready: number;
  first: number;
}

interface Ended {
  result: SimulatedRun | null;
  ready: Map<string, number>;
  first: Map<string, number>;
}

/** One process, to its end or to its kill −9. */
function work(job: Job, onStage: (stage: string) => Promise<void>): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [compiled('simulate-program'), JSON.stringify(job)], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended: Ended = { result: null, ready: new Map(), first: new Map() };
    let errors = '';
    let asked: Promise<void> = Promise.resolve();
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith(resultMark)) ended.result = JSON.parse(line.slice(resultMark.length)) as SimulatedRun;
      const [what = '', stage = '', milliseconds] = line.split(' ');
      if (what === 'ready') ended.ready.set(stage, Number(milliseconds));
      if (what === 'first') ended.first.set(stage, Number(milliseconds));
      if (what === 'done') asked = asked.then(() => onStage(stage));
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0 || (job.kill !== undefined && signal === 'SIGKILL')) asked.then(() => resolve(ended), reject);
      else reject(dependencyError(`the simulated run in ${job.root} ended with code ${code}:\n${errors}`));
    });
  });
}

export interface SimulateOptions {
  server: ServerName;
  prompts: number;
  speed: number;
  samples?: number;
  judgeRuns?: number;
  /** Also with kill −9 in the midst of both stages. */
  kills: boolean;
  say?: (line: string) => void;
}

/** @throws dependency error when a process fails */
export async function simulate({
  server: name,
  prompts,
  speed,
  samples = 2,
  judgeRuns = 2,
  kills,
  say = () => undefined,
}: SimulateOptions): Promise<Simulation> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-simulation-'));
  const job = (root: string, { url }: ServerProcess): Job => ({ root: path.join(home, root), url, prompts, samples, judgeRuns, speed });
  try {
    const server = await startServerProcess(behaviour(name, speed));
    const least: Record<string, number> = {};
    let before: Work = { taken: 0, milliseconds: 0 };
    const onStage = async (stage: string) => {
      const now = await server.figures();
      const { requestsPerSecond: limit = Number.POSITIVE_INFINITY } = behaviour(name, speed);
      least[stage] = Math.max((now.milliseconds - before.milliseconds) / 1000 / slots, (now.taken - before.taken) / limit);
      before = now;
      say(`${prompts} prompts, ${name}: ${stage}`);
    };
    let whole: Ended;
    try {
      whole = await work(job('whole', server), onStage);
    } finally {
      await server.close();
    }
    const simulation: Simulation = { server: name, prompts, speed, run: whole.result!, least, kills: [], same: true };
    if (kills) {
      const again = await startServerProcess(behaviour(name, speed));
      try {
        let kill: { stage: string; at: number } | undefined;
        for (const next of [{ stage: 'generate', at: 0.5 }, { stage: 'judge', at: 0.5 }, undefined]) {
          const ended = await work({ ...job('killed', again), kill: next }, () => Promise.resolve());
          if (kill !== undefined)
            simulation.kills.push({
              ...kill,
              ready: ended.ready.get(kill.stage) ?? Number.NaN,
              first: ended.first.get(kill.stage) ?? Number.NaN,
            });
          kill = next;
          say(next === undefined ? 'after the kills: done' : `killed in ${next.stage}`);
        }
      } finally {
        await again.close();
      }
      for (const file of ['completions.jsonl', 'judgements.jsonl'])
        simulation.same &&= (await sortedLines(path.join(home, 'whole', file))) === (await sortedLines(path.join(home, 'killed', file)));
    }
    return simulation;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

const sortedLines = async (file: string): Promise<string> => (await readFile(file, 'utf8')).split('\n').sort().join('\n');

const time = (seconds: number) => (seconds < 600 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`);

/** Times of the server's world, at its speed; what the orchestrator itself takes is real. */
export function simulationTable(simulations: readonly Simulation[]): string {
  const rows = simulations.flatMap(({ server, prompts, speed, run, least, kills, same }) =>
    Object.entries(run.stages).map(([stage, { seconds, calls, retries, tokens }], i) => {
      const simulated = seconds * speed;
      const kill = kills.find((one) => one.stage === stage);
      return [
        i === 0 ? `${prompts.toLocaleString('en')}, ${server}` : '',
        stage,
        calls.toLocaleString('en'),
        retries.toLocaleString('en'),
        time(simulated),
        (calls / simulated).toFixed(1),
        (tokens / simulated).toFixed(0),
        `${((100 * (least[stage] ?? 0)) / simulated).toFixed(0)} %`,
        i === 0 ? `${run.peakMb.toFixed(0)} MB` : '',
        kill === undefined ? '–' : `${(kill.ready / 1000).toFixed(1)} s, ${(kill.first / 1000).toFixed(1)} s`,
        kills.length === 0 ? '–' : same ? 'the same' : '**others**',
      ];
    }),
  );
  return markdownTable(
    [
      'Prompts, server',
      'stage',
      'requests',
      'repeated',
      'time',
      'requests/s',
      'tokens/s',
      'of the possible',
      'peak memory',
      'after kill −9: read, new record',
      'records then',
    ],
    rows,
  );
}

export async function simulateCommand(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      prompts: { type: 'string', default: '1000,10000' },
      speed: { type: 'string', default: '10' },
      server: { type: 'string', default: 'calm,rough' },
      save: { type: 'boolean', default: false },
    },
  });
  const sizes = values.prompts.split(',').map(Number);
  const speed = Number(values.speed);
  const names = values.server.split(',');
  if (sizes.some((size) => !Number.isInteger(size) || size < 50))
    throw inputError(`--prompts must be whole numbers, 50 or more, not ${values.prompts}.`);
  if (!(speed > 0)) throw inputError(`--speed must be a positive number, not ${values.speed}.`);
  const unknown = names.find((name) => !(name in servers));
  if (unknown !== undefined) throw inputError(`--server: there is no ${unknown}; choose among ${Object.keys(servers).join(', ')}.`);
  const machine = measuredOn();
  const simulations: Simulation[] = [];
  for (const prompts of sizes)
    for (const server of names as ServerName[])
      simulations.push(await simulate({ server, prompts, speed, kills: true, say: (line) => console.error(`· ${line}`) }));
  const text = `${machine} Time runs ${speed} times as fast as it would with such a server, so the work of the orchestrator weighs ${speed} times what it would.\n\n${simulationTable(simulations)}`;
  console.log(text);
  if (values.save) await fillScalePage('simulation', text);
  const wrong = simulations.filter(({ same }) => !same);
  for (const { server, prompts } of wrong) console.log(`WRONG: ${prompts} prompts, ${server}: after the kills the records are others`);
  if (wrong.length > 0) process.exitCode = 1;
}
