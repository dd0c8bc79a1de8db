/** The append-only file of an arm's answers. */
import { JsonlLog } from '../base/jsonl.js';
import { EvalAnswer } from './records.js';

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
