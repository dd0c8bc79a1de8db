/** Runs the studies of a folder in their order. A study whose findings are there, and which would find the same, is not run again. */
import { setMaxListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import type { Config } from '../base/config.js';
import { DeliberateError } from '../base/errors.js';
import { diskError } from '../base/disk-error.js';
import { lockFolder } from '../base/folder-lock.js';
import type { Progress } from '../base/progress.js';
import { contentId, type Prompt } from '../base/records.js';
import { RunPaths } from '../base/run-folder.js';
import { inStage } from '../base/stage-scope.js';
import { digestsFor } from '../engines/workbench.js';
import type { Workbench } from '../engines/workbench.js';
import { labelledOutputsFile } from '../evals/grader-agreement.js';
import { specDigests } from '../align/trained-specification.js';
import type { Spec } from '../align/spec/types.js';
import { smallModels } from '../evals/published.js';
import { ablation } from './ablation.js';
import { compute } from './compute.js';
import type { StudySettings } from './config.js';
import { faithfulness } from './faithfulness.js';
import { mainArm } from './first-run.js';
import { handLabelsHold } from './hand-labels.js';
import { headline } from './headline.js';
import { madeWith } from './made-with.js';
import { judgeCalibration } from './judge-calibration.js';
import { ood } from './ood.js';
import { policyChange } from './policy-change.js';
import { besidePublished } from './published.js';
import { StudyResult, studyCsv, type StudyCard } from './results.js';
import { suitesStudy } from './suites-study.js';
import { studyNames, type Findings, type Lab, type Pipeline, type Study, type StudyName } from './study.js';
import { buildStudyPage } from './study-page.js';
import { heldAgainstTargets } from './targets.js';

export const studies: Record<StudyName, Study> = {
  headline,
  ablation,
  ood,
  compute,
  'policy-change': policyChange,
  faithfulness,
  judge: judgeCalibration,
  suites: suitesStudy,
};

export interface StudyOptions {
  root: string;
  /** Settings of the run; the seed is each of the study's in turn. */
  config: Config;
  settings: StudySettings;
  quick: boolean;
  spec: Spec;
  prompts: readonly Prompt[];
  bench: Workbench;
  progress: Progress;
  codeVersion: string;
  pipeline: Pipeline;
  /** Only these; the others keep what they have found before. */
  only?: readonly StudyName[];
  signal?: AbortSignal;
}

/**
 * Goes on where it was stopped: runs by their own records, studies by their findings. study.json, study.csv and study.html are
 * written after each study, so that a long night shows what it has. A study that cannot be done is passed over, and its error thrown when
 * the others are through.
 * @throws input error for settings or prompts that cannot be used, and when another process works in the folder
 */
export async function runStudies(options: StudyOptions): Promise<StudyCard> {
  const { root, only = studyNames, progress } = options;
  const lost = new AbortController();
  const signal = AbortSignal.any([lost.signal, ...(options.signal ? [options.signal] : [])]);
  setMaxListeners(0, signal);
  const lock = await lockFolder(root, (error) => lost.abort(error));
  try {
    const lab = openLab({ ...options, signal });
    const unable: DeliberateError[] = [];
    let card = await cardOf(options);
    for (const name of studyNames.filter((one) => only.includes(one))) {
      const study = studies[name];
      const key = await keyOf(study, options);
      if ((await kept(root, name))?.key === key) {
        progress.say(`${study.title}: found before, kept.`);
        continue;
      }
      progress.say(`\n${study.title} (${study.source})`);
      const started = performance.now();
      const findings = await inStage(name, () => study.run(lab)).catch((error: unknown) => {
        // A study that has nothing to work with is no reason to withhold the others: a night is long.
        if (signal.aborted || !(error instanceof DeliberateError) || error.kind !== 'input') throw error;
        progress.say(`${study.title}: not done. ${error.message}`);
        unable.push(error);
        return null;
      });
      signal.throwIfAborted();
      if (findings === null) continue;
      const seconds = Math.round((performance.now() - started) / 1000);
      await keep(root, { name, title: study.title, source: study.source, key, seconds, findings });
      card = await cardOf(options);
      await write(root, card);
    }
    await write(root, card);
    if (unable[0] !== undefined) throw unable[0];
    return card;
  } finally {
    await lock.release();
  }
}

function openLab({ root, config, settings, spec, prompts, bench, progress, codeVersion, pipeline, signal }: StudyOptions): Lab {
  const runs = new Map<number, Promise<RunPaths>>();
  const configOf = (seed: number): Config => ({ ...config, name: `seed-${seed}`, seed });
  const make = async (seed: number): Promise<RunPaths> => {
    const folder = path.join(root, `seed-${seed}`);
    await pipeline.run({ root: folder, config: configOf(seed), spec, prompts, bench, progress, codeVersion, ...(signal && { signal }) });
    return new RunPaths(folder);
  };
  return {
    root,
    settings,
    config: configOf,
    spec,
    prompts,
    bench,
    progress,
    codeVersion,
    pipeline,
    ...(signal && { signal }),
    runOf: (seed) => {
      const run = runs.get(seed) ?? make(seed);
      runs.set(seed, run);
      return run;
    },
  };
}

/** Sections of the study's settings that a study looks at, beside seeds and sizes. */
const sections: Record<StudyName, readonly (keyof StudySettings)[]> = {
  headline: [],
  ablation: ['eval'],
  ood: ['eval', 'ood'],
  compute: ['eval', 'compute'],
  'policy-change': ['policyChange'],
  faithfulness: ['faithfulness'],
  judge: ['judge'],
  suites: ['eval', 'suites'],
};

async function keyOf(study: Study, { config, settings, spec, prompts, bench }: StudyOptions): Promise<string> {
  const labels = settings.judge.labels ?? (handLabelsHold(config) ? labelledOutputsFile : undefined);
  return contentId(
    'study',
    study.name,
    study.version,
    { ...config, name: null, seed: null },
    study.name === 'headline' ? settings.seeds : settings.seeds[0],
    sections[study.name].map((section) => settings[section]),
    // What the labels say, not only where they lie. A file that is not there is refused by the study itself.
    ...(study.name === 'judge' && labels !== undefined ? [await readFile(labels, 'utf8').catch(() => null)] : []),
    specDigests(spec),
    contentId(prompts),
    bench.digests,
    (['generator', 'judge', 'categoriser'] as const).map((role) => digestsFor(bench, role)),
  );
}

const fileOf = (root: string, name: StudyName): string => path.join(root, 'studies', `${name}.json`);

async function keep(root: string, result: StudyResult): Promise<void> {
  await writeTextAtomically(fileOf(root, result.name), `${JSON.stringify(StudyResult.parse(result), null, 1)}\n`);
}

/** What a study has found before; null when there is nothing, or nothing that this version reads: it is then run again. */
async function kept(root: string, name: StudyName): Promise<StudyResult | null> {
  const file = fileOf(root, name);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw diskError(file, error);
  });
  if (text === null) return null;
  try {
    return StudyResult.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** The scorecard of the studies that hold under the settings given. */
async function cardOf(options: StudyOptions): Promise<StudyCard> {
  const { root, config, settings, quick, spec, prompts, bench, codeVersion } = options;
  const results: StudyResult[] = [];
  for (const name of studyNames) {
    const result = await kept(root, name);
    if (result !== null && result.key === (await keyOf(studies[name], options))) results.push(result);
  }
  const found: Partial<Record<StudyName, Findings>> = Object.fromEntries(results.map(({ name, findings }) => [name, findings]));
  const arm = mainArm({ config });
  return {
    schemaVersion: 1,
    name: config.name,
    quick,
    seeds: settings.seeds,
    arm,
    codeVersion,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    made: await madeWith(),
    digests: { ...bench.digests, prompts: contentId(prompts), spec: contentId(specDigests(spec)) },
    config: { ...config, study: settings },
    targets: heldAgainstTargets(found, arm),
    published: { table: besidePublished(found.headline, arm), others: [...smallModels] },
    studies: results,
  };
}

async function write(root: string, card: StudyCard): Promise<void> {
  await writeTextAtomically(path.join(root, 'study.json'), `${JSON.stringify(card, null, 1)}\n`);
  await writeTextAtomically(path.join(root, 'study.csv'), studyCsv(card));
  await writeTextAtomically(path.join(root, 'study.html'), buildStudyPage(card));
}
