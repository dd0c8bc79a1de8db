/** The model that `spec test` asks: an arm of a run, a model of the embedded engine, or one on a server. */
import path from 'node:path';
import type { Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import type { Progress } from '../base/progress.js';
import type { Message } from '../base/records.js';
import { readRunFile, RunPaths } from '../base/run-folder.js';
import { ServerSettings } from '../base/server-settings.js';
import { specsOf, type CompiledSpecs } from '../align/compiled-specs.js';
import type { Spec } from '../align/spec/types.js';
import { openServerModel } from '../engines/openai/server-model.js';
import type { ChatModel } from '../engines/types.js';
import type { ServerUsage, Workbench } from '../engines/workbench.js';
import { armNamed, lastTrained, openArm } from './arms.js';
import { openWorkbench } from './open-workbench.js';
import { configOfRun, loadConfig, type SettingFlags } from './settings.js';

export interface SubjectFlags extends SettingFlags {
  run?: string;
  arm?: string;
  model?: string;
  adapter?: string;
  baseUrl?: string;
  apiKeyEnv?: string;
  config?: string;
}

export interface Subject {
  /** For people. */
  name: string;
  model: ChatModel;
  concurrency: number;
  /** Most tokens of a reply where nobody says how many. */
  maxTokens: number;
  specs: CompiledSpecs;
  layout: Workbench['layout'];
  /** What the arm has before every conversation. */
  context: readonly Message[];
  usage(): ServerUsage[];
  close(): Promise<void>;
}

/** What the flags mean, before anything is loaded; the specification, and how its tests are asked, may depend on the settings. */
export interface Chosen {
  config: Config;
  open(spec: Spec, options: { progress: Progress; signal?: AbortSignal }): Promise<Subject>;
}

const defaultRun = path.join('runs', 'demo');
/** Most tokens of a reply: thoughts of a large model are long. */
const room = { embedded: 512, server: 4096 };

/** @throws input error for flags that do not go together, and for a folder that holds no run */
export async function chooseSubject(flags: SubjectFlags): Promise<Chosen> {
  const { run, arm, model, adapter, baseUrl, apiKeyEnv } = flags;
  if (model === undefined) {
    if (baseUrl !== undefined) throw inputError("--base-url needs --model: the model's name on the server.");
    if (adapter !== undefined) throw inputError('--adapter goes with --model; the adapters of a run are its arms, see --arm.');
    return armOfRun(run ?? defaultRun, run !== undefined, arm, flags);
  }
  if (run !== undefined || arm !== undefined)
    throw inputError(`--model names a model of its own; leave ${run === undefined ? '--arm' : '--run'} out, or --model.`);
  if (baseUrl !== undefined) {
    if (adapter !== undefined) throw inputError('--adapter is laid upon a model of the embedded engine, not upon one on a server.');
    return onServer(model, baseUrl, apiKeyEnv, flags);
  }
  if (apiKeyEnv !== undefined) throw inputError('--api-key-env goes with --base-url, the address of the server.');
  const config = await loadConfig(flags.config, flags);
  // As `serve` does: the adapter that makes the demo's model a reasoner is of that model alone.
  const engine = { ...config.engine, model, adapter: adapter ?? null };
  return {
    config,
    open: async (spec, options) => {
      const bench = await openWorkbench({ engine, seed: config.seed, ...options });
      return closingOnFailure(bench, async () => ({
        ...ofBench(bench, spec, config),
        name: `${model}${adapter === undefined ? '' : ` with ${adapter}`}`,
        model: await bench.base(),
        maxTokens: room.embedded,
        context: [],
      }));
    },
  };
}

async function armOfRun(root: string, named: boolean, arm: string | undefined, flags: SubjectFlags): Promise<Chosen> {
  const paths = new RunPaths(root);
  if ((await readRunFile(paths)) === null)
    throw inputError(
      `${root}: holds no run. Say what to test: ${named ? 'the folder of a run' : '--run with the folder of a run'}, or --model with the name, folder or file of a model.`,
    );
  const name = arm === undefined ? await lastTrained(paths) : armNamed(arm);
  const config = await configOfRun(root, flags.config, flags);
  return {
    config,
    open: async (spec, options) => {
      const bench = await openWorkbench({ engine: config.engine, seed: config.seed, ...options });
      return closingOnFailure(bench, async () => {
        const common = ofBench(bench, spec, config);
        const { model, context } = await openArm({ bench, paths, specs: common.specs }, name);
        return { ...common, name: `${name} of ${root}`, model, context, maxTokens: config.eval.maxTokens };
      });
    },
  };
}

async function onServer(model: string, baseUrl: string, apiKeyEnv: string | undefined, flags: SubjectFlags): Promise<Chosen> {
  const config = await loadConfig(flags.config, flags);
  const settings = ServerSettings.safeParse({ engine: 'openai', baseUrl, model, ...(apiKeyEnv !== undefined && { apiKeyEnv }) });
  if (!settings.success) {
    const [issue] = settings.error.issues;
    throw inputError(`${issue?.path[0] === 'apiKeyEnv' ? '--api-key-env' : '--base-url'}: ${issue?.message}.`);
  }
  return {
    config,
    open: async (spec, { progress, signal }) => {
      const server = await openServerModel({ role: 'model', settings: settings.data, ...(signal && { signal }) });
      progress.say(`model: ${model} on ${baseUrl} (${server.profile.kind})`);
      // Nobody can count its tokens here.
      const countTokens = (text: string) => Math.ceil(text.length / 4);
      return {
        name: `${model} on ${baseUrl}`,
        model: server.model,
        concurrency: 64,
        maxTokens: room.server,
        specs: specsOf(spec, config, { countTokens, layout: 'paper' }),
        layout: 'paper',
        context: [],
        usage: () => server.usage(),
        close: () => server.close(),
      };
    },
  };
}

const ofBench = (bench: Workbench, spec: Spec, config: Config): Omit<Subject, 'name' | 'model' | 'context' | 'maxTokens'> => ({
  concurrency: bench.concurrency,
  specs: specsOf(spec, config, bench),
  layout: bench.layout,
  usage: () => bench.usage?.() ?? [],
  close: () => bench.close(),
});

async function closingOnFailure<T>(bench: Workbench, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await bench.close();
    throw error;
  }
}
