/** `prompts import`, `prompts split`. */
import path from 'node:path';
import { inputError } from '../base/errors.js';
import { writeJsonl } from '../base/jsonl.js';
import { ResponseKind } from '../base/records.js';
import { importPrompts } from '../prompts/import.js';
import { loadPrompts } from '../prompts/load.js';
import { overlapAcrossSplits, splitPrompts } from '../prompts/split.js';

export interface ImportFlags {
  out: string;
  format?: string;
  prompt: string;
  category?: string;
  ideal?: string;
  id?: string;
  tags?: string;
  split?: string;
  label?: string[];
  source?: string;
}

/** @throws input error for a format, a column or a label that cannot be understood */
export async function promptsImport(file: string, flags: ImportFlags): Promise<void> {
  const format = flags.format ?? path.extname(file).slice(1).toLowerCase();
  if (format !== 'csv' && format !== 'jsonl')
    throw inputError(`${file}: the format ${JSON.stringify(format)} is not known; pass --format csv or --format jsonl.`);
  const columns = {
    prompt: flags.prompt,
    ...(flags.category && { category: flags.category }),
    ...(flags.ideal && { ideal: flags.ideal }),
    ...(flags.id && { id: flags.id }),
    ...(flags.tags && { tags: flags.tags }),
    ...(flags.split && { split: flags.split }),
  };
  const { prompts, duplicates, ordinary } = await importPrompts(file, {
    format,
    columns,
    source: flags.source ?? path.basename(file),
    ideals: labelMeanings(flags.label ?? []),
  });
  await writeJsonl(flags.out, prompts);
  const notes = [
    ...(duplicates.length > 0 ? [`; ${duplicates.length} repeated ones left out`] : []),
    ...(ordinary > 0 ? [`; ${ordinary} of category none with the ideal comply are tagged "ordinary": capability data`] : []),
  ];
  const next = prompts.every(({ split }) => split !== undefined) ? `run --set prompts.file=${flags.out}` : `prompts split ${flags.out}`;
  console.log(`${flags.out}: ${prompts.length} prompts${notes.join('')}. Next: deliberate ${next}`);
}

/** `unsafe=refuse` */
function labelMeanings(labels: readonly string[]): Record<string, ResponseKind> {
  return Object.fromEntries(
    labels.map((label) => {
      const at = label.lastIndexOf('=');
      const kind = ResponseKind.safeParse(label.slice(at + 1));
      if (at < 1 || !kind.success)
        throw inputError(`--label ${label}: write it as label=kind, where the kind is one of ${ResponseKind.options.join(', ')}.`);
      return [label.slice(0, at), kind.data];
    }),
  );
}

export async function promptsSplit(file: string, { seed, out }: { seed: number; out?: string }): Promise<void> {
  const split = splitPrompts(await loadPrompts(file), { seed });
  const overlaps = overlapAcrossSplits(split);
  if (overlaps.length > 0)
    throw inputError(
      `${file}: ${overlaps.length} pairs of near-duplicates would stand in two splits, for example ${overlaps[0]?.a} and ${overlaps[0]?.b}.`,
    );
  await writeJsonl(out ?? file, split);
  const count = (name: string) => split.filter((prompt) => prompt.split === name).length;
  console.log(
    `${out ?? file}: ${count('train')} train, ${count('validation')} validation, ${count('test')} test; no near-duplicates across.`,
  );
}
