/** What a judge is given, and what every way of asking it provides. */
import type { Config } from '../base/config.js';
import type { JudgeRun, Message, ResponseKind } from '../base/records.js';
import type { ChatModel } from '../engines/types.js';
import type { CompiledSpecs } from './compiled-specs.js';

/** What one run of the judge looks at. In RL there is no CoT in it. */
export interface JudgeSubject {
  messages: readonly Message[];
  answer: string;
  category: string;
  cot?: string;
  hint?: ResponseKind;
}

export interface JudgeOptions {
  model: ChatModel;
  specs: CompiledSpecs;
  settings: Config['judge'];
  seed: number;
  signal?: AbortSignal;
}

/** One way of asking for a verdict. */
export interface JudgeForm {
  run(subject: JudgeSubject, run: number): Promise<JudgeRun>;
}
