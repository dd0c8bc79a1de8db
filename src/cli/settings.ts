/** From files and flags to settings. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { mergeSettings, parseConfig, smokeSettings, type Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { packageRoot } from '../base/package-root.js';
import { readRunFile, RunPaths } from '../base/run-folder.js';

export interface SettingFlags {
  smoke?: boolean;
  /** `path=value`, value in YAML. */
  set?: string[];
}

/**
 * Defaults, then the smoke settings, then the file, then --set. Paths in a file are relative to it, those in flags to the working folder.
 * @throws input error naming the file or flag and the setting
 */
export async function loadConfig(file: string | undefined, flags: SettingFlags): Promise<Config> {
  const given = file === undefined ? {} : await readSettings(file);
  const merged = mergeSettings(mergeSettings(flags.smoke ? smokeSettings : {}, given), setsOf(flags));
  return parseConfig(merged, file ?? (flags.set?.length ? '--set' : 'settings'));
}

/** The settings of a run that has begun, with --set laid upon them; for a new folder those of a file or the defaults. */
export async function configOfRun(root: string, file: string | undefined, flags: SettingFlags): Promise<Config> {
  const stored = file === undefined ? await readRunFile(new RunPaths(root)) : null;
  if (stored === null) return loadConfig(file, flags);
  return parseConfig(mergeSettings(stored.config, setsOf(flags)), '--set');
}

/** What a file of settings says, or the run.yaml of a run, its paths resolved; not checked. @throws input error naming the file */
export async function readSettings(file: string): Promise<unknown> {
  const value = (await readYaml(file)) as Record<string, unknown>;
  const ofRun = value['schemaVersion'] !== undefined && typeof value['config'] === 'object';
  return resolvePaths(ofRun ? value['config'] : value, path.dirname(path.resolve(file)));
}

async function readYaml(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const what = error.code === 'EISDIR' ? 'is a folder' : `cannot be read (${error.code})`;
    throw inputError(`${file}: ${what}. Give the path of a YAML file with settings; \`deliberate config\` prints all of them.`, error);
  });
  try {
    return parse(text) ?? {};
  } catch (error) {
    throw inputError(`${file}: is not YAML: ${(error as Error).message.split('\n')[0]}`, error);
  }
}

function resolvePaths(value: unknown, folder: string): unknown {
  const absolute = (owner: unknown, key: string) => {
    const given = (owner as Record<string, unknown> | undefined)?.[key];
    return typeof given === 'string' ? { [key]: path.resolve(folder, given) } : {};
  };
  const config = value as Record<string, unknown>;
  const model = (config['engine'] as Record<string, unknown> | undefined)?.['model'];
  // A model may be a name: only what exists beside the file is a path.
  const besides = typeof model === 'string' && existsSync(path.resolve(folder, model)) ? { model: path.resolve(folder, model) } : {};
  return mergeSettings(value, {
    ...absolute(config, 'spec'),
    ...(config['prompts'] !== undefined && { prompts: absolute(config['prompts'], 'file') }),
    ...(config['engine'] !== undefined && { engine: { ...absolute(config['engine'], 'adapter'), ...besides } }),
  });
}

/** Paths in flags are relative to the working folder; kept whole, so that a later command may be given elsewhere. */
export const setsOf = (flags: Pick<SettingFlags, 'set'>): unknown => resolvePaths(parseSets(flags.set ?? []), process.cwd());

function parseSets(sets: readonly string[]): unknown {
  return sets.reduce<unknown>((settings, set) => {
    const at = set.indexOf('=');
    if (at < 1) throw inputError(`--set ${set}: write it as section.setting=value, for example --set rl.steps=20`);
    const value = parse(set.slice(at + 1)) as unknown;
    const nested = set
      .slice(0, at)
      .split('.')
      .reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
    return mergeSettings(settings, nested);
  }, {});
}

export const specFolder = (config: Pick<Config, 'spec'>): string => config.spec ?? path.join(packageRoot, 'spec');
export const promptsFile = (config: Pick<Config, 'prompts'>): string =>
  config.prompts.file ?? path.join(packageRoot, 'data', 'prompts.jsonl');

export async function packageVersion(): Promise<string> {
  return (JSON.parse(await readFile(path.join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version;
}
