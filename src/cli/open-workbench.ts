/** The engine that the settings name, as a workbench. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { roleSections, type Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { packageRoot } from '../base/package-root.js';
import type { Progress } from '../base/progress.js';
import type { ModelRole } from '../base/server-settings.js';
import { createEmbeddedEngine } from '../engines/embedded/index.js';
import { namedServers } from '../engines/openai/servers.js';
import { openTinkerWorkbench } from '../engines/tinker/index.js';
import type { Workbench } from '../engines/workbench.js';
import { openCheckpoint } from '../lm/checkpoint.js';
import { resolveModel } from '../lm/models.js';

/** Rows that the embedded engine decodes together. */
const rows = 64;

export interface OpenWorkbench {
  engine: Config['engine'];
  seed: number;
  progress: Progress;
  signal?: AbortSignal;
  /** For servers: how long requests of one adapter or specification may keep those of another waiting, ms. */
  patience?: number;
  /** Sections of the settings that may name a server, and where to keep what servers answered. */
  servers?: Partial<Record<ModelRole, object | undefined>>;
  cacheFolder?: string;
  /** Roles whose servers are connected at once, so that a mistake shows before hours of work; the others when they are needed. */
  connect?: readonly ModelRole[];
}

/**
 * The models of a run: with the servers that its settings name, whose answers are kept in its folder.
 * @throws what `openWorkbench` throws
 */
export const openRunWorkbench = (
  { config, root }: { config: Config; root: string },
  options: Pick<OpenWorkbench, 'progress' | 'signal' | 'connect'> & { seed?: number },
): Promise<Workbench> =>
  openWorkbench({
    engine: config.engine,
    seed: config.seed,
    servers: roleSections(config),
    cacheFolder: path.join(root, 'cache'),
    ...options,
  });

/** Loads the model, downloading it first where it has a name. @throws what the engine throws; input error when G_base's adapter is missing */
export async function openWorkbench({
  engine: settings,
  seed,
  progress,
  signal,
  patience,
  servers: sections = {},
  cacheFolder,
  connect = [],
}: OpenWorkbench): Promise<Workbench> {
  const servers = namedServers({
    sections,
    say: progress.say,
    ...(cacheFolder !== undefined && { cacheFolder }),
    ...(signal && { signal }),
  });
  await Promise.all(connect.map(async (role) => servers.byRole[role]?.open()));
  const reasoner = reasonerFolder(settings);
  const model = await resolveModel(settings.model, {
    ...(signal && { signal }),
    onProgress: progress.say,
  });
  if (settings.kind === 'tinker') {
    const { model: name, baseUrl = '' } = settings;
    const bench = await openTinkerWorkbench({ ...settings, baseUrl, model, name, seed, say: progress.say, signal });
    return {
      ...bench,
      servers: servers.byRole,
      usage: () => servers.usage(),
      close: async () => {
        await servers.close();
        await bench.close();
      },
    };
  }
  const digests = { model: await modelDigest(model), adapter: await adapterDigest(reasoner) };
  const engine = await createEmbeddedEngine({
    model,
    rank: settings.rank,
    alpha: settings.alpha,
    targets: settings.targets,
    memoryGb: settings.memoryGb,
    maxRows: rows,
    seed,
    ...(reasoner !== null && { adapter: reasoner }),
    ...(settings.threads !== undefined && { threads: settings.threads }),
    ...(patience !== undefined && { patience }),
    ...(signal && { signal }),
  });
  return {
    trainer: engine,
    resetPolicy: () => engine.reset(reasoner ?? undefined),
    base: () => engine.withAdapter(reasoner),
    ...(reasoner !== null && { raw: () => engine.withAdapter(null) }),
    tuned: (folder) => engine.withAdapter(folder),
    logprobs: async (folder, data) => (await engine.forward(data, { adapter: await engine.addAdapter(folder) })).logprobs,
    countTokens: (text) => engine.renderer.completionTokens(text, false).length,
    digests,
    // Enough waiting that no row is ever idle.
    concurrency: 2 * rows,
    // On a server no specification is computed for us alone: the paper's order.
    layout: servers.byRole.generator === undefined ? 'shared' : 'paper',
    servers: servers.byRole,
    usage: () => servers.usage(),
    close: async () => {
      await servers.close();
      await engine.close();
    },
  };
}

/** The folder of the adapter that makes the model G_base; null where the settings want none. */
export function reasonerFolder(settings: Pick<Config['engine'], 'adapter'>): string | null {
  if (settings.adapter === null) return null;
  const folder = settings.adapter ?? path.join(packageRoot, 'adapters', 'reasoner');
  if (existsSync(path.join(folder, 'adapter_config.json'))) return folder;
  throw inputError(
    settings.adapter === undefined
      ? `the adapter that makes the model a reasoner is missing from ${folder}: make it with recipes/reasoner, name another with engine.adapter, or set engine.adapter to null for a model that reasons by itself.`
      : `engine.adapter: there is no adapter_config.json in ${folder}. Give a PEFT folder.`,
  );
}

async function modelDigest(file: string): Promise<string> {
  const checkpoint = await openCheckpoint(file);
  try {
    return (await checkpoint.digest()).slice(0, 16);
  } finally {
    await checkpoint.close();
  }
}

async function adapterDigest(folder: string | null): Promise<string> {
  if (folder === null) return 'none';
  const hash = createHash('sha256');
  for (const name of ['adapter_config.json', 'adapter_model.safetensors']) {
    hash.update(
      await readFile(path.join(folder, name)).catch((error) => {
        throw inputError(`${path.join(folder, name)}: cannot be read. Give a whole PEFT folder.`, error);
      }),
    );
  }
  return hash.digest('hex').slice(0, 16);
}
