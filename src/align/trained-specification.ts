/** Which specification a training's data was made under: noted beside the weights, for run.yaml follows later edits. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeTextAtomically } from '../base/atomic-text.js';
import { diskError } from '../base/disk-error.js';
import { inputError } from '../base/errors.js';
import { categoryDigest } from './spec/compile.js';
import type { Spec } from './spec/types.js';

const Note = z.record(z.string(), z.string());
const noteFile = (root: string) => path.join(root, 'specification.json');

/** Digests of what concerns each category, `none` among them. */
export const specDigests = (spec: Spec): Record<string, string> =>
  Object.fromEntries(['none', ...spec.categories.map(({ name }) => name)].map((name) => [name, categoryDigest(spec, name)]));

/** @param root folder of the training */
export async function noteSpecification(root: string, spec: Spec): Promise<void> {
  await writeTextAtomically(noteFile(root), `${JSON.stringify(specDigests(spec), null, 1)}\n`);
}

/** The digests noted; null where an older version trained. @throws input error when the note is not ours */
export async function notedSpecification(root: string): Promise<Record<string, string> | null> {
  const file = noteFile(root);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw diskError(file, error);
  });
  if (text === null) return null;
  try {
    return Note.parse(JSON.parse(text));
  } catch (error) {
    throw inputError(`${file}: is not what this program wrote. Remove it; the digests in run.yaml are then taken.`, error);
  }
}
