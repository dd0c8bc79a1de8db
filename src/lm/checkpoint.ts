/** A base model on disk, a Hugging Face folder or a GGUF file, behind one interface. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { inputError } from '../base/errors.js';
import type { LlamaConfig } from './config.js';
import { openGgufCheckpoint } from './gguf-checkpoint.js';
import { openFolderCheckpoint } from './folder-checkpoint.js';
import type { TokenizerSource } from './tokenizer-source.js';

export interface Checkpoint {
  readonly config: LlamaConfig;
  readonly tokenizer: TokenizerSource;
  readonly source: { path: string };
  has(name: string): boolean;
  /** By Hugging Face's name, e.g. `model.layers.0.self_attn.q_proj.weight`: f32, row-major [out, in]. */
  tensor(name: string): Promise<Float32Array>;
  /** SHA-256 over the weight files, in the order of their names. Reads all of them. */
  digest(): Promise<string>;
  close(): Promise<void>;
}

/** @throws input error: nothing there, damaged, or a model that the engine cannot run */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (cause) {
    throw inputError(
      `no model at ${path}: give a Hugging Face folder (config.json, model.safetensors, tokenizer.json) or a .gguf file.`,
      cause,
    );
  }
  const opened = isFolder ? await openFolderCheckpoint(path) : await openGgufCheckpoint(path);
  const { config, tokenizer } = opened;
  const digest = async () => {
    const hash = createHash('sha256');
    for (const file of opened.weightFiles) for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    return hash.digest('hex');
  };
  return {
    config: { ...config, eosTokens: [...new Set([...config.eosTokens, ...endTokens(tokenizer, config.vocabSize)])] },
    tokenizer,
    source: { path },
    has: opened.has,
    tensor: opened.tensor,
    digest,
    close: opened.close,
  };
}

const endTexts = new Set(['<|endoftext|>', '<|im_end|>', '<|eot_id|>', '<|eom_id|>', '<|end_of_text|>']);

/** Control tokens that end a text in every family that has them: configurations often name one of them only. */
const endTokens = (tokenizer: TokenizerSource, vocabSize: number): number[] =>
  tokenizer.addedTokens.filter(({ special, content, id }) => special && endTexts.has(content) && id < vocabSize).map(({ id }) => id);
