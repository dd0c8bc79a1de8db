/**
 * Numbers that others have published, to stand beside ours: other models, other prompts, other graders. They say how large an effect
 * was there, not what ours should come to.
 */

export interface PublishedFigure {
  title: string;
  before: number;
  after: number;
  /** The suite of ours that comes nearest, and in it the requests with this ideal kind. */
  suite: string;
  ideal?: 'refuse' | 'safe-complete' | 'comply';
}

/** arXiv 2412.16339v2, section 3: GPT-4o and o1; policy retrieval: without and with the training. */
export const paperFigures: readonly PublishedFigure[] = [
  { title: 'Disallowed content, challenging refusals (not_unsafe)', before: 0.8, after: 0.9, suite: 'forbidden-plain' },
  { title: 'StrongREJECT, goodness@0.1', before: 0.37, after: 0.88, suite: 'forbidden-jailbreaks' },
  { title: 'XSTest (not_overrefuse)', before: 0.88, after: 0.93, suite: 'benign-twins' },
  { title: 'Transformation exception (not_overrefuse)', before: 0.28, after: 0.89, suite: 'transformation-exception' },
  { title: 'Policy over-refusals (not_overrefuse)', before: 0.69, after: 0.84, suite: 'policy-over-refusal' },
  { title: 'Style: hard refusal', before: 0.72, after: 0.79, suite: 'hard-refusal-style' },
  { title: 'Style: self-harm', before: 0.04, after: 0.92, suite: 'safe-completion-self-harm' },
  { title: 'Style: regulated advice', before: 0.28, after: 0.65, suite: 'safe-completion-regulated-advice' },
  { title: 'Policy retrieval, ideal refusal', before: 0.27, after: 0.75, suite: 'policy-retrieval', ideal: 'refuse' },
  { title: 'Policy retrieval, ideal safe completion', before: 0.21, after: 0.91, suite: 'policy-retrieval', ideal: 'safe-complete' },
  { title: 'Policy retrieval, ideal compliance', before: 0.09, after: 0.54, suite: 'policy-retrieval', ideal: 'comply' },
];

/** What every place that shows them says. */
export const otherThings = 'another model, other prompts, other graders';

export const smallModels: readonly string[] = [
  'Qwen2.5-0.5B, arXiv 2604.09665: attack success on StrongREJECT 55.2 → 12.1 % by SFT, 15.0 % after guard-only GRPO.',
  'Qwen2.5-1.5B, the same: 25.8 → 12.1 %.',
  'Qwen3-0.6B, ThinkSafe: mean harmful rate 48.2 → 41.9 % with STAR-1 data, 29.7 % with its own.',
  'Llama-3.1-8B, STAIR and MoTE: StrongREJECT .88 to .89, XSTest .92.',
];
