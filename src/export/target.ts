/** What a target of `export` is given, and what it gives back. */
import type { ArmName } from '../base/config.js';
import type { Checkpoint } from '../lm/checkpoint.js';
import type { WeightType } from '../lm/float-formats.js';
import type { Adapter } from '../lm/peft.js';
import type { Evaluated } from './evaluated.js';
import type { RunContents } from './run-contents.js';

export interface DataContext {
  /** Exists and is empty; what is put there appears whole or not at all. */
  folder: string;
  run: RunContents;
  arm: ArmName;
  /** Name of the base as others know it, for configs: a repository of the hub, or a path. */
  baseName: string;
  /** Digests, by category, of the specification that the arm was aligned to. */
  specification: Readonly<Record<string, string>>;
  /** Address of the judge service, without a path. */
  judgeUrl: string;
}

/** What was evaluated, of a run or of a whole study. */
export interface EvaluationsContext extends Pick<DataContext, 'folder' | 'baseName'> {
  evaluated: readonly Evaluated[];
}

export interface ModelContext extends DataContext {
  checkpoint: Checkpoint;
  /** Null where the arm is the model itself. */
  adapter: Adapter | null;
  type: WeightType;
}

/** What was written, one sentence a line, and what to do with it. */
export type Written = string[];

export type ExportTarget =
  | { kind: 'model'; text: string; write(context: ModelContext): Promise<Written> }
  | { kind: 'evaluations'; text: string; write(context: EvaluationsContext): Promise<Written> }
  | {
      kind: 'data';
      text: string;
      /** What is learnt from the data: CoT and answer (sft), or the answer alone. Left out: the target has no such choice. */
      arms?: readonly ArmName[];
      write(context: DataContext): Promise<Written>;
    };

/** Arms that SFT data are for. */
export const dataArms = ['sft', 'answer-only'] as const satisfies readonly ArmName[];
