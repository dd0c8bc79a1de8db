/** SftRecords as rows for other trainers: the prompt's own conversation, then what was learnt. There is no field for a specification. */
import type { ArmName } from '../base/config.js';
import { inputError } from '../base/errors.js';
import type { Message, SftRecord } from '../base/records.js';
import { joinCot } from '../lm/split-cot.js';
import type { RunContents } from './run-contents.js';

export interface SftRow {
  prompt: Message[];
  completion: Message[];
}

/** CoT and answer as the model writes them; for the arm `answer-only` the answer alone. */
const learntText = ({ cot, answer }: SftRecord, arm: ArmName): string => (arm === 'answer-only' ? answer : joinCot(cot, answer));

/** @throws input error when the run has no records yet */
export function sftRows({ records, paths }: RunContents, arm: ArmName): SftRow[] {
  if (records.length === 0) throw inputError(`${paths.sftRecords()}: holds no record. Run \`deliberate filter ${paths.root}\` first.`);
  return records.map((record) => ({
    prompt: record.messages.map(({ role, content }) => ({ role, content })),
    completion: [{ role: 'assistant', content: learntText(record, arm) }],
  }));
}
