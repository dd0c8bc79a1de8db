/** A set of prompts that `deliberate eval --suite` asks: a public one out of the user's file, or one of our own out of data/suites. */
import type { Prompt } from '../../base/records.js';
import type { Grade, Reply } from '../graders.js';
import type { EvalJudge } from '../judged/eval-judge.js';
import type { EvalRow } from '../records.js';
import type { Suite } from '../suites.js';

export interface SetItem {
  /** `category` is the set's own; `request` is shared by what varies one request, which is one cluster of the intervals. */
  prompt: Prompt;
  /** Name of the part that it counts in. */
  part: string;
  /** The request as it stood before any wrapping: what a judge is told was asked for. */
  plain: string;
  /** What the grader must know: a gold answer, the options. */
  reference: Readonly<Record<string, string>>;
}

/** What becomes a row of the scorecard. */
export interface SetPart extends Pick<Suite, 'title' | 'metric' | 'group' | 'summary'> {
  name: string;
  /** Named shares beside the score: of a row, which it counts in, and whether it adds to them. */
  rates?: (row: Pick<EvalRow, 'verdict' | 'score'>) => Record<string, boolean>;
  /** Stand with them. */
  indices?: readonly Index[];
}

/** A number of a part that is no share of rows, from −1 to 1, over the rows that count for it. */
export interface Index {
  name: string;
  counts: (row: Pick<EvalRow, 'verdict' | 'score'>) => boolean;
  of: (rows: readonly Pick<EvalRow, 'verdict' | 'score'>[]) => number;
  /** The 95 % interval, where the bootstrap by requests is falsely sure. */
  interval: (
    rows: readonly Pick<EvalRow, 'verdict' | 'score'>[],
    bootstrap: { low: number; high: number },
    clusters: number,
  ) => { low: number; high: number };
}

export interface SetGrade extends Grade {
  /** The class that a grader chose, where the set's publication has classes. */
  verdict?: string;
}

/** What reading a set gave. */
export interface ReadSet {
  items: SetItem[];
  /** Rows that were left out on purpose, by reason. */
  leftOut: Readonly<Record<string, number>>;
  /** Rows that are asked, but lack something: how many, by what is said of them. */
  noted?: Readonly<Record<string, number>>;
}

/** What a set is read from. */
export interface SetSource {
  /** The user's file; undefined for our own sets. */
  file: string | undefined;
  /** Test prompts of the run, plain. */
  prompts: readonly Prompt[];
}

export interface EvaluationSet {
  name: string;
  /** One line for `--help`. */
  text: string;
  /** The publication, for those that bring a file; null for our own. */
  format: string | null;
  parts: readonly SetPart[];
  /** Without a judge on a server it cannot be graded. */
  needsJudge?: boolean;
  /** Wrapped in these when nothing else is said. */
  techniques?: readonly string[];
  /** @throws input error naming file, line and column for what is not in the published form */
  read(source: SetSource): Promise<ReadSet>;
  /** @throws what the judge's server throws; a verdict that cannot be read is unscored */
  grade(reply: Reply, item: SetItem, judge: EvalJudge | null): Promise<SetGrade>;
}

/** Rates of a part whose grader chooses one of these classes. */
export const shareOf =
  (verdicts: Readonly<Record<string, string>>) =>
  ({ verdict }: Pick<EvalRow, 'verdict'>): Record<string, boolean> =>
    verdict === undefined ? {} : Object.fromEntries(Object.entries(verdicts).map(([name, value]) => [name, verdict === value]));
