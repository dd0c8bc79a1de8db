/** The append-only file of an arm's answers, and the graded rows beside it. */
import { mkdir, open, readFile, rename, truncate } from 'node:fs/promises';
import path from 'node:path';
import { dependencyError, inputError } from '../base/errors.js';
import { EvalAnswer, type EvalRow } from './records.js';

export interface AnswerLog {
  /** By answer id. */
  answers: ReadonlyMap<string, EvalAnswer>;
  append(answer: EvalAnswer): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the file, which need not exist. A last line that was torn (no line feed, or filled with NULs by a crash) is cut off.
 * @throws an input error naming file and line for a line that is whole and yet no answer; a dependency error when the disk refuses.
 */
export async function openLog(file: string): Promise<AnswerLog> {
  await mkdir(path.dirname(file), { recursive: true }).catch(diskError(file));
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    return diskError(file)(error);
  });
  const lines = bytes.toString('utf8').split('\n');
  lines.pop();
  if (lines.at(-1)?.includes('\0')) lines.pop();
  const whole = lines.reduce((length, line) => length + Buffer.byteLength(line) + 1, 0);
  if (whole < bytes.length) await truncate(file, whole).catch(diskError(file));
  const answers = new Map(lines.map((line, i) => [parse(file, i + 1, line).id, parse(file, i + 1, line)]));

  const handle = await open(file, 'a').catch(diskError(file));
  // Appends are queued: one write at a time, so that two lines never mix.
  let queue: Promise<unknown> = Promise.resolve();
  return {
    answers,
    append: (answer) => {
      const write = queue.then(() => handle.appendFile(`${JSON.stringify(answer)}\n`).catch(diskError(file)));
      queue = write.catch(() => undefined);
      return write;
    },
    close: async () => {
      await queue;
      await handle.sync().catch(diskError(file));
      await handle.close();
    },
  };
}

function parse(file: string, number: number, line: string): EvalAnswer {
  try {
    return EvalAnswer.parse(JSON.parse(line));
  } catch (error) {
    throw inputError(`${file}:${number}: is no answer of an evaluation. Remove the line; it will be asked again.`, error);
  }
}

/** Writes the graded rows of a suite in one go: temporary file, fsync, rename. */
export async function writeRows(file: string, rows: readonly EvalRow[]): Promise<void> {
  const temporary = `${file}.new`;
  try {
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    diskError(file)(error);
  }
}

const diskError =
  (file: string) =>
  (error: unknown): never => {
    throw dependencyError(
      `${file}: cannot be read or written (${(error as NodeJS.ErrnoException).code ?? String(error)}). Check the folder's rights and the free space, then run again.`,
      error,
    );
  };
