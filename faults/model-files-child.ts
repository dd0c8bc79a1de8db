/**
 * Opens damaged model files, one after the other, and says what came of each.
 * argv: kind, sample folder, work folder, seed, first and last number. Prints `begin N` before and `end N outcome milliseconds` after each;
 * outcomes: opened (the change did no harm), refused (by a sentence), failed (anything else: a bug).
 */
import { writeSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DeliberateError } from '../src/base/errors.js';
import { Random } from '../src/base/random.js';
import { createRenderer } from '../src/lm/chat-template.js';
import { openCheckpoint } from '../src/lm/checkpoint.js';
import { allTargets } from '../src/base/lora-targets.js';
import { readModelParts } from '../src/lm/model-parts.js';
import { readAdapter } from '../src/lm/peft.js';
import { createTokenizer } from '../src/lm/tokenizer.js';
import { bombs } from './bombs.js';
import { mutateBytes, mutateJson, mutateText } from './mutate.js';

const [kind = '', samples = '', work = '', seed = '0', first = '0', last = '0'] = process.argv.slice(2);

const texts = ['Hello there.', '<|im_end|><|system|> 12 é \u{1F642}', 'a'.repeat(3000), ' '.repeat(3000), "don't  stop\n\n\t", '\ud800'];

/** Everything that a run does with a checkpoint before the engine starts. */
async function useModel(model: string, render: boolean): Promise<void> {
  const checkpoint = await openCheckpoint(model);
  try {
    await readModelParts(checkpoint, { rank: 4, alpha: 8, targets: allTargets });
    const tokenizer = createTokenizer(checkpoint.tokenizer);
    const specials = new Set(tokenizer.specialTokens.values());
    for (const text of texts) {
      const tokens = tokenizer.encode(text);
      if (tokens.some((token) => specials.has(token))) throw new Error(`a control token came out of ${JSON.stringify(text.slice(0, 40))}`);
      tokenizer.decode(tokens);
    }
    if (!render) return;
    const renderer = await createRenderer(checkpoint.tokenizer);
    renderer.promptTokens([
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: '<|im_end|>{{ 1 }}' },
    ]);
  } finally {
    await checkpoint.close();
  }
}

const readJsonOf = async (file: string) => JSON.parse(await readFile(file, 'utf8')) as unknown;

/** Writes the damaged copy. @returns what opens it */
async function prepare(n: number, random: Random): Promise<() => Promise<void>> {
  const folder = path.join(work, 'model');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const sample = (name: string) => path.join(samples, name);
  const target = (name: string) => path.join(folder, name);
  if (kind === 'sound') {
    const of = [
      () => useModel(sample('model.gguf'), false),
      () => useModel(sample('folder'), true),
      async () => void (await readAdapter(sample('adapter'))),
    ];
    return of[n]!;
  }
  if (kind === 'gguf') {
    await writeFile(target('model.gguf'), mutateBytes(await readFile(sample('model.gguf')), random, 6000));
    return () => useModel(target('model.gguf'), false);
  }
  if (kind === 'adapter') {
    await cp(sample('adapter'), folder, { recursive: true });
    if (random.uniform() < 0.5) {
      const file = target('adapter_config.json');
      await writeFile(file, JSON.stringify(mutateJson(await readJsonOf(file), random)));
    } else {
      const file = target('adapter_model.safetensors');
      await writeFile(file, mutateBytes(await readFile(file), random, 3000));
    }
    return async () => void (await readAdapter(folder));
  }
  await cp(sample('folder'), folder, { recursive: true });
  switch (kind) {
    case 'safetensors':
      await writeFile(target('model.safetensors'), await damagedSafetensors(await readFile(target('model.safetensors')), random));
      return () => useModel(folder, false);
    case 'config':
      await writeFile(target('config.json'), JSON.stringify(mutateJson(await readJsonOf(target('config.json')), random)));
      return () => useModel(folder, false);
    case 'tokenizer': {
      const name = random.uniform() < 0.85 ? 'tokenizer.json' : 'tokenizer_config.json';
      const bytes = await readFile(target(name));
      const changed =
        random.uniform() < 0.8
          ? JSON.stringify(mutateJson(JSON.parse(bytes.toString()), random))
          : mutateBytes(bytes, random, bytes.length);
      await writeFile(target(name), changed);
      return () => useModel(folder, false);
    }
    case 'template':
      await writeFile(target('chat_template.jinja'), mutateText(await readFile(target('chat_template.jinja'), 'utf8'), random));
      return () => useModel(folder, true);
    case 'bombs': {
      const model = await bombs[n]!.write(folder);
      return () => useModel(model, true);
    }
    default:
      throw new Error(`internal: no kind ${kind}`);
  }
}

/** Bytes at random, or a header that is JSON and lies. */
async function damagedSafetensors(bytes: Buffer, random: Random): Promise<Buffer> {
  if (random.uniform() < 0.5) return mutateBytes(bytes, random, 3000);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = Buffer.from(JSON.stringify(mutateJson(JSON.parse(bytes.subarray(8, 8 + length).toString()), random)));
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([head, header, bytes.subarray(8 + length)]);
}

for (let n = Number(first); n <= Number(last); n++) {
  const open = await prepare(n, new Random(`model ${kind} ${seed} ${n}`));
  writeSync(1, `begin ${n}\n`);
  const start = performance.now();
  let outcome = 'opened';
  try {
    await open();
  } catch (error) {
    const refused = error instanceof DeliberateError && error.kind === 'input';
    outcome = refused ? 'refused' : 'failed';
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (!refused) writeSync(1, `${text.slice(0, 600)}\n`);
    else if (kind === 'bombs') writeSync(1, `said ${error.message.split('\n')[0]?.slice(0, 300)}\n`);
  }
  writeSync(1, `end ${n} ${outcome} ${Math.round(performance.now() - start)} ${process.resourceUsage().maxRSS}\n`);
}
