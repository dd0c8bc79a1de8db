/**
 * Records of plain prompts once more, behind jailbreak wrappers. A CoT restates the request without what was wrapped around it, so
 * what was generated and judged for the plain prompt is as true of its wrapped copies, at no cost but that of training on them.
 */
import { Random } from '../base/random.js';
import { contentId, type Prompt, type SftRecord } from '../base/records.js';
import { isOrdinary } from './stage.js';
import type { Technique } from '../prompts/jailbreaks/technique.js';
import { trainingFamilies, wrapPrompt } from '../prompts/jailbreaks/wrap.js';

/**
 * Each record, followed by its wrapped copies. Kinds of answers are wrapped alike, or a wrapper would say what to answer; techniques of
 * the families that are held out for the suites are never used.
 * @param copies at most, of a record. Prompts that are wrapped already get none, nor do ordinary ones: a CoT that finds no policy is learnt
 *   from a few, and where it is most of what stands behind wrappers, wrappers come to mean that there is none (docs/LOG.md, 2026-11-28, 2)
 * @param techniques that copies are drawn from; a training without some families is given the others alone
 */
export function withWrappedCopies(
  records: readonly SftRecord[],
  promptOf: ReadonlyMap<string, Prompt>,
  copies: number,
  seed: number,
  techniques: readonly Technique[] = trainingFamilies,
): SftRecord[] {
  return records.flatMap((record) => {
    const prompt = promptOf.get(record.promptId);
    if (copies === 0 || prompt === undefined || prompt.technique !== 'none' || isOrdinary(prompt)) return [record];
    const random = new Random(`rewrap ${seed} ${record.id}`);
    const wrapped = random
      .shuffle(techniques)
      .slice(0, copies)
      .map((technique): SftRecord => {
        const { messages } = wrapPrompt(prompt, technique, random);
        return { ...record, id: contentId('rewrapped', record.id, technique.name), messages, technique: technique.name };
      });
    return [record, ...wrapped];
  });
}
