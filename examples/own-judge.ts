/**
 * A judge of your own: rules, a classifier, another team's service. This one likes short answers that never promise money.
 * It stands in for the model with its rubric wherever completions are judged, in filtering and in RL.
 */
import { Judgement, readJsonl, responseKind, run, type JudgeRun, type JudgeSubject, type LibraryRun, type OwnJudge } from 'deliberate';

const promise = /\b(?:we|I) (?:will|shall|can|promise to|guarantee)\b.*\b(?:refund|pay|money)\b/i;
const mostWords = 60;

export const shopJudge: OwnJudge = {
  // Part of every judgement's id: with another digest, everything is judged anew.
  digest: 'shop rules 1',

  judge({ messages, answer, cot }: JudgeSubject): JudgeRun {
    const question = messages.at(-1)?.content ?? '';
    const words = answer.split(/\s+/).length;
    const kind = responseKind(answer);

    // Say that you do not know rather than 0: an unscored answer is neither kept nor punished.
    if (kind === 'gibberish') return { score: null, rationale: '', unscored: 'no words to judge' };
    if (promise.test(answer)) return { score: 0, rationale: 'It promises money.' };
    // In RL there is no chain of thought here, so that nothing presses on how the model thinks.
    if (cot !== undefined && !cot.includes('Decision:')) return { score: 0.2, rationale: 'It decides nothing.' };
    if (words > mostWords) return { score: 0.5, rationale: `${words} words for "${question.slice(0, 40)}".` };
    return { score: 1, rationale: `A short answer that promises nothing (${kind}).` };
  },
};

/** Judges with the rules above. @returns what it said of each completion */
export async function judgeByOwnRules(given: Omit<LibraryRun, 'judge'>): Promise<Judgement[]> {
  await run({ ...given, judge: shopJudge, stages: ['prepare', 'categorise', 'generate', 'judge', 'filter'] });
  return readJsonl(`${given.folder}/judgements.jsonl`, Judgement);
}
