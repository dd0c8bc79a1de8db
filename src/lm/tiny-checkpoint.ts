/** A tiny random model as a checkpoint folder, with a chat template and a tokenizer that spells: for tests of whole engines. */
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { packageRoot } from '../base/package-root.js';

const template =
  "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/** One token a character, and the control tokens of a chat. It fits the fixture's 96 tokens. */
function spellingTokenizer() {
  const controls = ['<|system|>', '<|user|>', '<|assistant|>', '<|im_end|>'];
  const characters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter((c) => !'~^{}`'.includes(c));
  // Byte-level: a space and a line feed have letters of their own.
  const pieces = [...characters.map((c) => (c === ' ' ? 'Ġ' : c)), 'Ċ', ...controls];
  const flags = { special: true, normalized: false, lstrip: false, rstrip: false, single_word: false };
  return {
    version: '1.0',
    added_tokens: controls.map((content) => ({ id: pieces.indexOf(content), content, ...flags })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])), merges: [], unk_token: null },
  };
}

/** @param folder made where it is not there */
export async function writeTinyCheckpoint(folder: string): Promise<void> {
  await cp(path.join(packageRoot, 'fixtures', 'llama-tied'), folder, { recursive: true });
  await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(spellingTokenizer()));
  await writeFile(path.join(folder, 'tokenizer_config.json'), JSON.stringify({ eos_token: '<|im_end|>' }));
  await writeFile(path.join(folder, 'chat_template.jinja'), template);
}
