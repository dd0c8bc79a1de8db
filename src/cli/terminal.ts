/** Text of models on a terminal. */
import { styleText } from 'node:util';

/** Without control characters, so that a model cannot move the cursor, set the title or hide text. */
export const printable = (text: string): string =>
  text.replace(/\r\n?/g, '\n').replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

export const dim = (text: string): string => (process.stdout.isTTY ? styleText('dim', text) : text);
