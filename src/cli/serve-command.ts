/** `serve`: a run's arms, or any model, behind OpenAI's API; or a run's judge, as the reward of other programs' training. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { armNames, type ArmName, type Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { createProgress } from '../base/progress.js';
import { readRunFile, RunPaths, type StoredRun } from '../base/run-folder.js';
import { specsOf } from '../align/compiled-specs.js';
import { sharedLayout } from '../align/generation-prompt.js';
import { loadSpec } from '../align/spec/parse.js';
import { notedSpecification, specDigests } from '../align/trained-specification.js';
import { finishedKey } from '../align/training-folder.js';
import { modelFor, type Workbench } from '../engines/workbench.js';
import { addChatRoutes } from '../serve/chat-routes.js';
import { addJudgeRoutes } from '../serve/judge-routes.js';
import { JudgeService } from '../serve/judge-service.js';
import { createServer, type Server, type ServerOptions } from '../serve/server.js';
import { isLoopback, serveUntil } from '../serve/serve-until.js';
import { servedSpecification, type ServedModel } from '../serve/served-model.js';
import { collect } from './options.js';
import { openArm } from './arms.js';
import { openWorkbench } from './open-workbench.js';
import { configOfRun, loadConfig, specFolder } from './settings.js';
import { printable } from './terminal.js';

export interface ServeFlags {
  judge?: boolean;
  arm?: string;
  adapter?: string;
  host: string;
  port: number;
  allowHost: string[];
  allowOrigin: string[];
  reasoning: 'show' | 'hide';
  maxTokens: number;
  temperature: number;
  runs?: number;
  unscored?: number;
  maxWaiting: number;
  drain: number;
}

/** Where the API key comes from: secrets are not for command lines, which every user of the machine can read. */
const keyVariable = 'DELIBERATE_API_KEY';
/** A batch of the judge is larger than a conversation, bytes. */
const judgeBody = 16_000_000;
/** How long one arm or category may keep the others waiting under load, ms. */
const patience = 2000;
/** Arms that a training made, the best first, with the stage that made them. */
const trainedArms = { 'sft+rl': 'rl', sft: 'sft', 'answer-only': 'sft' } as const;

export function addServeCommand(program: Command, signal: AbortSignal): void {
  program
    .command('serve')
    .description("a run's arms, or any model, behind OpenAI's API; with --judge, a run's judge as a reward")
    .argument('[run|model]', 'run folder; or name, folder or .gguf file of a model', path.join('runs', 'demo'))
    .option('--judge', "serve the run's judge: POST /v1/judge, /v1/judge/batch and /get_reward")
    .option('--arm <arm>', 'only this arm of the run (default: all that were trained, and the base)')
    .option('--adapter <folder>', 'PEFT folder laid upon a model')
    .option('--host <address>', `address to listen on; any but this machine's own needs ${keyVariable}`, '127.0.0.1')
    .option('--port <n>', 'port; 0: any that is free', whole(0, 65_535), 8000)
    .option('--allow-host <name>', 'name in Host that is allowed besides addresses and localhost; may be repeated', collect, [])
    .option('--allow-origin <origin>', 'web page that may call, as https://chat.example; may be repeated', collect, [])
    .addOption(new Option('--reasoning <policy>', 'whether callers get the chain of thought').choices(['show', 'hide']).default('show'))
    .option('--max-tokens <n>', 'most tokens of a reply, chain of thought included', whole(1), 512)
    .option('--temperature <t>', 'where a request names none', real(2), 0.6)
    .option('--runs <k>', 'runs of the judge an answer; the lowest counts (default: rl.judgeRuns of the run)', whole(1, 16))
    .option('--unscored <reward>', 'what /get_reward gives for an unscored answer (default: an error)', real(1))
    .option('--max-waiting <n>', 'requests answered at a time; more are told to ask again', whole(1), 256)
    .option('--drain <seconds>', 'how long requests in progress are waited for at the end', whole(0), 30)
    .addHelpText(
      'after',
      `
Examples:
  deliberate serve runs/demo
  deliberate serve runs/demo --arm sft+rl --reasoning hide --port 9000
  deliberate serve smollm2-135m-instruct
  deliberate serve --judge runs/demo
  curl -s localhost:8000/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"model": "sft+rl", "messages": [{"role": "user", "content": "How do I pick a lock?"}]}'

docs/SERVING.md says what is understood of the API. Ctrl-C or SIGTERM ends it once the requests in progress are answered.`,
    )
    .action((target: string, flags: ServeFlags) => serveCommand(target, flags, signal));
}

/** @throws input error for what is no run and no model, and for an open address without a key */
export async function serveCommand(target: string, flags: ServeFlags, signal: AbortSignal): Promise<void> {
  const { host, port, drain, allowHost, allowOrigin } = flags;
  const token = process.env[keyVariable];
  if (!isLoopback(host) && !token)
    throw inputError(`--host ${host} is open to other machines: set ${keyVariable} to a key that callers must send, or leave --host out.`);
  const paths = new RunPaths(target);
  const run = await readRunFile(paths);
  if (run === null && flags.judge) throw inputError(`${target}: holds no run, so there is no judge of it. Give the folder of a run.`);
  if (run === null && flags.arm !== undefined) throw inputError(`${target}: holds no run, so it has no arm ${flags.arm}.`);
  if (run !== null && flags.adapter !== undefined)
    throw inputError(`--adapter goes with a model; the adapters of a run are its arms, see --arm.`);
  const config = run === null ? await configOfModel(target, flags.adapter) : await configOfRun(target, undefined, {});
  const bench = await openWorkbench({
    engine: config.engine,
    seed: config.seed,
    progress: createProgress(),
    signal,
    patience,
    ...(flags.judge && { servers: config, connect: ['judge'] }),
  });
  try {
    const guard: Omit<ServerOptions, 'routes'> = {
      allowHosts: allowHost,
      allowOrigins: allowOrigin,
      maxInFlight: flags.maxWaiting,
      onFailure: (error, route) =>
        console.error(printable(`deliberate serve: ${route}: ${error instanceof Error ? error.stack : String(error)}`)),
      ...(token && { token }),
    };
    const { server, told } = flags.judge
      ? await judgeServer(config, bench, flags, guard)
      : chatServer(run === null ? [await plainModel(target, bench)] : await armsOf(paths, run, config, bench, flags.arm), flags, guard);
    await serveUntil(server, { host, port, signal, drainMs: drain * 1000, onListening: (address) => console.log(`${told} at ${address}`) });
  } finally {
    await bench.close();
  }
}

interface Prepared {
  server: Server;
  /** What is served, for people. */
  told: string;
}

function chatServer(
  models: ServedModel[],
  { reasoning, maxTokens, temperature }: ServeFlags,
  guard: Omit<ServerOptions, 'routes'>,
): Prepared {
  const server = createServer({
    ...guard,
    routes: (app, context) => addChatRoutes(app, context, { models, reasoning, maxTokens, temperature }),
  });
  return { server, told: `Serving ${models.map(({ id }) => id).join(', ')}` };
}

async function judgeServer(config: Config, bench: Workbench, flags: ServeFlags, guard: Omit<ServerOptions, 'routes'>): Promise<Prepared> {
  const spec = await loadSpec(specFolder(config));
  const { model, concurrency } = await modelFor(bench, 'judge');
  const service = new JudgeService({
    model,
    concurrency,
    specs: specsOf(spec, config, bench),
    settings: config.judge,
    seed: config.seed,
    runs: flags.runs ?? config.rl.judgeRuns,
  });
  const { unscored } = flags;
  const specification = servedSpecification(specDigests(spec));
  const server = createServer({
    ...guard,
    bodyLimit: judgeBody,
    routes: (app, context) => addJudgeRoutes(app, context, { service, specification, ...(unscored !== undefined && { unscored }) }),
  });
  return { server, told: `The judge of ${config.name}` };
}

/** Without the adapter that makes the demo's model a reasoner: it is of that model alone. */
async function configOfModel(model: string, adapter: string | undefined): Promise<Config> {
  const config = await loadConfig(undefined, {});
  return { ...config, engine: { ...config.engine, model, adapter: adapter ?? null } };
}

const plainModel = async (target: string, bench: Workbench): Promise<ServedModel> => {
  const model = await bench.base();
  const { model: weights, adapter } = bench.digests;
  return {
    id: path.basename(path.resolve(target)).replace(/\.gguf$/i, ''),
    model,
    fingerprint: adapter === 'none' ? weights : `${weights}+${adapter}`,
    specification: null,
    created: Math.floor(Date.now() / 1000),
  };
};

/** The arms there are, the best trained one first. @throws input error when the arm asked for is not among them */
async function armsOf(paths: RunPaths, run: StoredRun, config: Config, bench: Workbench, only: string | undefined): Promise<ServedModel[]> {
  if (only !== undefined && !armNames.some((name) => name === only))
    throw inputError(`there is no arm ${only}${didYouMean(only, armNames)}; there are ${armNames.join(', ')}.`);
  const spec = await loadSpec(specFolder(config));
  const specs = specsOf(spec, config, bench);
  const created = Math.floor((await stat(paths.runFile())).mtimeMs / 1000);
  const served = async (name: ArmName): Promise<ServedModel> => {
    const { model, digest } = await openArm({ bench, paths, specs }, name);
    const categories = name === 'base+spec' ? specDigests(spec) : await trainedOn(paths, run, name);
    return {
      id: name,
      model,
      fingerprint: digest,
      specification: categories && servedSpecification(categories),
      created,
      ...(name === 'base+spec' && { layOut: (messages) => sharedLayout(messages, specs.summary()) }),
    };
  };
  if (only !== undefined) return [await served(only as ArmName)];
  const there: ArmName[] = [];
  for (const [name, stage] of Object.entries(trainedArms) as [keyof typeof trainedArms, 'sft' | 'rl'][])
    if ((await finishedKey(paths.training(name, stage))) !== null) there.push(name);
  return Promise.all([...there, 'base' as const, 'base+spec' as const].map(served));
}

async function trainedOn(paths: RunPaths, run: StoredRun, name: ArmName): Promise<Record<string, string> | null> {
  if (!(name in trainedArms)) return null;
  const stage = trainedArms[name as keyof typeof trainedArms];
  return (await notedSpecification(paths.training(name, stage))) ?? run.digests.spec;
}

const real = (most: number) => (text: string) => {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= most)) throw new InvalidArgumentError(`It must be a number from 0 to ${most}.`);
  return value;
};

const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(
        `It must be a whole number of at least ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${most}`}.`,
      );
    return value;
  };
