/**
 * A tokenizer.json brings regular expressions of its own, and one of them can take years on a line of spaces. Those that are
 * not known are tried in a process of their own with a deadline, before any text of a run meets them.
 */
import { createRequire } from 'node:module';
import { inputError } from '../base/errors.js';
import { runUntrusted } from './untrusted-process.js';

interface Steps {
  normalizer: unknown;
  pre_tokenizer: unknown;
  decoder: unknown;
}

/** The child's program: the library's own normalizer, pre-tokenizer and decoder over an empty vocabulary. */
const program = `
const { library, steps } = input;
const { Tokenizer } = require(library);
const model = { type: 'BPE', vocab: { a: 0 }, merges: [], unk_token: null };
let tokenizer;
try {
  tokenizer = new Tokenizer({ added_tokens: [], post_processor: null, model, ...steps }, {});
} catch {}
begin();
const length = 3000;
const runs = [' ', '\\n', '\\t', 'a', 'A', '1', "'", '.', '-', '_', '<', 'é', '漢', ' a', 'a ', 'a1', "a'", '\\r\\n', '. ', 'aA'];
for (const run of runs) for (const end of ['', '!', '\\u0000', 'a']) {
  try {
    tokenizer?.encode(run.repeat(length / run.length) + end, { add_special_tokens: false });
  } catch {}
}
`;

/**
 * @param deadline milliseconds for all the trial texts together
 * @throws input error when the patterns do not come to an end on them
 */
export async function checkPatterns({ normalizer, pre_tokenizer, decoder }: Steps, path: string, deadline = 10_000): Promise<void> {
  let steps: string;
  try {
    steps = JSON.stringify({ normalizer, pre_tokenizer, decoder });
  } catch (cause) {
    throw inputError(`${path}: is nested too deeply. The file is hostile or damaged.`, cause);
  }
  if (!steps.includes('"Regex"')) return;
  const library = createRequire(import.meta.url).resolve('@huggingface/tokenizers');
  const input = { library, steps: JSON.parse(steps) as unknown };
  const outcome = await runUntrusted(program, input, { deadline, memoryMegabytes: 256 });
  if ('late' in outcome)
    throw inputError(
      `${path}: its regular expressions take more than ${deadline / 1000} s on ordinary lines. The file is hostile or damaged; get it from its source again.`,
    );
  if ('failed' in outcome)
    throw inputError(`${path}: its regular expressions cannot be tried (${outcome.failed}). The file is hostile or damaged.`);
}
