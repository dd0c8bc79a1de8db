/** Jailbreak variants of prompts. */
import { inputError, internalError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { Prompt } from '../../base/records.js';
import { promptId } from '../conversation.js';
import { combined, partsOf } from './combination.js';
import { encodings } from './encodings.js';
import { heldOutFamilies } from './held-out-families.js';
import { suffixTechnique, type Suffixes } from './suffix.js';
import type { Technique } from './technique.js';
import { trainingFamilies } from './training-families.js';

export type { Technique } from './technique.js';
export { encodings, heldOutFamilies, trainingFamilies };

export const techniques: ReadonlyMap<string, Technique> = new Map(
  [...trainingFamilies, ...heldOutFamilies, ...encodings].map((technique) => [technique.name, technique]),
);

/**
 * The technique of that name, or several joined by + in the order in which they are applied: `poems+base64`.
 * @param suffixes what `gcg_transfer_*` puts behind a request
 * @throws an input error for a name we do not have; those that need a model (pap_*, pair, auto_*, translation_*) are not pure functions.
 */
export function techniqueNamed(name: string, suffixes: Suffixes = new Map()): Technique {
  return combined(partsOf(name).map((part) => singleTechnique(part, suffixes)) as [Technique]);
}

function singleTechnique(name: string, suffixes: Suffixes): Technique {
  const technique = techniques.get(name) ?? suffixTechnique(name, suffixes);
  if (technique !== null) return technique;
  const needsModel = /^(pap_|pair$|paraphrase$|auto_|translation_)/.test(name);
  throw inputError(
    `jailbreak technique ${JSON.stringify(name)}: ${needsModel ? 'needs an attacker model and is no pure function' : 'is unknown'}. ` +
      `There are: ${[...techniques.keys()].join(', ')}.`,
  );
}

/**
 * The prompt with its last user message wrapped. `request`, category, ideal, split and tags stay; technique and id are new.
 * @throws an internal error when the technique leaves the text as it was (a jailbreak score would look good for nothing),
 * and when the prompt is wrapped already.
 */
export function wrapPrompt(prompt: Prompt, technique: Technique, random: Random): Prompt {
  const wrapped = wrapIfChanged(prompt, technique, random);
  if (wrapped === null) throw internalError(`technique ${technique.name}: returned prompt ${prompt.id} unchanged.`);
  return wrapped;
}

/** The same; null where the technique finds nothing to change, as leetspeak does in Chinese. */
export function wrapIfChanged(prompt: Prompt, technique: Technique, random: Random): Prompt | null {
  if (prompt.technique !== 'none') {
    throw internalError(`prompt ${prompt.id}: is wrapped in ${prompt.technique} already; wrap the plain prompt.`);
  }
  const last = prompt.messages.at(-1);
  if (last?.role !== 'user') throw internalError(`prompt ${prompt.id}: does not end on a user turn.`);
  const content = technique.apply(last.content, random);
  if (content === last.content) return null;
  const messages = [...prompt.messages.slice(0, -1), { ...last, content }];
  return { ...prompt, id: promptId(messages), messages, technique: technique.name };
}
