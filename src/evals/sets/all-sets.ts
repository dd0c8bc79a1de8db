/** Every set that `deliberate eval --suite` knows. */
import { inputError } from '../../base/errors.js';
import { didYouMean } from '../../base/nearest.js';
import { bbq } from './bbq.js';
import type { EvaluationSet } from './evaluation-set.js';
import { harmBench, simpleSafetyTests } from './forbidden-sets.js';
import { harmInCot } from './harm-in-cot.js';
import { jailbreakBench } from './jailbreakbench.js';
import { escalation, multilingual } from './own-sets.js';
import { simpleQa } from './simpleqa.js';
import { strongReject } from './strongreject.js';
import { toolInjection } from './tool-injection.js';
import { wildJailbreak } from './wildjailbreak.js';
import { xsTest } from './xstest.js';

/** Public ones first, which need the user's file; then our own. */
export const evaluationSets: readonly EvaluationSet[] = [
  strongReject,
  xsTest,
  harmBench,
  jailbreakBench,
  simpleSafetyTests,
  wildJailbreak,
  simpleQa,
  bbq,
  escalation,
  toolInjection,
  multilingual,
  harmInCot,
];

/** @throws input error with the nearest name */
export function setNamed(name: string): EvaluationSet {
  const names = evaluationSets.map((set) => set.name);
  const found = evaluationSets.find((set) => set.name === name);
  if (found === undefined) throw inputError(`--suite ${name}: is not known${didYouMean(name, names)}. There are: ${names.join(', ')}.`);
  return found;
}
