/** Writes what the suite found into a Markdown page, each section in a place of its own, so that sections may be measured apart. */
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { writeTextAtomically } from '../src/base/atomic-text.js';
import { inputError } from '../src/base/errors.js';
import { packageRoot } from '../src/base/package-root.js';
import { packageVersion } from '../src/cli/settings.js';
import { fillBetween } from '../scripts/page-section.js';
import type { Figures } from './section.js';

export interface Measured extends Figures {
  /** Of the section, as in `--only`. */
  name: string;
  title: string;
  /** How to measure it again. */
  command: string;
  seconds: number;
  /** Machine and versions. */
  where: string;
}

/** Processor, cores, Node, this program's version and commit, and the day. */
export async function describeMachine(): Promise<string> {
  const cpu = os.cpus()[0]?.model.trim() ?? 'unknown processor';
  const version = `deliberate ${await packageVersion()}${commit()}`;
  return `${cpu}, ${os.availableParallelism()} cores, ${os.type()} ${os.arch()}, Node ${process.version}, ${version}, ${new Date().toISOString().slice(0, 10)}`;
}

function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', packageRoot, ...args], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'faults').trim() !== '';
    return ` (${git('rev-parse', '--short', 'HEAD').trim()}${changed ? ' and changes' : ''})`;
  } catch {
    // An installed package has no history.
    return '';
  }
}

const begin = (name: string) => `<!-- figures of ${name}: written by npm run faults, not by hand -->`;
const end = (name: string) => `<!-- end of ${name} -->`;

/** What stands between the marks of a section. A failure is counted here; it is told on the screen, with how to see it again. */
function sectionText({ title, command, lines, failures, seconds, where }: Measured): string {
  const time = seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  return [
    `### ${title}`,
    '',
    ...lines.map((line) => `- ${line}`),
    ...(failures.length > 0 ? [`- **WRONG: ${failures.length}. \`${command}\` tells what.**`] : []),
    '',
    `\`${command}\`, ${time}. ${where}.`,
  ].join('\n');
}

/**
 * Replaces the section's figures in the page.
 * @throws input error when the page has no place for them
 */
export async function saveFigures(file: string, measured: Measured): Promise<void> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw inputError(`--save ${file}: cannot be read (${error.code}). Give the page that holds the figures: docs/RELIABILITY.md.`, error);
  });
  const [start, stop] = [begin(measured.name), end(measured.name)];
  const filled = fillBetween(text, start, stop, sectionText(measured));
  if (filled === null)
    throw inputError(
      `${file}: has no place for the figures of ${measured.name}. Put these two lines where they belong, once:\n${start}\n${stop}`,
    );
  await writeTextAtomically(file, filled);
}
