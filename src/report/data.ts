/** All that a report shows. Made by `collectReport` from a run folder, or by hand. */
import type { EvalRow } from '../evals/records.js';
import type { Scorecard } from '../evals/scorecard.js';

export interface Curve {
  arm: string;
  stage: 'sft' | 'rl';
  /** Name in metrics.jsonl. */
  metric: string;
  points: { step: number; value: number }[];
}

export interface FunnelStep {
  title: string;
  count: number;
  /** Why the others were left out. */
  note?: string;
}

export interface ReportData {
  /** Name of the run. */
  name: string;
  model: string;
  scorecard: Scorecard;
  curves: Curve[];
  funnel: FunnelStep[];
  /** CoTs to show, failures first. */
  examples: EvalRow[];
  /** The line of each clause and style guideline as compiled, by code: what a citation is compared with. */
  clauseLines: Record<string, string>;
  /** run.yaml as it stands. */
  config: string;
  digests: Record<string, string>;
}
