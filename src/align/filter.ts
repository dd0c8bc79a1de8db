/**
 * Stage 1b: keeps what is well-formed, passes the mechanical checks and was judged good; the best of each prompt; balanced over
 * category × kind. The specification ends here: an SftRecord has the conversation, the CoT and the answer (paper, sections 2.3.2 and 2.3.3).
 */
import type { Config } from '../base/config.js';
import { contentId, lastRequest, SftRecord, type Checks, type Completion, type Judgement, type Prompt } from '../base/records.js';
import type { Technique } from '../prompts/jailbreaks/technique.js';
import { answerMatches, failedChecks } from './check.js';
import { withWrappedCopies } from './rewrap.js';
import { categoryOf, isOrdinary } from './stage.js';

export interface FunnelStep {
  title: string;
  count: number;
  note?: string;
}

export interface Filtered {
  records: SftRecord[];
  funnel: FunnelStep[];
}

/**
 * Whether nothing is cited where a policy has something to say. Generation asks for the excerpts that decide (paper, Fig. 5), and a CoT
 * that names none teaches the policy model to recall none: small models say that first anyway.
 */
const lacksCitation = (prompt: Prompt | undefined, { citations }: Completion, { citation }: Config['filter']): boolean =>
  citation && prompt !== undefined && categoryOf(prompt) !== 'none' && citations.length === 0;

/** What fails any of these is neither judged nor trained on. */
export const passesChecks = (prompt: Prompt | undefined, completion: Completion, settings: Config['filter']): boolean =>
  failedChecks(completion.checks, settings.requiredChecks).length === 0 && !lacksCitation(prompt, completion, settings);

/**
 * Whether an answer is of another kind than the prompt's hint where the judge's reading must agree with the hint and the answer with
 * the reading: it scores 0 if the judge agrees and is left out if not, so no judge need be asked.
 */
export const againstHint = (
  prompt: Prompt,
  { answer }: Pick<Completion, 'answer'>,
  { judge, filter }: Pick<Config, 'judge' | 'filter'>,
): boolean =>
  judge.hint &&
  judge.kindCheck &&
  filter.hintAgreement &&
  prompt.ideal !== undefined &&
  !answerMatches(answer, prompt.ideal, lastRequest(prompt.messages));

interface Candidate {
  prompt: Prompt;
  completion: Completion & { cot: string };
  /** Ordinary completions, which are not judged, have 1. */
  score: number;
  /** Whether every run of the judge agreed with the hint, where it had one. */
  agrees: boolean;
}

const agrees = ({ runs }: Judgement): boolean => runs.every(({ agreesWithHint }) => agreesWithHint !== false);

/**
 * Pure; the order of the records is that of the prompts.
 * @param wrappers techniques of wrapped copies; all training families by default
 */
export function filterCompletions(
  prompts: readonly Prompt[],
  completions: readonly Completion[],
  judgements: readonly Judgement[],
  settings: Config['filter'],
  seed: number,
  wrappers?: readonly Technique[],
): Filtered {
  const promptOf = new Map(prompts.map((prompt) => [prompt.id, prompt]));
  const judged = new Map(judgements.map((judgement) => [judgement.completionId, judgement]));
  const wellFormed = completions.filter(
    (completion): completion is Completion & { cot: string } => completion.checks.wellFormed && completion.cot !== null,
  );
  const uncited = wellFormed.filter((completion) => lacksCitation(promptOf.get(completion.promptId), completion, settings));
  const sound = wellFormed.filter((completion) => passesChecks(promptOf.get(completion.promptId), completion, settings));
  const scored = sound.flatMap((completion): Candidate[] => {
    const prompt = promptOf.get(completion.promptId);
    if (prompt === undefined) return [];
    if (isOrdinary(prompt)) return completion.decision === 'comply' ? [{ prompt, completion, score: 1, agrees: true }] : [];
    const judgement = judged.get(completion.id);
    return judgement === undefined || judgement.score === null
      ? []
      : [{ prompt, completion, score: judgement.score, agrees: agrees(judgement) }];
  });
  const agreed = scored.filter((candidate) => candidate.agrees || !settings.hintAgreement);
  const good = agreed.filter(({ score }) => score >= settings.threshold);
  const best = bestOfEach(good, settings.perPrompt, seed);
  const balanced = balance(best, settings.balance, seed);
  const place = new Map(prompts.map((prompt, i) => [prompt.id, i]));
  const records = balanced
    .sort((a, b) => place.get(a.prompt.id)! - place.get(b.prompt.id)! || a.completion.sample - b.completion.sample)
    .map(({ prompt, completion: { id, cot, answer } }) =>
      SftRecord.parse({ id: contentId('sft', id, cot, answer), promptId: prompt.id, messages: prompt.messages, cot, answer }),
    );
  const copied = withWrappedCopies(records, promptOf, settings.wrappedCopies, seed, wrappers);
  const unscored = judgements.filter(({ score }) => score === null).length;
  const unjudged = sound.filter(({ id, promptId }) => {
    const prompt = promptOf.get(promptId);
    return prompt !== undefined && !isOrdinary(prompt) && !judged.has(id);
  }).length;
  return {
    records: copied,
    funnel: [
      { title: 'Prompts asked', count: new Set(completions.map(({ promptId }) => promptId)).size },
      { title: 'Completions', count: completions.length },
      { title: 'Well-formed', count: wellFormed.length, note: 'closed CoT, answer not empty, not cut off' },
      { title: 'Checks hold', count: sound.length, note: failureCounts(wellFormed, settings.requiredChecks, uncited.length) },
      {
        title: 'Scored',
        count: scored.length,
        note: `${unscored} unscored, ${unjudged} against the hint; ordinary requests need no judge`,
      },
      ...(settings.hintAgreement ? [{ title: 'Judge and hint agree', count: agreed.length, note: 'or there was no hint' }] : []),
      { title: `Score ${settings.threshold} or better`, count: good.length, note: 'the lowest of the judge’s runs' },
      { title: `Best ${settings.perPrompt} of each prompt`, count: best.length },
      { title: 'Kept for SFT', count: records.length, note: 'balanced over category × kind' },
      ...(settings.wrappedCopies > 0
        ? [
            {
              title: 'With wrapped copies',
              count: copied.length,
              note: `up to ${settings.wrappedCopies} of each plain record of a category`,
            },
          ]
        : []),
    ],
  };
}

const failureCounts = (completions: readonly Completion[], required: readonly (keyof Checks)[], uncited: number): string =>
  [
    ...required.map(
      (name) => [`${name} fails`, completions.filter(({ checks }) => failedChecks(checks, [name]).length > 0).length] as const,
    ),
    ['nothing is cited in', uncited] as const,
  ]
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ') || 'nothing fails';

/** Best first; among equals a hash decides, so that nothing of the order of work shows. */
const ranked = (candidates: readonly Candidate[], seed: number): Candidate[] =>
  [...candidates].sort(
    (a, b) => b.score - a.score || (contentId('rank', seed, a.completion.id) < contentId('rank', seed, b.completion.id) ? -1 : 1),
  );

function bestOfEach(candidates: readonly Candidate[], most: number, seed: number): Candidate[] {
  const taken = new Map<string, number>();
  return ranked(candidates, seed).filter(({ prompt }) => {
    const count = taken.get(prompt.id) ?? 0;
    taken.set(prompt.id, count + 1);
    return count < most;
  });
}

/** Takes the worst out of cells of category × decision that hold more than `ratio` medians. Ordinary requests are a setting of their own. */
function balance(candidates: readonly Candidate[], ratio: number, seed: number): Candidate[] {
  const cells = new Map<string, Candidate[]>();
  for (const candidate of ranked(candidates, seed)) {
    const cell = isOrdinary(candidate.prompt) ? 'ordinary' : `${categoryOf(candidate.prompt)}/${candidate.completion.decision}`;
    const inCell = cells.get(cell);
    if (inCell === undefined) cells.set(cell, [candidate]);
    else inCell.push(candidate);
  }
  const sizes = [...cells]
    .filter(([cell]) => cell !== 'ordinary')
    .map(([, list]) => list.length)
    .sort((a, b) => a - b);
  const median = sizes[Math.floor(sizes.length / 2)] ?? 0;
  return [...cells].flatMap(([cell, list]) => (cell === 'ordinary' ? list : list.slice(0, Math.max(1, Math.ceil(ratio * median)))));
}
