/** Techniques by name or by group, pure ones and those that a model writes. */
import { inputError } from '../../base/errors.js';
import { combined, partsOf } from '../../prompts/jailbreaks/combination.js';
import { suffixTechnique, type Suffixes } from '../../prompts/jailbreaks/suffix.js';
import { encodings, techniques, type Technique } from '../../prompts/jailbreaks/wrap.js';
import { heldOutByFamily } from '../select.js';
import { wrappedAttack } from './combination.js';
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
export const techniqueHelp = `none, held-out (20 of the held-out families), held-out:N, encodings, pap, translation_<code>, gcg_transfer_<name> (with --suffixes), or one by name: ${[...techniques.keys(), ...written.keys()].join(', ')}; two or three names joined by +, like poems+base64, are applied one after the other`;

/** @throws input error for a name that there is not, or a suffix that was not given */
export function chooseTechniques(names: readonly string[], suffixes: Suffixes = new Map()): ChosenTechniques {
  const chosen: ChosenTechniques = { plain: false, pure: [], written: [] };
  for (const name of new Set(names)) {
    const count = /^held-out(?::(\d+))?$/.exec(name);
    if (name === 'none') chosen.plain = true;
    else if (count !== null) chosen.pure.push(...heldOutByFamily().slice(0, Number(count[1] ?? heldOutDefault)));
    else if (name === 'encodings') chosen.pure.push(...encodings);
    else if (name === 'pap') chosen.written.push(...persuasions);
    else addNamed(chosen, name, suffixes);
  }
  const unique = <T extends { name: string }>(list: readonly T[]): T[] => [...new Map(list.map((one) => [one.name, one])).values()];
  return { plain: chosen.plain, pure: unique(chosen.pure), written: unique(chosen.written) };
}

/** One technique, or several joined by +; of these a model can write the first alone, for it rewrites requests, not wrappers. */
function addNamed(chosen: ChosenTechniques, name: string, suffixes: Suffixes): void {
  const [first, ...others] = partsOf(name).map((part) => ({ part, ...technique(part, name, suffixes) }));
  const outer = others.map(({ part, pure }) => {
    if (pure === undefined) throw inputError(`--technique ${name}: ${part} is written by a model, so it must stand first.`);
    return pure;
  });
  if (first!.pure !== undefined) chosen.pure.push(combined([first!.pure, ...outer]));
  else chosen.written.push(outer.reduce(wrappedAttack, first!.model!));
}

function technique(part: string, name: string, suffixes: Suffixes): { pure?: Technique; model?: ModelTechnique } {
  const pure = techniques.get(part) ?? suffixTechnique(part, suffixes);
  if (pure !== null) return { pure };
  const model = part.startsWith('translation_') ? translation(part) : written.get(part);
  if (model !== undefined) return { model };
  throw inputError(
    `--technique ${name}: ${part === name ? 'is' : `${part} is`} not known${part === name ? '' : ' as one technique'}. There are: ${techniqueHelp}.`,
  );
}
