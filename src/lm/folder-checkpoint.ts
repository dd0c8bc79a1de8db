/** A Hugging Face model folder: config.json, safetensors (one file or shards with an index), tokenizer files. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { inputError } from '../base/errors.js';
import { mostConfigBytes, readBounded } from './bounded-text.js';
import type { LlamaConfig } from './config.js';
import { configFromJson } from './read-config.js';
import { SafetensorsFile } from './safetensors.js';
import { readTokenizerFolder, type TokenizerSource } from './tokenizer-source.js';

/** What both kinds of checkpoint give to `openCheckpoint`. */
export interface OpenedWeights {
  config: LlamaConfig;
  tokenizer: TokenizerSource;
  weightFiles: string[];
  has: (name: string) => boolean;
  tensor: (name: string) => Promise<Float32Array>;
  close: () => Promise<void>;
}

const ShardIndex = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

export async function openFolderCheckpoint(folder: string): Promise<OpenedWeights> {
  const configPath = path.join(folder, 'config.json');
  const generationPath = path.join(folder, 'generation_config.json');
  const generation = existsSync(generationPath) ? await readJson(generationPath) : undefined;
  const config = configFromJson(await readJson(configPath), configPath, generation);
  const tokenizer = await readTokenizerFolder(folder);
  const weightFiles = await findWeightFiles(folder);
  const files: SafetensorsFile[] = [];
  const close = async () => void (await Promise.all(files.map((file) => file.close())));
  const home = new Map<string, SafetensorsFile>();
  try {
    for (const weightFile of weightFiles) {
      const file = await SafetensorsFile.open(weightFile);
      files.push(file);
      for (const name of file.tensors.keys()) {
        if (home.has(name))
          throw inputError(`${folder}: tensor ${name} is in two files. Remove the one that does not belong to the checkpoint.`);
        home.set(name, file);
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    config,
    tokenizer,
    weightFiles,
    has: (name) => home.has(name),
    async tensor(name) {
      const file = home.get(name);
      if (!file) throw inputError(`${folder} has no tensor ${name}. The checkpoint is incomplete or of another architecture.`);
      return file.read(name);
    },
    close,
  };
}

async function findWeightFiles(folder: string): Promise<string[]> {
  const indexPath = path.join(folder, 'model.safetensors.index.json');
  if (!existsSync(indexPath)) {
    const single = path.join(folder, 'model.safetensors');
    if (!existsSync(single))
      throw inputError(
        `${folder} has no model.safetensors and no model.safetensors.index.json. Pickled weights (.bin, .pt) are never read: convert them to safetensors.`,
      );
    return [single];
  }
  const index = ShardIndex.safeParse(await readJson(indexPath));
  if (!index.success) throw inputError(`${indexPath} has no weight_map.`);
  const names = [...new Set(Object.values(index.data.weight_map))].sort();
  for (const name of names) {
    if (name !== path.basename(name) || name.includes('\\'))
      throw inputError(`${indexPath} points outside its folder: ${JSON.stringify(name)}.`);
  }
  return names.map((name) => path.join(folder, name));
}

/** @throws input error when the file is missing or not JSON */
export async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readBounded(file, mostConfigBytes)) as unknown;
  } catch (cause) {
    throw inputError(`cannot read ${file}: ${(cause as Error).message}`, cause);
  }
}
