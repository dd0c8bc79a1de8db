/** A checkpoint with a head of its own in place of the embeddings: the same model, for services that cannot share out tied ones. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openSafetensors, writeSafetensors } from '../src/lm/safetensors.js';

/** @param folder Hugging Face folder with one safetensors file in F32, changed in place */
export async function untieHead(folder: string): Promise<void> {
  const config = path.join(folder, 'config.json');
  const settings = JSON.parse(await readFile(config, 'utf8')) as Record<string, unknown>;
  await writeFile(config, JSON.stringify({ ...settings, tie_word_embeddings: false }, null, 2));
  const file = path.join(folder, 'model.safetensors');
  const tied = await openSafetensors(file);
  const tensor = (name: string, from = name) => [name, { shape: tied.tensors.get(from)!.shape, data: () => tied.read(from) }] as const;
  const untied = new Map([...tied.names.map((name) => tensor(name)), tensor('lm_head.weight', 'model.embed_tokens.weight')]);
  await writeSafetensors(`${file}.untied`, untied);
  await tied.close();
  await rename(`${file}.untied`, file);
}
