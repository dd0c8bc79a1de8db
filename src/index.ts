/**
 * The library. `run` is the whole method in one call; the other parts are what it is made of. Examples lie in examples/.
 *
 * ```ts
 * import { run } from 'deliberate';
 * const { scorecard } = await run({ folder: 'runs/mine', spec: 'my-policy', prompts: 'prompts.jsonl' });
 * ```
 *
 * Errors are `DeliberateError`: `kind` says whose they are (`input`, `dependency`, `internal`), the message what to do next.
 */

// The whole method.
export { run, type LibraryRun } from './cli/library.js';
export { runStages, writeReport, type RunOptions, type RunResult } from './cli/run.js';
/** `runStages` with `shard` on several machines, then this. */
export { mergeShards, type Merged } from './align/merge-shards.js';
export { parseShard, type Shard } from './base/shard.js';
export { parseConfig, settingsList, type Config } from './base/config.js';
export { createProgress, silent, type Progress } from './base/progress.js';
export { stageNames, type StageName } from './base/run-folder.js';
export { DeliberateError, type ErrorKind } from './base/errors.js';

// The policy: Markdown in, the text that a model sees out.
export { loadSpec } from './align/spec/parse.js';
export { compileSpec, type CompiledSpec, type CompileOptions } from './align/spec/compile.js';
export { lintSpec } from './align/spec/lint.js';
export { diffSpecs } from './align/spec/diff.js';
export type { Category, Clause, Spec, StyleGuideline } from './align/spec/types.js';

// Prompts.
export { loadPrompts } from './prompts/load.js';
export { importPrompts } from './prompts/import.js';
export { splitPrompts } from './prompts/split.js';
export { techniqueNamed, wrapPrompt } from './prompts/jailbreaks/wrap.js';

// The records of a run, as zod schemas: `Completion.parse(JSON.parse(line))`.
export { Completion, Judgement, JudgeRun, Prompt, SftRecord, type JudgeRequest, type Message, type ResponseKind } from './base/records.js';
export { readJsonl } from './base/jsonl.js';
export { joinCot, splitCot, type SplitText } from './lm/split-cot.js';

// Your own judge and reward, and ours to build on.
export type { OwnJudge, OwnReward } from './align/own.js';
export { Judge, lowestScore } from './align/judge.js';
export type { JudgeSubject } from './align/judge-form.js';
export { CompiledSpecs } from './align/compiled-specs.js';
export { classifyResponse, responseKind, type AnswerKind } from './align/response-kind.js';

// Your own engine. `ChatModel`: text in, text out. `Trainer`: sample, forwardBackward, optimStep, save, load. `Workbench`: all models of a run.
export type * from './engines/types.js';
export type { RoleModel, Workbench } from './engines/workbench.js';
export { openWorkbench, type OpenWorkbench } from './cli/open-workbench.js';
export { createEmbeddedEngine, type EmbeddedOptions } from './engines/embedded/index.js';
export { resolveModel } from './lm/models.js';
/** Deterministic and without a model: for tests of what you build. */
export { createScriptedWorkbench, type ScriptedOptions, type ScriptedWorkbench } from './engines/scripted.js';

// Evaluation.
export { suites } from './evals/suites.js';
export { scorecardText, type Scorecard } from './evals/scorecard.js';
