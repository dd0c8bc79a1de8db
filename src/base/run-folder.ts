/** The folder of a run: where each file lies, who may write, and with which settings it was begun. */
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { writeTextAtomically } from './atomic-text.js';
import { Config, configDifferences } from './config.js';
import { diskError } from './disk-error.js';
import { inputError } from './errors.js';
import { lockFolder, type FolderLock } from './folder-lock.js';
import { canonicalJson, contentId, schemaVersion } from './records.js';
import { parseShard, shardText, type Shard } from './shard.js';

/** Stages in their order. */
export const stageNames = ['prepare', 'categorise', 'generate', 'judge', 'filter', 'sft', 'rl', 'eval', 'report'] as const;
export type StageName = (typeof stageNames)[number];

export interface Digests {
  model: string;
  adapter: string;
  prompts: string;
  /** Of each category's compiled text and all it depends on. */
  spec: Record<string, string>;
}

const RunFile = z.strictObject({
  schemaVersion: z.int(),
  name: z.string(),
  model: z.string(),
  codeVersion: z.string(),
  /** `2/5`: the folder is for the second of five shards. */
  shard: z.string().optional(),
  config: z.unknown(),
  digests: z.strictObject({ model: z.string(), adapter: z.string(), prompts: z.string(), spec: z.record(z.string(), z.string()) }),
});

export interface StoredRun {
  config: Config;
  digests: Digests;
  /** Of which share of the prompts it is; absent in a whole run. */
  shard?: Shard;
}

/** Where the files of a run lie. */
export class RunPaths {
  constructor(readonly root: string) {}
  readonly file = (name: string) => path.join(this.root, name);
  readonly runFile = () => this.file('run.yaml');
  readonly prompts = () => this.file('prompts.jsonl');
  readonly categories = () => this.file('categories.jsonl');
  readonly completions = () => this.file('completions.jsonl');
  readonly judgements = () => this.file('judgements.jsonl');
  readonly sftRecords = () => this.file('sft.jsonl');
  readonly funnel = () => this.file('funnel.json');
  readonly scorecard = () => this.file('scorecard.json');
  readonly scorecardCsv = () => this.file('scorecard.csv');
  readonly report = () => this.file('report.html');
  readonly training = (arm: string, stage: 'sft' | 'rl') => this.file(path.join('arms', arm, stage));
  readonly adapter = (arm: string, stage: 'sft' | 'rl') => path.join(this.training(arm, stage), 'adapter');
  readonly answers = (arm: string) => this.file(path.join('arms', arm, 'evals', 'answers.jsonl'));
}

/** Settings in which two runs of one folder may differ: they change no record that is there already. */
const free =
  /^(name|spec|prompts\.file|engine\.(memoryGb|threads|baseUrl|apiKeyEnv|maxConcurrency|timeoutSeconds|patienceSeconds|pipelined|keepModels)|eval\.|(generator|judge|categoriser|attacker)\.(baseUrl|apiKeyEnv|maxConcurrency|timeoutSeconds|patienceSeconds|price))/;
/** The stage that a section of the settings belongs to. */
const stageOf = (setting: string): StageName => {
  const named = setting.split('.')[0] as string;
  const section = { generator: 'generate', categoriser: 'categorise' }[named] ?? named;
  return (stageNames as readonly string[]).includes(section) ? (section as StageName) : 'prepare';
};

/** Settings that differ and on which records depend. */
export const bindingDifferences = (before: Config, after: Config): ReturnType<typeof configDifferences> =>
  configDifferences(before, after).filter(({ path: setting }) => !free.test(setting));

/** Equal for runs whose records may stand in one folder, on whatever machine and server they were made. */
export function runKey({ config, digests }: Pick<StoredRun, 'config' | 'digests'>): string {
  const settings = bindingDifferences(Config.parse({}), config).map(({ path: setting, after }) => [setting, after ?? null]);
  return contentId('run', settings, digests);
}

export interface OpenOptions {
  config: Config;
  digests: Digests;
  codeVersion: string;
  /** The share of the prompts that the folder is for. Left out: all. */
  shard?: Shard;
  /** From this stage on the settings may differ; the caller removes what these stages made. */
  redo?: StageName;
  /** Called when another process took the folder away, e.g. after a suspension of hours. */
  onLost?: (error: Error) => void;
}

/** A run folder that this process alone may write. */
export class RunFolder {
  private constructor(
    readonly paths: RunPaths,
    private readonly lock: FolderLock,
    /** What was stored before; null in a new folder. */
    readonly before: StoredRun | null,
  ) {}

  /**
   * Takes the folder and writes run.yaml.
   * @throws input error when another process writes there, when the settings differ from those it was begun with (it says
   * which, and what to do), or when another version's records lie there.
   */
  static async open(root: string, options: OpenOptions): Promise<RunFolder> {
    const lock = await lockFolder(root, options.onLost);
    try {
      const paths = new RunPaths(root);
      await removeHalfWritten(root);
      const before = await readRunFile(paths);
      if (before !== null) {
        refuseOtherShard(root, before, options);
        refuseOtherSettings(root, before, options);
      }
      const { config, digests, codeVersion, shard } = options;
      const run = {
        schemaVersion,
        name: config.name,
        model: config.engine.model,
        codeVersion,
        ...(shard && { shard: shardText(shard) }),
        config,
        digests,
      };
      if (
        before === null ||
        canonicalJson(before.config) !== canonicalJson(config) ||
        canonicalJson(before.digests) !== canonicalJson(digests)
      ) {
        await writeTextAtomically(paths.runFile(), stringify(run));
      }
      return new RunFolder(paths, lock, before);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.lock.release();
  }
}

/** Names that files and folders have until they are whole; each holds the writer's process id. */
const halfWritten = /^\..+\.\d+(?:\.[0-9a-f]{8})?\.(?:new|tmp)$/;

/** What a killed process left: only the holder of the folder's lock writes under these names, so all of it is dead. */
async function removeHalfWritten(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries) {
    const file = path.join(folder, entry.name);
    if (halfWritten.test(entry.name)) await rm(file, { recursive: true, force: true });
    else if (entry.isDirectory()) await removeHalfWritten(file);
  }
}

/** The settings that a folder was begun with; null when it holds no run. @throws input error when run.yaml is not ours. */
export async function readRunFile(paths: RunPaths): Promise<StoredRun | null> {
  const file = paths.runFile();
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw diskError(file, error);
  });
  if (text === null) return null;
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw inputError(
      `${file}: is not YAML (${(error as Error).message.split('\n')[0]}). Restore it from a copy, or start a new run.`,
      error,
    );
  }
  const version = (value as { schemaVersion?: unknown } | null)?.schemaVersion;
  if (version !== schemaVersion) {
    throw inputError(
      `${file}: its records have version ${String(version)}, this program reads version ${schemaVersion}. Use the program that wrote it, or start a new run in another folder.`,
    );
  }
  const run = RunFile.safeParse(value);
  const config = run.success ? Config.safeParse(run.data.config) : undefined;
  if (!run.success || !config?.success) {
    const issue = (run.success ? config?.error : run.error)?.issues[0];
    throw inputError(
      `${file}: is not what this program wrote (${issue?.path.join('.')}: ${issue?.message}). Restore it from a copy, or start a new run.`,
    );
  }
  const { digests, shard } = run.data;
  return { config: config.data, digests, ...(shard !== undefined && { shard: parseShard(shard) }) };
}

function refuseOtherShard(root: string, { shard: before }: StoredRun, { shard }: OpenOptions): void {
  const [was, now] = [before && shardText(before), shard && shardText(shard)];
  if (was === now) return;
  if (was === undefined) throw inputError(`${root}: was begun as a whole run, not as shard ${now}. Give a shard a folder of its own.`);
  throw inputError(
    now === undefined
      ? `${root}: is shard ${was} of a run, and what comes after the judge needs all shards. Go on with it by --shard ${was}; when all are done, put them together with \`deliberate merge\`.`
      : `${root}: was begun as shard ${was}, not ${now}. Give each shard a folder of its own.`,
  );
}

function refuseOtherSettings(root: string, before: StoredRun, { config, digests, redo }: OpenOptions): void {
  const at = (stage: StageName) => stageNames.indexOf(stage);
  const differences = bindingDifferences(before.config, config)
    .filter(({ path: setting }) => redo === undefined || at(stageOf(setting)) < at(redo))
    .map((one) => `${one.path} was ${JSON.stringify(one.before) ?? 'unset'} and is now ${JSON.stringify(one.after) ?? 'unset'}`);
  const stage = bindingDifferences(before.config, config)
    .map((one) => stageOf(one.path))
    .sort((a, b) => at(a) - at(b))[0];
  for (const what of ['model', 'adapter'] as const) {
    if (before.digests[what] !== digests[what] && (redo === undefined || at(redo) > 0))
      differences.push(`the ${what}'s weights are others (digest ${before.digests[what]}, now ${digests[what]})`);
  }
  if (differences.length === 0) return;
  const where = stage === undefined || stage === 'prepare' ? 'prepare' : stage;
  throw inputError(
    `${root}: was begun with other settings: ${differences.join('; ')}. Start a new run in another folder, or pass --redo ${where} to make that stage and all after it anew.`,
  );
}
