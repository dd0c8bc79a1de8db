/** The Tinker engine: the policy is trained and sampled on a Tinker-compatible service; tokenizer and chat template are local. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { inputError } from '../../base/errors.js';
import { tinkerAlpha } from '../../base/tinker-settings.js';
import { openCheckpoint } from '../../lm/checkpoint.js';
import { createRenderer, type ModelRenderer } from '../../lm/chat-template.js';
import { readTokenizerFolder, type TokenizerSource } from '../../lm/tokenizer-source.js';
import type { Workbench } from '../workbench.js';
import { remoteChatModel, type StopTokens } from './chat-model.js';
import { FrozenModels } from './frozen-models.js';
import type { LossReduction } from './protocol.js';
import { TinkerService } from './service.js';
import { TinkerTrainer } from './trainer.js';

export interface TinkerOptions {
  baseUrl: string;
  /** Environment variable of the key; left out: TINKER_API_KEY for https. */
  apiKeyEnv?: string | undefined;
  /** Local folder or GGUF file of the checkpoint that is served; of a folder only the tokenizer's files are needed. */
  model: string;
  /** Name of the model in this program. */
  name: string;
  /** Its name on the service; left out: the only one there. */
  servedModel?: string | undefined;
  rank: number;
  seed: number;
  lossReduction?: LossReduction | undefined;
  maxConcurrency?: number | undefined;
  timeoutSeconds?: number | undefined;
  patienceSeconds?: number | undefined;
  keepModels?: boolean | undefined;
  pipelined?: boolean | undefined;
  signal?: AbortSignal | undefined;
  say: (line: string) => void;
  /** First and longest wait before a repetition, ms. */
  waits?: { first: number; longest: number };
}

type TinkerWorkbench = Omit<Workbench, 'trainer'> & { readonly trainer: TinkerTrainer };

const sampleBytes = 1 << 20;
const defaultKeyEnv = 'TINKER_API_KEY';

/** Connects and finds the model there. @throws input error for settings, key or model; dependency error when the service is silent */
export async function openTinkerWorkbench(options: TinkerOptions): Promise<TinkerWorkbench> {
  const { baseUrl, model, name, rank, seed, maxConcurrency = 64, waits, say } = options;
  const secure = baseUrl.startsWith('https:');
  const service = new TinkerService({
    baseUrl,
    ...serviceKey(options.apiKeyEnv, secure),
    maxConcurrency,
    ...(options.timeoutSeconds !== undefined && { timeout: options.timeoutSeconds * 1000 }),
    ...(options.patienceSeconds !== undefined && { patience: options.patienceSeconds * 1000 }),
    ...(waits && { firstWait: waits.first, longestWait: waits.longest }),
    signal: options.signal,
  });
  try {
    const baseModel = options.servedModel ?? (await service.servedModel());
    const tokenizer = await readTokenizer(model);
    const renderer = await createRenderer(tokenizer);
    const stops = stopTokens(tokenizer, renderer);
    const { lossReduction: reduction = secure ? 'sum' : 'mean', keepModels = false, pipelined = secure } = options;
    const settings = { baseModel, rank, seed, reduction, keepModels, pipelined };
    const trainer = new TinkerTrainer({ service, settings, renderer, stops, name, say });
    const frozen = new FrozenModels(service, settings);
    const base = remoteChatModel({
      name,
      renderer,
      stops,
      ask: (body, signal) => service.again(() => service.sample({ base_model: baseModel }, body, { signal })),
    });
    say(`policy: ${baseModel} on ${service.name} (LoRA of rank ${rank}, alpha ${tinkerAlpha})`);
    return {
      trainer,
      resetPolicy: () => trainer.reset(),
      base: async () => base,
      async tuned(folder) {
        await frozen.open(folder);
        const tunedName = `${name}+${path.basename(path.dirname(path.dirname(folder)))}`;
        return remoteChatModel({ name: tunedName, renderer, stops, ask: (body, signal) => frozen.sample(folder, body, signal) });
      },
      logprobs: (folder, data) => frozen.logprobs(folder, data),
      countTokens: (text) => renderer.completionTokens(text, false).length,
      digests: { model: await digestOf(model, baseModel), adapter: 'none' },
      concurrency: 2 * maxConcurrency,
      // The reader that is merged into the checkpoint was trained on this layout, and services that keep prefixes gain by it.
      layout: 'shared',
      async close() {
        await trainer.close();
        await frozen.close();
        await service.close();
      },
    };
  } catch (error) {
    await service.close();
    throw error;
  }
}

/** The key for a service, out of the environment. @throws input error when the variable is not set */
export function serviceKey(named: string | undefined, secure: boolean): { apiKey: string | undefined; apiKeyEnv: string | undefined } {
  const apiKeyEnv = named ?? (secure ? defaultKeyEnv : undefined);
  const apiKey = apiKeyEnv === undefined ? undefined : process.env[apiKeyEnv]?.trim();
  if (apiKeyEnv !== undefined && !apiKey)
    throw inputError(
      named === undefined
        ? `engine.baseUrl: the service wants a key: set the environment variable ${apiKeyEnv}, or name another with engine.apiKeyEnv.`
        : `engine.apiKeyEnv: the environment variable ${apiKeyEnv} is not set, or empty.`,
    );
  return { apiKey, apiKeyEnv };
}

/** Of a folder no weights are read: models that do not fit here are what such services are for. */
async function readTokenizer(model: string): Promise<TokenizerSource> {
  if ((await stat(model)).isDirectory()) return readTokenizerFolder(model);
  const checkpoint = await openCheckpoint(model);
  await checkpoint.close();
  return checkpoint.tokenizer;
}

const endTexts = new Set(['<|endoftext|>', '<|im_end|>', '<|eot_id|>', '<|eom_id|>', '<|end_of_text|>']);

/** The end of the turn, and the tokens that end a text in families that have them. */
function stopTokens({ addedTokens, eosToken }: TokenizerSource, { endOfTurn }: ModelRenderer): StopTokens {
  const ends = addedTokens.filter(
    ({ special, content, id }) => special && (id === endOfTurn || content === eosToken || endTexts.has(content)),
  );
  return { ids: [...new Set([endOfTurn, ...ends.map(({ id }) => id)])], texts: ends.map(({ content }) => content) };
}

/** Of the name on the service, and of the local files as far as they tell checkpoints apart: whole weights may take minutes to read. */
async function digestOf(model: string, baseModel: string): Promise<string> {
  const hash = createHash('sha256').update(`tinker\0${baseModel}\0`);
  const folder = (await stat(model)).isDirectory();
  const names = folder ? (await readdir(model)).filter((name) => name.endsWith('.safetensors')).sort() : [''];
  for (const name of folder ? ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'] : []) {
    const file = path.join(model, name);
    if (existsSync(file)) hash.update(`${name}\0`).update(await readFile(file));
  }
  for (const name of names) {
    const handle = await open(path.join(model, name), 'r');
    try {
      const { size } = await handle.stat();
      hash.update(`${name}\0${size}\0`);
      for (const at of [0, Math.floor(size / 2), Math.max(0, size - sampleBytes)]) {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(sampleBytes, size)), 0, Math.min(sampleBytes, size), at);
        hash.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  }
  return hash.digest('hex').slice(0, 16);
}
