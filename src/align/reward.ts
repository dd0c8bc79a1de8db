/**
 * The reward of stage 2 (paper, section 2.4). Everything here takes a JudgeRequest: conversation, answer, category. There is
 * nowhere to put a CoT, and no mechanical check of citations, for either would press on the CoT and teach it to please.
 */
import { type JudgeRequest, lastRequest } from '../base/records.js';
import { lowestScore, type Judge } from './judge.js';
import { responseKind } from './response-kind.js';

/** All of a judge that a reward may use. */
export type AnswerJudge = Pick<Judge, 'judgeAnswer'>;

/** For a rollout that ended, but not as one CoT and an answer. The judge is not asked. */
export const lowestReward = 0;

/** The judge's lowest score; null when it is unscored. */
export async function policyReward(judge: AnswerJudge, request: JudgeRequest, runs: number): Promise<number | null> {
  return lowestScore(await judge.judgeAnswer(request, runs));
}

/** For ordinary requests: the judge's score of what is a full answer by rules as well; a refusal and gibberish get the lowest. */
export async function helpfulReward(judge: AnswerJudge, request: JudgeRequest, runs: number): Promise<number | null> {
  return responseKind(request.answer, lastRequest(request.messages)) === 'comply' ? policyReward(judge, request, runs) : lowestReward;
}
