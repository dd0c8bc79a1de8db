/**
 * Suffixes that an optimiser found on other models (GCG: Zou et al. 2023, arXiv 2307.15043; StrongREJECT's `gcg_transfer_*`). None is
 * bundled: they are other people's, and a suffix that everybody has is soon trained against. The user brings them.
 */
import { inputError } from '../../base/errors.js';
import { filledLines, readText } from '../lines.js';
import type { Technique } from './technique.js';

const prefix = 'gcg_transfer_';

/** Suffixes by name: `universal` is that of `gcg_transfer_universal`. */
export type Suffixes = ReadonlyMap<string, string>;

/** The technique of that name, null where the name is no suffix's. @throws input error where the suffix was not given */
export function suffixTechnique(name: string, suffixes: Suffixes): Technique | null {
  if (!name.startsWith(prefix)) return null;
  const suffix = suffixes.get(name.slice(prefix.length));
  if (suffix === undefined)
    throw inputError(
      `jailbreak technique ${name}: its suffix must be given, for none is bundled. Write a line "${name.slice(prefix.length)}: the suffix" into a text file and add --suffixes with that file.`,
    );
  const end = ` ${suffix}`;
  return {
    name,
    family: 'suffix',
    apply: (request) => request + end,
    recover: (wrapped) => (wrapped.endsWith(end) ? wrapped.slice(0, -end.length) : null),
  };
}

/**
 * Reads suffixes, a line each: a name, a colon, and all behind it as it stands, for such strings are full of quotes and brackets.
 * @throws input error naming file and line
 */
export async function readSuffixes(file: string): Promise<Suffixes> {
  const suffixes = new Map<string, string>();
  for (const { text, number } of filledLines(await readText(file))) {
    const [, name, suffix] = /^([A-Za-z0-9_-]+):\s*(\S.*?)\s*$/.exec(text) ?? [];
    if (name === undefined || suffix === undefined)
      throw inputError(`${file}:${number}: is not a name, a colon and a suffix; names are of letters, digits, _ and -.`);
    if (suffixes.has(name)) throw inputError(`${file}:${number}: ${name} stands on an earlier line already.`);
    suffixes.set(name, suffix);
  }
  if (suffixes.size === 0) throw inputError(`${file}: holds no suffixes.`);
  return suffixes;
}
