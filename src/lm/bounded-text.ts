/** Text files of models, which come from strangers: a size that no such file needs is refused before it is read. */
import { readFile, stat } from 'node:fs/promises';
import { inputError } from '../base/errors.js';

const megabyte = 1 << 20;
/** config.json, an index of shards, adapter_config.json. */
export const mostConfigBytes = 16 * megabyte;
/** tokenizer.json; the largest vocabularies take half of it. */
export const mostTokenizerBytes = 64 * megabyte;

/** @throws input error for a file that is larger; what readFile throws */
export async function readBounded(file: string, mostBytes: number): Promise<string> {
  const { size } = await stat(file);
  if (size > mostBytes) throw inputError(`${file} has ${size} bytes; no such file needs more than ${mostBytes}. It is damaged or hostile.`);
  return readFile(file, 'utf8');
}
