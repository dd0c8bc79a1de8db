/** Techniques one after the other, named `poems+base64`: the poem's words around the request, and all of it in base64. */
import { inputError } from '../../base/errors.js';
import { composed, type Technique } from './technique.js';

/** More would be a text that no person would send, and hardly ever one that can be read back. */
const most = 3;

/** Names of a combination's techniques in the order in which they are applied; a single name is itself. */
export function partsOf(name: string): string[] {
  const parts = name.split('+');
  if (parts.length > most) throw inputError(`jailbreak technique ${name}: joins ${parts.length}; at most ${most} can be joined.`);
  if (new Set(parts).size < parts.length) throw inputError(`jailbreak technique ${name}: joins a technique with itself.`);
  return parts;
}

/**
 * The first technique, then the others around what it made. Its family names all of theirs, `verse+encoding`, so it is a training family's
 * only where all of its parts are of that one family.
 */
export function combined([first, ...others]: readonly [Technique, ...Technique[]]): Technique {
  return others.reduce((inner, outer) => composed(familyOf(inner, outer), `${inner.name}+${outer.name}`, inner, outer), first);
}

/** What a combination is said to be of. */
export const familyOf = (...parts: readonly { family: string }[]): string =>
  [...new Set(parts.flatMap(({ family }) => family.split('+')))].join('+');
