/** The append-only file of an arm's answers, and the graded rows beside it. */
import { JsonlLog, writeJsonl } from '../base/jsonl.js';
import { EvalAnswer, type EvalRow } from './records.js';

export interface AnswerLog {
  /** By answer id. */
  answers: ReadonlyMap<string, EvalAnswer>;
  append(answer: EvalAnswer): Promise<void>;
  close(): Promise<void>;
}

/** Opens the file, which need not exist. @throws as `JsonlLog.open` */
export async function openLog(file: string): Promise<AnswerLog> {
  const log = await JsonlLog.open(file, EvalAnswer);
  return {
    answers: new Map(log.records.map((answer) => [answer.id, answer])),
    append: (answer) => log.append(answer),
    close: () => log.close(),
  };
}

/** Writes the graded rows of a suite in one go. @throws dependency error when the disk refuses */
export const writeRows = (file: string, rows: readonly EvalRow[]): Promise<void> => writeJsonl(file, rows);
