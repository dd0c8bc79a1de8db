/** The judge of a run, kept up for other programs' training: the reward of stage 2 (paper, section 2.4). */
import { inParallel } from '../base/parallel.js';
import type { JudgeRun } from '../base/records.js';
import { Judge } from '../align/judge.js';
import type { JudgeOptions } from '../align/judge-form.js';
import { helpfulReward, lowestReward, policyReward, type AnswerJudge } from '../align/reward.js';
import { badRequest } from './api-error.js';
import type { Submission } from './judge-request.js';

export interface Verdict {
  /** 0 to 1; null is unscored: neither bad nor good. */
  score: number | null;
  /** malformed: its tags are broken, and it has the lowest score without the judge being asked, as in our own RL. */
  outcome: 'judged' | 'malformed' | 'unscored';
  /** Runs of the judge; the score is the lowest of them. */
  runs: JudgeRun[];
}

export interface JudgeServiceOptions extends Omit<JudgeOptions, 'signal'> {
  /** Runs of the judge an answer. */
  runs: number;
  /** Answers judged at a time. */
  concurrency: number;
}

/** A judge keeps its readings of prompts, which many answers share; after so many answers a fresh one takes over. */
const answersKept = 20_000;

export class JudgeService {
  private judge: Judge;
  private answers = 0;

  constructor(private readonly options: JudgeServiceOptions) {
    this.judge = new Judge(options);
  }

  get categories(): string[] {
    return [...this.options.specs.spec.categories.map(({ name }) => name), 'none'];
  }

  /**
   * @returns a verdict for each, in their order
   * @throws ApiError for a category that the specification does not have, before anything is judged
   */
  async verdicts(submissions: readonly Submission[], signal?: AbortSignal): Promise<Verdict[]> {
    const known = new Set(this.categories);
    const strange = submissions.find(({ request }) => !known.has(request.category))?.request.category;
    if (strange !== undefined)
      throw badRequest(
        `the specification has no category ${JSON.stringify(strange)}; it has ${[...known].join(', ')}.`,
        'category',
        'unknown_category',
      );
    const verdicts: Verdict[] = [];
    await inParallel(
      submissions,
      this.options.concurrency,
      async (one, i) => {
        verdicts[i] = await this.verdict(one);
      },
      signal,
    );
    return verdicts;
  }

  private async verdict({ request, malformed }: Submission): Promise<Verdict> {
    if (malformed || request.answer === '') return { score: lowestReward, outcome: 'malformed', runs: [] };
    const judge = this.current();
    let runs: JudgeRun[] = [];
    const kept: AnswerJudge = { judgeAnswer: async (asked, k) => (runs = await judge.judgeAnswer(asked, k)) };
    // No policy speaks of `none`: what is asked for there is help, as in our own RL.
    const score = await (request.category === 'none' ? helpfulReward : policyReward)(kept, request, this.options.runs);
    return { score, outcome: score === null ? 'unscored' : 'judged', runs };
  }

  private current(): Judge {
    if (++this.answers % answersKept === 0) this.judge = new Judge(this.options);
    return this.judge;
  }
}
