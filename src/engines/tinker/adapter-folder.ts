/** Adapter folders of a policy that lives on a service: the adapter as PEFT, and where the service has its training state. */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { z } from 'zod';
import { dependencyError, DeliberateError, inputError } from '../../base/errors.js';
import { recoverFolder, replaceFolder } from '../../lm/atomic-write.js';
import { readAdapter, writeAdapter } from '../../lm/peft.js';
import type { SavedWeights } from './remote-model.js';
import type { TinkerService } from './service.js';

const fileName = 'tinker.json';
const Kept = z.strictObject({ service: z.string(), baseModel: z.string(), weights: z.string(), sampler: z.string() });

/** Files of an archive that make an adapter. */
const adapterFiles = ['adapter_config.json', 'adapter_model.safetensors'] as const;
const mostBytes = 2 ** 32;

/** Writes the folder, which appears whole or not at all. @param files as downloaded @throws dependency error from the disk */
export async function writeAdapterFolder(folder: string, files: ReadonlyMap<string, Buffer>, kept: z.infer<typeof Kept>): Promise<void> {
  await replaceFolder(folder, async (temporary) => {
    const raw = path.join(temporary, 'raw');
    await mkdir(raw);
    for (const [name, content] of files) await writeFile(path.join(raw, name), content);
    await normalise(raw, temporary, path.basename(kept.baseModel));
    await rm(raw, { recursive: true });
    await writeFile(path.join(temporary, fileName), `${JSON.stringify(kept, null, 2)}\n`);
  });
}

/** Where the service has the training state of the adapter in a folder. @throws input error when it was trained elsewhere */
export async function readSavedWeights(folder: string): Promise<SavedWeights> {
  await recoverFolder(folder);
  const file = path.join(folder, fileName);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw inputError(
      `${file}: cannot be read. The adapter was trained elsewhere, and a Tinker service takes no adapters: do the training anew with --redo sft.`,
      error,
    );
  });
  try {
    return Kept.parse(JSON.parse(text));
  } catch (error) {
    throw inputError(`${file}: is not what this program wrote. Do the training anew with --redo sft.`, error);
  }
}

/** @throws StateLost; dependency error when the archive is damaged or holds something else */
export async function downloadAdapter(service: TinkerService, sampler: string): Promise<Map<string, Buffer>> {
  const [, model, ...rest] = /^tinker:\/\/([^/]+)\/(.+)$/.exec(sampler) ?? [];
  const checkpoint = rest.join('/').split('/').at(-1);
  if (model === undefined || checkpoint === undefined) throw dependencyError(`${service.name}: ${sampler} is no path of weights.`);
  const archive = await service.file(`training_runs/${encodeURIComponent(model)}/checkpoints/${encodeURIComponent(checkpoint)}/archive`);
  let files: Map<string, Buffer>;
  try {
    files = tarFiles(await promisify(gunzip)(archive, { maxOutputLength: mostBytes }));
  } catch (error) {
    throw dependencyError(`${service.name}: the archive of ${sampler} is damaged. Run the same command again.`, error);
  }
  for (const name of adapterFiles)
    if (!files.has(name))
      throw dependencyError(`${service.name}: the archive of ${sampler} holds no ${name}: ${[...files.keys()].join(', ')}.`);
  return new Map(adapterFiles.map((name) => [name, files.get(name)!]));
}

/** Services leave fields of the configuration out (target_modules, for one): written anew, PEFT and the embedded engine load it. */
async function normalise(raw: string, folder: string, baseModel: string): Promise<void> {
  const whole = path.join(raw, 'whole');
  let source = raw;
  try {
    await writeAdapter(whole, await readAdapter(raw), { baseModel, dtype: 'F32' });
    source = whole;
  } catch (error) {
    // Layers that the embedded engine does not know (mixtures of experts): kept as they came.
    if (!(error instanceof DeliberateError) || error.kind !== 'input') throw error;
  }
  for (const name of adapterFiles) await copyFile(path.join(source, name), path.join(folder, name));
}

const block = 512;

/** Regular files of a tar archive by their names without folders. @throws when it ends within a file */
export function tarFiles(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; at + block <= archive.length;) {
    const header = archive.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) break;
    const size = tarNumber(header.subarray(124, 136));
    const end = at + block + size;
    if (!Number.isSafeInteger(size) || size < 0 || end > archive.length) throw new Error('the archive is cut off');
    const type = String.fromCharCode(header[156] ?? 0);
    const name = header.subarray(0, 100).toString('utf8').replace(/\0.*$/s, '');
    // Others are folders, links and further fields of the next header.
    if (type === '0' || type === '\0') files.set(path.posix.basename(name), archive.subarray(at + block, end));
    at = at + block + Math.ceil(size / block) * block;
  }
  return files;
}

/** Octal text, or binary where the first bit is set (more than 8 GB). */
function tarNumber(field: Buffer): number {
  if (((field[0] ?? 0) & 0x80) === 0) return Number.parseInt(field.toString('latin1').replace(/[\0 ]+$/, '') || '0', 8);
  return field.subarray(1).reduce((value, byte) => value * 256 + byte, (field[0] ?? 0) & 0x7f);
}
