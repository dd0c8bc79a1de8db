/** The tables of docs/SCALE.md that commands make, each between `<!-- NAME:start -->` and `<!-- NAME:end -->`. */
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { writeTextAtomically } from '../src/base/atomic-text.js';
import { inputError } from '../src/base/errors.js';
import { packageRoot } from '../src/base/package-root.js';
import { fillBetween } from '../scripts/page-section.js';

/** @throws input error when the page has not exactly one pair of marks of this name, in their order */
export function fillSection(page: string, name: string, text: string): string {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const filled = fillBetween(page, start, end, text);
  if (filled === null) throw inputError(`docs/SCALE.md must hold ${start} and then ${end}, each once: the table goes between them.`);
  return filled;
}

export async function fillScalePage(name: string, text: string): Promise<void> {
  const file = path.join(packageRoot, 'docs', 'SCALE.md');
  await writeTextAtomically(file, fillSection(await readFile(file, 'utf8'), name, text));
  console.log(`\nwritten into ${path.relative(process.cwd(), file)}`);
}

/** First column to the left, the others to the right. */
export const markdownTable = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map((_, i) => (i === 0 ? '---' : '--:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** To be called before measuring. Load counts: these are latencies and rates of a machine that others may be using. */
export const measuredOn = (): string =>
  `Measured on ${new Date().toISOString().slice(0, 10)}: ${os.cpus()[0]?.model.trim() ?? 'unknown'}, ${os.availableParallelism()} cores shared by client and server (load before: ${os.loadavg()[0]!.toFixed(1)}), Node ${process.version}.`;
