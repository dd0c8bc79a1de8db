/** The run of the first seed: what every study but the headline builds on. */
import type { Prompt } from '../base/records.js';
import { categorise } from '../align/categorise.js';
import { choosePrompts } from '../align/prepare.js';
import { specsOf } from '../align/compiled-specs.js';
import { categoryOf, type StageContext } from '../align/stage.js';
import type { ArmName } from '../base/config.js';
import { RunPaths } from '../base/run-folder.js';
import type { FirstRun, Lab } from './study.js';

/** Makes the run where it is not there yet. */
export async function firstRun(lab: Lab): Promise<FirstRun> {
  const seed = lab.settings.seeds[0]!;
  const config = lab.config(seed);
  const paths = await lab.runOf(seed);
  const { bench, progress, signal } = lab;
  const specs = specsOf(lab.spec, config, bench);
  const context: StageContext = { paths, config, specs, bench, progress, ...(signal && { signal }) };
  const prepared = choosePrompts(lab.prompts, config.prompts, config.seed);
  return { config, paths, context, prepared: { ...prepared, train: await categorise(context, prepared.train) } };
}

/** The arm that the method ends with. */
export const mainArm = ({ config }: Pick<FirstRun, 'config'>): ArmName =>
  config.rl.steps > 0 && config.eval.arms.includes('sft+rl') ? 'sft+rl' : 'sft';

/** What the run asked the base, categories filled in where the author gave none. */
export const askedPrompts = (train: readonly Prompt[], ordinary: readonly Prompt[]): Prompt[] => [
  ...train,
  ...ordinary.map((prompt) => ({ ...prompt, category: categoryOf(prompt) })),
];

/** Paths inside the folder of a study. */
export const variantPaths = (lab: Lab, study: string, name: string): RunPaths => new RunPaths(`${lab.root}/${study}/${name}`);
