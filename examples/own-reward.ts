/**
 * A reward of your own for RL: the judge's score, less a little for every word over a limit. It gets what the judge gets
 * (conversation, answer, category) and nothing of the chain of thought, so it cannot teach the model to think for show.
 */
import { run, type JudgeRequest, type LibraryRun, type OwnReward } from 'deliberate';

export interface Brevity {
  /** Words that cost nothing. */
  free: number;
  /** What each further word costs. */
  perWord: number;
}

export function briefReward({ free, perWord }: Brevity): OwnReward {
  return {
    // RL is done anew when this changes.
    digest: `brief ${free} ${perWord}`,

    async reward({ answer }: JudgeRequest, score: () => Promise<number | null>): Promise<number | null> {
      const usual = await score();
      // Unscored stays unscored: the sample is masked.
      if (usual === null) return null;
      const words = answer.split(/\s+/).filter(Boolean).length;
      return usual - perWord * Math.max(0, words - free);
    },
  };
}

/** A whole run whose RL goes by this reward. */
export const alignBriefly = (given: Omit<LibraryRun, 'reward'>, brevity: Brevity = { free: 15, perWord: 0.01 }) =>
  run({ ...given, reward: briefReward(brevity) });
