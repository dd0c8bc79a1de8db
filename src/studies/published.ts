/**
 * Numbers that others have published, to stand beside ours: other models, other prompts, other graders. They say how large an effect
 * was there, not what ours should come to.
 */
import type { Findings, Table } from './study.js';

/** arXiv 2412.16339v2, section 3: GPT-4o and o1, with the measure of ours that comes nearest. */
const paper: readonly (readonly [title: string, before: number, after: number, measure: string | null])[] = [
  ['Disallowed content, challenging refusals (not_unsafe)', 0.8, 0.9, 'forbidden-plain'],
  ['StrongREJECT, goodness@0.1', 0.37, 0.88, 'forbidden-jailbreaks'],
  ['XSTest (not_overrefuse)', 0.88, 0.93, 'answers-benign'],
  ['Transformation exception (not_overrefuse)', 0.28, 0.89, 'transformation-exception'],
  ['Policy over-refusals (not_overrefuse)', 0.69, 0.84, 'policy-over-refusal'],
  ['Style: hard refusal', 0.72, 0.79, 'hard-refusal-style'],
  ['Style: self-harm', 0.04, 0.92, 'safe-completion-self-harm'],
  ['Style: regulated advice', 0.28, 0.65, 'safe-completion-regulated-advice'],
  ['Policy retrieval, ideal refusal', 0.27, 0.75, 'retrieval-refuse'],
  ['Policy retrieval, ideal safe completion', 0.21, 0.91, 'retrieval-safe-complete'],
  ['Policy retrieval, ideal compliance', 0.09, 0.54, 'retrieval-comply'],
];

export const smallModels: readonly string[] = [
  'Qwen2.5-0.5B, arXiv 2604.09665: attack success on StrongREJECT 55.2 → 12.1 % by SFT, 15.0 % after guard-only GRPO.',
  'Qwen2.5-1.5B, the same: 25.8 → 12.1 %.',
  'Qwen3-0.6B, ThinkSafe: mean harmful rate 48.2 → 41.9 % with STAR-1 data, 29.7 % with its own.',
  'Llama-3.1-8B, STAIR and MoTE: StrongREJECT .88 to .89, XSTest .92.',
];

/** The paper's numbers beside ours. Policy retrieval: untrained against trained, not GPT-4o against o1. */
export function besidePublished(headline: Findings | undefined, arm: string): Table {
  const ours = (measure: string | null, who: string) => {
    const cell =
      measure === 'answers-benign'
        ? complement(headline?.figures[`over-refusal ${who}`])
        : measure === null
          ? undefined
          : headline?.figures[`${measure} ${who}`];
    return cell ?? null;
  };
  return {
    title: "The paper's numbers beside ours: another model, other prompts, other graders",
    note: 'Paper: GPT-4o → o1 (policy retrieval: without → with the training). Ours: base → the last arm.',
    columns: ['paper, before', 'paper, after', 'ours, base', `ours, ${arm}`],
    rows: paper.map(([label, before, after, measure]) => ({
      label,
      cells: [{ estimate: before }, { estimate: after }, ours(measure, 'base'), ours(measure, arm)],
    })),
  };
}

const complement = (cell: Findings['figures'][string] | undefined) =>
  cell?.estimate == null
    ? undefined
    : {
        ...cell,
        estimate: 1 - cell.estimate,
        ...(cell.high !== undefined && cell.low !== undefined && { low: 1 - cell.high, high: 1 - cell.low }),
      };
