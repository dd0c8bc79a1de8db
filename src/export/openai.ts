/** `--to openai`: JSONL for fine-tuning services that take OpenAI's chat format. */
import path from 'node:path';
import { writeJsonl } from '../base/jsonl.js';
import { sftRows } from './sft-rows.js';
import { dataArms, type ExportTarget } from './target.js';

/** The service refuses smaller files. */
const fewestRows = 10;

export const openai: ExportTarget = {
  kind: 'data',
  arms: dataArms,
  text: 'SFT data as JSONL in the format of OpenAI fine-tuning',
  async write({ folder, run, arm }) {
    const rows = sftRows(run, arm).map(({ prompt, completion }) => ({ messages: [...prompt, ...completion] }));
    // A tool's message needs the id of a call, which a conversation of ours does not have.
    const usable = rows.filter(({ messages }) => messages.every(({ role }) => role !== 'tool'));
    await writeJsonl(path.join(folder, 'train.jsonl'), usable);
    return [
      `train.jsonl: ${usable.length} rows${usable.length < rows.length ? `; ${rows.length - usable.length} with tool messages were left out` : ''}.`,
      ...(usable.length < fewestRows ? [`The service wants at least ${fewestRows} rows.`] : []),
    ];
  },
};
