/** Techniques by name or by group, pure ones and those that a model writes. */
import { inputError } from '../../base/errors.js';
import { encodings, techniques, type Technique } from '../../prompts/jailbreaks/wrap.js';
import { heldOutByFamily } from '../select.js';
import { obfuscation, payloadSplitting } from './hidden-words.js';
import { paraphrase, persuasions } from './persuasion.js';
import { pair } from './refinement.js';
import type { ModelTechnique } from './technique.js';
import { translation } from './translation.js';

export interface ChosenTechniques {
  /** Whether the plain request is asked as well. */
  plain: boolean;
  pure: Technique[];
  written: ModelTechnique[];
}

const written: ReadonlyMap<string, ModelTechnique> = new Map(
  [...persuasions, paraphrase, payloadSplitting, obfuscation, pair].map((technique) => [technique.name, technique]),
);

/** Held-out techniques when no number is given: goodness@0.1 needs J ≥ 20. */
const heldOutDefault = 20;

/** For `--help`. */
export const techniqueHelp = `none, held-out (20 of the held-out families), held-out:N, encodings, pap, translation_<code>, or one by name: ${[...techniques.keys(), ...written.keys()].join(', ')}`;

/** @throws input error for a name that there is not */
export function chooseTechniques(names: readonly string[]): ChosenTechniques {
  const chosen: ChosenTechniques = { plain: false, pure: [], written: [] };
  for (const name of new Set(names)) {
    const count = /^held-out(?::(\d+))?$/.exec(name);
    const pure = techniques.get(name);
    const model = name.startsWith('translation_') ? translation(name) : written.get(name);
    if (name === 'none') chosen.plain = true;
    else if (count !== null) chosen.pure.push(...heldOutByFamily().slice(0, Number(count[1] ?? heldOutDefault)));
    else if (name === 'encodings') chosen.pure.push(...encodings);
    else if (name === 'pap') chosen.written.push(...persuasions);
    else if (pure !== undefined) chosen.pure.push(pure);
    else if (model !== undefined) chosen.written.push(model);
    else throw inputError(`--technique ${name}: is not known. There are: ${techniqueHelp}.`);
  }
  const unique = <T extends { name: string }>(list: readonly T[]): T[] => [...new Map(list.map((one) => [one.name, one])).values()];
  return { plain: chosen.plain, pure: unique(chosen.pure), written: unique(chosen.written) };
}
