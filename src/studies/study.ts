/** What a study is, what it is given, and what it finds. */
import { z } from 'zod';
import type { ArmName, Config } from '../base/config.js';
import type { Progress } from '../base/progress.js';
import type { Message, Prompt } from '../base/records.js';
import type { RunPaths } from '../base/run-folder.js';
import type { ChatModel } from '../engines/types.js';
import type { Workbench } from '../engines/workbench.js';
import type { PreparedPrompts } from '../align/prepare.js';
import type { Spec } from '../align/spec/types.js';
import type { StageContext } from '../align/stage.js';
import type { SuiteSizes } from '../evals/suites.js';
import type { StudySettings } from './config.js';

/** One number with what it takes to judge it. */
export const Cell = z.strictObject({
  /** null where nothing could be measured. */
  estimate: z.number().nullable(),
  low: z.number().optional(),
  high: z.number().optional(),
  /** Requests or answers that it rests on. */
  n: z.int().optional(),
  unscored: z.int().optional(),
  /** p-value of the comparison, after Holm's correction over the rows of the table. */
  p: z.number().optional(),
  /** Shown in place of a rate: counts, words. */
  text: z.string().optional(),
});
export type Cell = z.infer<typeof Cell>;

export const Table = z.strictObject({
  title: z.string(),
  note: z.string().optional(),
  columns: z.array(z.string()),
  rows: z.array(z.strictObject({ label: z.string(), cells: z.array(Cell.nullable()) })),
});
export type Table = z.infer<typeof Table>;

export const Chart = z.strictObject({
  title: z.string(),
  x: z.string(),
  y: z.string(),
  series: z.array(
    z.strictObject({
      name: z.string(),
      points: z.array(
        z.strictObject({
          x: z.number(),
          y: z.number(),
          low: z.number().optional(),
          high: z.number().optional(),
          label: z.string().optional(),
        }),
      ),
    }),
  ),
});
export type Chart = z.infer<typeof Chart>;

/** What a study found. `figures` are what the targets are held against, by name. */
export const Findings = z.strictObject({
  tables: z.array(Table),
  charts: z.array(Chart),
  figures: z.record(z.string(), Cell),
  notes: z.array(z.string()),
});
export type Findings = z.infer<typeof Findings>;

export const studyNames = ['headline', 'ablation', 'ood', 'compute', 'policy-change', 'faithfulness', 'judge', 'suites'] as const;
export type StudyName = (typeof studyNames)[number];

export interface Study {
  name: StudyName;
  title: string;
  /** Where in the paper it stands. */
  source: string;
  /** Raised when the same data would give other findings, so that kept ones are made again. */
  version: number;
  run(lab: Lab): Promise<Findings>;
}

/** An arm as it is asked. */
export interface OpenedArm {
  model: ChatModel;
  /** Hash of what its weights depend on. */
  digest: string;
  /** Messages before the conversation. */
  context: Message[];
}

/** The stages of a run, from the room above. */
export interface Pipeline {
  run(options: {
    root: string;
    config: Config;
    spec: Spec;
    prompts: readonly Prompt[];
    bench: Workbench;
    progress: Progress;
    codeVersion: string;
    signal?: AbortSignal;
  }): Promise<unknown>;
  openArm(context: Pick<StageContext, 'bench' | 'paths' | 'specs'>, name: ArmName): Promise<OpenedArm>;
  suiteSizes(settings: Config['eval']): SuiteSizes;
}

/** What a study has to work with. */
export interface Lab {
  /** Folder of the study; `seed-0` and so on in it are run folders. */
  root: string;
  settings: StudySettings;
  /** Settings of the run with this seed. */
  config(seed: number): Config;
  spec: Spec;
  prompts: readonly Prompt[];
  bench: Workbench;
  progress: Progress;
  codeVersion: string;
  signal?: AbortSignal;
  pipeline: Pipeline;
  /** The whole run of this seed, made now where it is not there yet. */
  runOf(seed: number): Promise<RunPaths>;
}

/** Seed, settings, prompts and folder of the run that every study but the headline builds on. */
export interface FirstRun {
  config: Config;
  paths: RunPaths;
  context: StageContext;
  prepared: PreparedPrompts;
}
