/** What a checkpoint says about its tokenizer: the contents of tokenizer.json, the special tokens, the chat template. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { inputError } from '../base/errors.js';
import { mostTokenizerBytes, readBounded } from './bounded-text.js';
import { mostTemplateCharacters } from './template-process.js';
import { checkPatterns } from './tokenizer-patterns.js';

const AddedToken = z.looseObject({ id: z.int().min(0), content: z.string().min(1), special: z.boolean().default(false) });
export type AddedToken = z.infer<typeof AddedToken>;

export const TokenizerJson = z.looseObject({
  added_tokens: z.array(AddedToken).default([]),
  normalizer: z.unknown(),
  pre_tokenizer: z.unknown(),
  post_processor: z.unknown(),
  decoder: z.unknown(),
  model: z.looseObject({ type: z.string().optional(), vocab: z.unknown() }),
});
export type TokenizerJson = z.infer<typeof TokenizerJson>;

export interface TokenizerSource {
  json: TokenizerJson;
  addedTokens: AddedToken[];
  bosToken: string | null;
  eosToken: string | null;
  /** Jinja; null where the model has none (a base model). */
  chatTemplate: string | null;
  /** For messages. */
  path: string;
}

const TokenText = z.union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)]).nullish();
const TokenizerConfig = z.looseObject({
  bos_token: TokenText,
  eos_token: TokenText,
  chat_template: z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]).nullish(),
});

/** @throws input error when tokenizer.json is missing, not of its form, or has patterns that take for ever */
export async function readTokenizerFolder(folder: string): Promise<TokenizerSource> {
  const jsonPath = path.join(folder, 'tokenizer.json');
  const configPath = path.join(folder, 'tokenizer_config.json');
  const templatePath = path.join(folder, 'chat_template.jinja');
  const json = await readAs(TokenizerJson, jsonPath);
  await checkPatterns(json, jsonPath);
  const config = existsSync(configPath) ? await readAs(TokenizerConfig, configPath) : {};
  const named = config.chat_template;
  const inConfig = typeof named === 'string' ? named : named?.find(({ name }) => name === 'default')?.template;
  return {
    json,
    addedTokens: json.added_tokens,
    bosToken: config.bos_token ?? null,
    eosToken: config.eos_token ?? null,
    chatTemplate: existsSync(templatePath) ? await readBounded(templatePath, mostTemplateCharacters) : (inConfig ?? null),
    path: jsonPath,
  };
}

async function readAs<T extends z.ZodType>(schema: T, file: string): Promise<z.infer<T>> {
  let value: unknown;
  try {
    value = JSON.parse(await readBounded(file, mostTokenizerBytes));
  } catch (cause) {
    throw inputError(`cannot read ${file}: ${(cause as Error).message}. A model folder needs tokenizer.json.`, cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw inputError(`${file} is not of the expected form:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
