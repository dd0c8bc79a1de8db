/** Reads a text file that a person gave us, line by line, with messages that name the place. */
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { inputError } from '../base/errors.js';

export interface Line {
  text: string;
  /** From 1. */
  number: number;
}

/**
 * Text of a UTF-8 file, without a byte order mark.
 * @throws an input error when the file cannot be read or a line is not UTF-8.
 */
export async function readText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw inputError(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}). Check the path.`, error);
  }
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    throw inputError(`${file}:${firstBadLine(bytes)}: is not UTF-8 text. Save the file as UTF-8.`);
  }
}

function firstBadLine(bytes: Buffer): number {
  let number = 1;
  for (let start = 0; start < bytes.length; number++) {
    const end = bytes.indexOf(0x0a, start);
    const stop = end === -1 ? bytes.length : end;
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(start, stop));
    } catch {
      return number;
    }
    start = stop + 1;
  }
  return number;
}

/** Lines that are not blank. Only a line feed ends a line: U+2028 and the like may stand inside JSON strings. */
export const filledLines = (text: string): Line[] =>
  text
    .split('\n')
    .map((line, index) => ({ text: line.replace(/\r$/, ''), number: index + 1 }))
    .filter((line) => line.text.trim() !== '');

/**
 * One line of JSONL.
 * @throws an input error that names file and line.
 */
export function parseJsonLine(file: string, line: Line): unknown {
  try {
    return JSON.parse(line.text);
  } catch (error) {
    throw inputError(`${file}:${line.number}: is not JSON (${(error as Error).message}). Each line must be one JSON object.`, error);
  }
}

/** The first complaint of a schema as `field: what is wrong`. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'does not fit the schema';
  return `${issue.path.length === 0 ? 'record' : issue.path.join('.')}: ${issue.message}`;
}
