/**
 * The real stages generate and judge over a simulated server, in a process of its own: `node simulate-program.js JOB`. It may be told to
 * kill itself at a share of a stage: a signal from outside could come when the rest, all of it under way at once, is done already.
 * Prints `ready STAGE MS` (what there is has been read) and `first STAGE MS` (a new record is on the disk), in ms since the process began,
 * `done STAGE`, and its result at the end.
 */
import path from 'node:path';
import { parseConfig } from '../src/base/config.js';
import { packageRoot } from '../src/base/package-root.js';
import type { Progress } from '../src/base/progress.js';
import { ServerSettings, type ModelRole } from '../src/base/server-settings.js';
import { loadSpec } from '../src/align/spec/parse.js';
import { runStages } from '../src/cli/run.js';
import { openServerModel, serverDigest, type ServerModel } from '../src/engines/openai/server-model.js';
import { createScriptedWorkbench } from '../src/engines/scripted.js';
import type { RoleModel } from '../src/engines/workbench.js';
import { makePrompts } from './made-prompts.js';
import { resultMark } from './workload.js';

export interface Job {
  root: string;
  url: string;
  prompts: number;
  samples: number;
  judgeRuns: number;
  speed: number;
  kill?: { stage: string; at: number } | undefined;
}

export interface StageFigures {
  seconds: number;
  calls: number;
  retries: number;
  tokens: number;
}

export interface SimulatedRun {
  stages: Record<string, StageFigures>;
  peakMb: number;
}

const { root, url, prompts, samples, judgeRuns, speed, kill } = JSON.parse(process.argv[2] ?? '{}') as Job;
const say = (line: string) => void process.stdout.write(`${line}\n`);

const seconds = new Map<string, number>();
const progress: Progress = {
  say: () => undefined,
  task: (title, total) => {
    const start = performance.now();
    let done = 0;
    say(`ready ${title} ${Math.round(start)}`);
    return {
      advance: (items = 1) => {
        if (done === 0) say(`first ${title} ${Math.round(performance.now())}`);
        done += items;
        if (title === kill?.stage && done >= kill.at * total) process.kill(process.pid, 'SIGKILL');
      },
      done: () => {
        seconds.set(title, (performance.now() - start) / 1000);
        say(`done ${title}`);
      },
    };
  },
};

const servers: ServerModel[] = [];
/** Deadlines and waits run as fast as the server's time. */
function role(name: ModelRole): RoleModel {
  const settings = ServerSettings.parse({
    engine: 'openai',
    baseUrl: url,
    model: 'simulated',
    server: 'vllm',
    timeoutSeconds: 120 / speed,
    patienceSeconds: 300 / speed,
  });
  let opened: Promise<ServerModel> | undefined;
  const open = async () => {
    opened ??= openServerModel({ role: name, settings, cacheFile: path.join(root, 'cache', `${name}.jsonl`), firstWait: 500 / speed });
    const server = await opened;
    if (!servers.includes(server)) servers.push(server);
    return server.model;
  };
  return { open, digest: serverDigest(settings), concurrency: 128 };
}

const spec = await loadSpec(path.join(packageRoot, 'spec'));
const given = makePrompts(spec, prompts);
const config = parseConfig(
  {
    prompts: { train: prompts, ordinary: prompts, validation: 1 },
    generate: { samples, maxTokens: 400 },
    judge: { maxTokens: 400, runs: judgeRuns },
  },
  'simulation',
);
const bench = { ...createScriptedWorkbench(), layout: 'paper' as const, servers: { generator: role('generator'), judge: role('judge') } };
await runStages({ root, config, spec, prompts: given, bench, progress, codeVersion: 'simulation', stages: ['generate', 'judge'] });
const usage = servers.flatMap((server) => server.usage());
for (const server of servers) await server.close();
const stages = Object.fromEntries(
  [...seconds].map(([stage, taken]): [string, StageFigures] => {
    const rows = usage.filter((row) => row.stage === stage);
    const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + of(row), 0);
    return [
      stage,
      {
        seconds: taken,
        calls: sum(({ calls }) => calls),
        retries: sum(({ retries }) => retries),
        tokens: sum((row) => row.completionTokens),
      },
    ];
  }),
);
say(resultMark + JSON.stringify({ stages, peakMb: process.resourceUsage().maxRSS / 1024 } satisfies SimulatedRun));
