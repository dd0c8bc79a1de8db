/** A run, or one of its models, in the form of another program. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import { armNames, type ArmName } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { makeFolder } from '../base/make-folder.js';
import { replaceFolder } from '../lm/atomic-write.js';
import { openCheckpoint } from '../lm/checkpoint.js';
import type { WeightType } from '../lm/float-formats.js';
import { readAdapter } from '../lm/peft.js';
import { gguf, ggufLora } from './gguf.js';
import { isStudy, readEvaluated } from './evaluated.js';
import { inspect } from './inspect.js';
import { merged } from './merged.js';
import { specificationDigest } from './model-card.js';
import { ollama } from './ollama.js';
import { openai } from './openai.js';
import { openrlhf } from './openrlhf.js';
import { peft } from './peft.js';
import { adapterFolder, lastArm, readRun, specificationOf } from './run-contents.js';
import type { DataContext, EvaluationsContext, ExportTarget, ModelContext, Written } from './target.js';
import { trl } from './trl.js';
import { verl } from './verl.js';

export const targets = {
  peft,
  merged,
  gguf,
  'gguf-lora': ggufLora,
  ollama,
  trl,
  openrlhf,
  verl,
  inspect,
  openai,
} as const satisfies Record<string, ExportTarget>;
export type TargetName = keyof typeof targets;
export const targetNames = Object.keys(targets) as TargetName[];

export interface ExportOptions {
  root: string;
  to: TargetName;
  /** Default: the last that was trained; for data sets `sft`, with `answer-only` for the same answers without their reasoning. */
  arm?: ArmName;
  /** Default: `<run>/exports/<target>-<arm>`, or without the arm where the target has no such choice. */
  out?: string;
  type: WeightType;
  /** Name of the base for configs; default: the run's engine.model. */
  baseName?: string;
  judgeUrl: string;
  /** Path of the base model; called for models only. */
  model: (nameOrPath: string) => Promise<string>;
  /** Folder of the adapter that makes the model G_base; null where there is none. */
  baseAdapter: () => string | null;
}

export interface Exported {
  folder: string;
  written: Written;
}

/** Marks a folder as an export, which a later one may replace. */
const marker = 'export.json';

/** The named model by the name that the hub has for it. */
const hubNames: Readonly<Record<string, string>> = { 'smollm2-135m-instruct': 'HuggingFaceTB/SmolLM2-135M-Instruct' };

/**
 * Writes the export into a folder, which appears whole or not at all.
 * @throws input error: no such run, an arm that is not trained, a folder that holds something else; dependency error from the disk
 */
export async function exportRun(options: ExportOptions): Promise<Exported> {
  const target: ExportTarget = targets[options.to];
  if (target.kind !== 'evaluations' && (await isStudy(options.root)))
    throw inputError(
      `${options.root}: is the folder of a study, of which ${options.to} takes one run: give ${path.join(options.root, 'seed-0')}, or the seed that you mean.`,
    );
  const found = target.kind === 'evaluations' ? await readEvaluated(options.root) : null;
  const run = found?.first ?? (await readRun(options.root));
  const choice = target.kind === 'model' ? armNames : target.kind === 'data' ? (target.arms ?? []) : [];
  if (options.arm !== undefined && !choice.includes(options.arm))
    throw inputError(
      choice.length === 0
        ? `${options.to} is the same for all arms: leave --arm out.`
        : `${options.to} takes the arms ${choice.join(' and ')}, not ${options.arm}.`,
    );
  const arm = options.arm ?? (target.kind === 'model' ? await lastArm(run.paths) : 'sft');
  const out = path.resolve(options.out ?? path.join(options.root, 'exports', choice.length === 0 ? options.to : `${options.to}-${arm}`));
  await refuseForeignFolder(out);
  const baseName = options.baseName ?? hubNames[run.config.engine.model] ?? run.config.engine.model;
  const specification = await specificationOf(run, arm);
  const common = { run, arm, baseName, specification, judgeUrl: options.judgeUrl };
  let written: Written = [];
  const fill = async (write: (folder: string) => Promise<Written>) => {
    await makeFolder(path.dirname(out));
    await replaceFolder(out, async (folder) => {
      written = await write(folder);
      const mark = { target: options.to, arm, run: run.config.name, specification: specificationDigest(specification) };
      await writeTextAtomically(path.join(folder, marker), `${JSON.stringify(mark, null, 2)}\n`);
    });
  };
  if (target.kind === 'evaluations') {
    await fill((folder) => target.write({ folder, baseName, evaluated: found!.evaluated } satisfies EvaluationsContext));
  } else if (target.kind === 'data') {
    await fill((folder) => target.write({ ...common, folder } satisfies DataContext));
  } else {
    const adapterPath = await adapterFolder(run.paths, arm, options.baseAdapter());
    const adapter = adapterPath === null ? null : await readAdapter(adapterPath);
    const checkpoint = await openCheckpoint(await options.model(run.config.engine.model));
    try {
      await fill((folder) => target.write({ ...common, folder, checkpoint, adapter, type: options.type } satisfies ModelContext));
    } finally {
      await checkpoint.close();
    }
  }
  return { folder: out, written };
}

async function refuseForeignFolder(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw inputError(`${folder}: cannot be written to (${error.code}). Give another folder with --out.`, error);
  });
  if (names.length === 0) return;
  const file = path.join(folder, marker);
  const isOurs = existsSync(file) && (await readFile(file, 'utf8')).includes('"specification"');
  if (!isOurs)
    throw inputError(`${folder}: holds something else than an earlier export. Give another folder with --out, or empty this one.`);
}
