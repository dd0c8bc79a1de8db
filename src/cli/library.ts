/** A whole run in one call, for programs. The command line builds on the same `runStages`. */
import { parseConfig } from '../base/config.js';
import { silent, type Progress } from '../base/progress.js';
import type { Prompt } from '../base/records.js';
import type { StageName } from '../base/run-folder.js';
import type { OwnJudge, OwnReward } from '../align/own.js';
import { loadSpec } from '../align/spec/parse.js';
import type { Spec } from '../align/spec/types.js';
import type { Workbench } from '../engines/workbench.js';
import { checkCategories, placeById } from '../prompts/known-categories.js';
import { loadPrompts } from '../prompts/load.js';
import { openRunWorkbench } from './open-workbench.js';
import { runStages, type RunResult } from './run.js';
import { saySpecErrors } from './say-inputs.js';
import { recordServerUsage } from './server-usage.js';
import { packageVersion, promptsFile, specFolder } from './settings.js';

export interface LibraryRun {
  /** The run folder; made where it is not there, and gone on with where it holds this run. */
  folder: string;
  /** A folder of Markdown files, or a specification in memory. Left out: the safety specification of the package. */
  spec?: string | Spec;
  /** A JSONL file, or prompts in memory. Left out: the prompts of the package. */
  prompts?: string | readonly Prompt[];
  /** Settings as in a YAML file of the command line; each has a default. */
  settings?: object;
  /** Left out: the engine that the settings name is opened, and closed at the end. One that is given stays open. */
  engine?: Workbench;
  /** Instead of the model that judges. */
  judge?: OwnJudge;
  /** Instead of the judge's score in RL. */
  reward?: OwnReward;
  /** Only these stages; the others must have been done. */
  stages?: readonly StageName[];
  /** Makes this stage and all after it anew. */
  redo?: StageName;
  /** Where progress goes; left out: nowhere. */
  progress?: Progress;
  signal?: AbortSignal;
}

/**
 * Runs the method: completions with the specification, judge, filter, SFT, RL, evaluation, report. Called again after it was
 * stopped at any instant, it goes on where it was.
 * @returns the scorecard (null unless the stage `eval` was wanted) and the path of the report
 * @throws DeliberateError of kind `input` for settings, prompts or a specification that cannot be used, `dependency` for a
 * disk, server or download that fails; the signal's reason when it is aborted
 */
export async function run(given: LibraryRun): Promise<RunResult> {
  const { folder, spec, prompts, settings, engine, judge, reward, stages, redo, progress = silent, signal } = given;
  const config = parseConfig(settings ?? {}, 'settings');
  const policy = typeof spec === 'object' ? spec : await loadSpec(spec ?? specFolder(config));
  const categories = policy.categories.map(({ name }) => name);
  if (typeof prompts === 'object') checkCategories(prompts, categories, placeById);
  const asked = typeof prompts === 'object' ? prompts : await loadPrompts(prompts ?? promptsFile(config), { categories });
  saySpecErrors(policy, progress);
  const bench = engine ?? (await openRunWorkbench({ config, root: folder }, { progress, ...(signal && { signal }) }));
  try {
    return await runStages({
      spec: policy,
      prompts: asked,
      root: folder,
      config,
      bench,
      own: { ...(judge && { judge }), ...(reward && { reward }) },
      progress,
      codeVersion: await packageVersion(),
      ...(stages && { stages }),
      ...(redo && { redo }),
      ...(signal && { signal }),
    });
  } finally {
    await recordServerUsage(folder, bench.usage?.() ?? []);
    if (engine === undefined) await bench.close();
  }
}
