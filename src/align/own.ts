/** Parts that a program may bring itself: another judge, another reward. Both say what they depend on, as records' ids do. */
import type { JudgeRequest, JudgeRun } from '../base/records.js';
import type { JudgeSubject } from './judge-form.js';

/** Stands in for the model with its rubric, in filtering and in RL. */
export interface OwnJudge {
  /** Of all that its verdicts depend on. With another one, completions are judged anew and RL is done anew. */
  readonly digest: string;
  /**
   * One of the k runs, whose lowest score counts. In RL the subject has no `cot`. The score lies between 0 and 1; null is
   * unscored, with the reason in `unscored`: such an answer is neither kept nor punished.
   */
  judge(subject: JudgeSubject, run: number): JudgeRun | Promise<JudgeRun>;
}

/** Stands in for the judge's score in RL, or changes it. It gets what a judge gets: there is no way to a CoT (paper, section 2.4). */
export interface OwnReward {
  readonly digest: string;
  /**
   * The reward of one answer, any finite number (advantages are taken against the mean of the group); null: unscored, and masked.
   * @param score the usual reward: the judge's lowest score, 0 for a refusal of an ordinary request. The judge is asked only when it is called
   */
  reward(request: JudgeRequest, score: () => Promise<number | null>): number | null | Promise<number | null>;
}

/** A judge or reward of the caller's own, where there is one. */
export interface OwnParts {
  judge?: OwnJudge;
  reward?: OwnReward;
}

/** For ids: empty where nothing is the caller's own, so that it changes no id then. */
export const ownDigests = ({ judge, reward }: OwnParts = {}): string[] => [
  ...(judge === undefined ? [] : [`judge ${judge.digest}`]),
  ...(reward === undefined ? [] : [`reward ${reward.digest}`]),
];
