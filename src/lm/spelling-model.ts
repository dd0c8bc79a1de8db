/** A fixture's weights with a tokenizer that spells, for tests: one token a character (but `th`), and the control tokens of a chat. */
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { packageRoot } from '../base/package-root.js';

const template =
  "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

const controls = ['<|system|>', '<|user|>', '<|assistant|>', '<|im_end|>'];

function tokenizer(pairs: readonly string[]): object {
  const characters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter((c) => !'~^{}`'.includes(c));
  // Byte-level: a space and a line feed have letters of their own.
  const pieces = [...characters.map((c) => (c === ' ' ? 'Ġ' : c)), 'Ċ', ...pairs, ...controls];
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    added_tokens: controls.map((content) => ({
      id: pieces.indexOf(content),
      content,
      special: true,
      normalized: false,
      lstrip: false,
      rstrip: false,
      single_word: false,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: pairs.map((pair) => [...pair].join(' ')),
      unk_token: null,
    },
  };
}

/**
 * Writes a model folder.
 * @param fixture folder of fixtures/ whose vocabulary has 96 tokens
 * @param pairs letters that are merged into one token
 */
export async function writeSpellingModel(folder: string, fixture: string, pairs: readonly string[] = ['th']): Promise<void> {
  await cp(path.join(packageRoot, 'fixtures', fixture), folder, { recursive: true });
  await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizer(pairs)));
  await writeFile(
    path.join(folder, 'tokenizer_config.json'),
    JSON.stringify({ tokenizer_class: 'PreTrainedTokenizerFast', eos_token: '<|im_end|>' }),
  );
  await writeFile(path.join(folder, 'chat_template.jinja'), template);
}
