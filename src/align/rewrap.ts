/**
 * Records of plain prompts once more, behind jailbreak wrappers. A CoT restates the request without what was wrapped around it, so
 * what was generated and judged for the plain prompt is as true of its wrapped copies, at no cost but that of training on them.
 */
import { Random } from '../base/random.js';
import { contentId, type Prompt, type SftRecord } from '../base/records.js';
import { trainingFamilies, wrapPrompt } from '../prompts/jailbreaks/wrap.js';

/**
 * Each record, followed by its wrapped copies. Kinds of answers are wrapped alike, or a wrapper would say what to answer; techniques of
 * the families that are held out for the suites are never used.
 * @param copies at most, of a record; prompts that are wrapped already get none
 */
export function withWrappedCopies(
  records: readonly SftRecord[],
  promptOf: ReadonlyMap<string, Prompt>,
  copies: number,
  seed: number,
): SftRecord[] {
  return records.flatMap((record) => {
    const prompt = promptOf.get(record.promptId);
    if (copies === 0 || prompt === undefined || prompt.technique !== 'none') return [record];
    const random = new Random(`rewrap ${seed} ${record.id}`);
    const wrapped = random
      .shuffle(trainingFamilies)
      .slice(0, copies)
      .map((technique): SftRecord => {
        const { messages } = wrapPrompt(prompt, technique, random);
        return { ...record, id: contentId('rewrapped', record.id, technique.name), messages, technique: technique.name };
      });
    return [record, ...wrapped];
  });
}
