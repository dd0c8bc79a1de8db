/** `export`: a run, or one of its models, in the form of another program. */
import { Option, type Command } from 'commander';
import path from 'node:path';
import { armNames, type ArmName } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { createProgress } from '../base/progress.js';
import { readRunFile, RunPaths } from '../base/run-folder.js';
import { exportRun, targetNames, targets, type TargetName } from '../export/export-run.js';
import { weightTypes, type WeightType } from '../lm/float-formats.js';
import { resolveModel } from '../lm/models.js';
import { reasonerFolder } from './open-workbench.js';

interface ExportFlags {
  to: TargetName;
  arm?: ArmName;
  out?: string;
  dtype: WeightType;
  baseName?: string;
  judge: string;
}

export function addExportCommand(program: Command, signal: AbortSignal): void {
  const widest = Math.max(...targetNames.map(({ length }) => length));
  program
    .command('export')
    .description('models, data sets and training scripts for other programs')
    .argument('<run folder>', 'or, for inspect, the folder of a study')
    .addOption(new Option('--to <target>', 'what for').choices(targetNames).makeOptionMandatory())
    .addOption(
      new Option(
        '--arm <arm>',
        'model: the last that was trained by default; data: sft, or answer-only for answers without their reasoning',
      ).choices(armNames),
    )
    .option('--out <folder>', 'where to (default: <run>/exports/<target>-<arm>)')
    .addOption(new Option('--dtype <type>', 'how weights are written').choices(weightTypes).default('f32'))
    .option('--base-name <name>', "name of the base in configs (default: the run's engine.model, by its name on the hub)")
    .option('--judge <url>', 'address of `deliberate serve --judge` in reward functions', 'http://127.0.0.1:8000')
    .addHelpText(
      'after',
      `
Targets:
${targetNames.map((name) => `  ${name.padEnd(widest)}  ${targets[name].text}`).join('\n')}

Examples:
  deliberate export runs/demo --to gguf --dtype f16
  deliberate export runs/demo --to merged --arm base --out models/base
  deliberate export runs/demo --to trl
  deliberate export runs/mine-study --to inspect
No prompt in an export holds the specification. docs/EXPORT.md says what each target holds.`,
    )
    .action((root: string, flags: ExportFlags) => exportCommand(root, flags, signal));
}

async function exportCommand(root: string, { to, arm, out, dtype, baseName, judge }: ExportFlags, signal: AbortSignal): Promise<void> {
  if (!URL.canParse(judge) || !/^https?:$/.test(new URL(judge).protocol))
    throw inputError(`--judge ${judge}: is not an address; write it like http://127.0.0.1:8000`);
  if (new URL(judge).username !== '' || new URL(judge).password !== '')
    throw inputError('--judge: leave secrets out of the address; reward functions take the key from DELIBERATE_API_KEY.');
  const progress = createProgress();
  const { folder, written } = await exportRun({
    root,
    to,
    type: dtype,
    judgeUrl: judge,
    model: (name) => resolveModel(name, { signal, onProgress: progress.say }),
    baseAdapter: await baseAdapterOf(root),
    ...(arm && { arm }),
    ...(out !== undefined && { out }),
    ...(baseName !== undefined && { baseName }),
  });
  console.log(`${path.relative('.', folder) || '.'}:`);
  for (const line of written) console.log(`  ${line}`);
}

/** Looked for when it is needed: data sets do without. */
async function baseAdapterOf(root: string): Promise<() => string | null> {
  const stored = await readRunFile(new RunPaths(root));
  return () => (stored === null ? null : reasonerFolder(stored.config.engine));
}
