/** Builds the contents of a tokenizer.json from GGUF metadata, for byte-level BPE vocabularies. */
import { inputError } from '../base/errors.js';
import type { GgufValue } from './gguf-header.js';
import type { AddedToken, TokenizerSource } from './tokenizer-source.js';

/** GGUF's kinds of tokens that are not ordinary text. */
const control = 3;
const userDefined = 4;

const byteLevel = (useRegex: boolean) => ({ type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: useRegex });

/** Words with one leading character, up to `digits` digits, punctuation with line ends, white space. */
const wordSplit = (digits: string) => ({
  type: 'Split',
  pattern: {
    Regex: [
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
      '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+',
      `\\p{N}${digits}`,
      ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*',
      '\\s*[\\r\\n]+',
      '\\s+(?!\\S)',
      '\\s+',
    ].join('|'),
  },
  behavior: 'Isolated',
  invert: false,
});

/** How text is cut before BPE, by `tokenizer.ggml.pre`. */
export const preTokenizers: Readonly<Record<string, { steps: object[]; normalizer?: object; ignoreMerges?: boolean }>> = {
  smollm: { steps: [{ type: 'Digits', individual_digits: true }, byteLevel(true)] },
  'gpt-2': { steps: [byteLevel(true)] },
  qwen2: { steps: [wordSplit(''), byteLevel(false)], normalizer: { type: 'NFC' } },
  'llama-bpe': { steps: [wordSplit('{1,3}'), byteLevel(false)], ignoreMerges: true },
};

/** @throws input error for another kind of tokenizer or metadata that contradicts itself */
export function tokenizerFromGguf(metadata: ReadonlyMap<string, GgufValue>, path: string): TokenizerSource {
  const otherwise = 'Use the model as a Hugging Face folder with tokenizer.json.';
  const kind = metadata.get('tokenizer.ggml.model');
  if (kind !== 'gpt2')
    throw inputError(`${path}: its tokenizer is of kind ${String(kind)}; only byte-level BPE (gpt2) is read from GGUF. ${otherwise}`);
  const preName = String(metadata.get('tokenizer.ggml.pre') ?? 'gpt-2');
  const pre = preTokenizers[preName];
  if (!pre)
    throw inputError(`${path}: the pre-tokenizer ${preName} is not known (${Object.keys(preTokenizers).join(', ')} are). ${otherwise}`);

  const tokens = texts(metadata, 'tokenizer.ggml.tokens', path);
  const merges = texts(metadata, 'tokenizer.ggml.merges', path);
  const types = metadata.get('tokenizer.ggml.token_type') ?? [];
  if (!Array.isArray(types) || (types.length > 0 && types.length !== tokens.length))
    throw inputError(`${path}: ${tokens.length} tokens but another number of token types. The file is damaged.`);
  const addedTokens: AddedToken[] = tokens.flatMap((content, id) =>
    content !== '' && (types[id] === control || types[id] === userDefined)
      ? [{ id, content, special: types[id] === control, single_word: false, lstrip: false, rstrip: false, normalized: false }]
      : [],
  );
  const tokenText = (key: string): string | null => {
    const id = metadata.get(key);
    return typeof id === 'number' ? (tokens[id] ?? null) : null;
  };
  const template = metadata.get('tokenizer.chat_template');
  return {
    json: {
      added_tokens: addedTokens,
      normalizer: pre.normalizer ?? null,
      pre_tokenizer: { type: 'Sequence', pretokenizers: pre.steps },
      post_processor: null,
      decoder: byteLevel(true),
      model: {
        type: 'BPE',
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        byte_fallback: false,
        ignore_merges: pre.ignoreMerges ?? false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges,
      },
    },
    addedTokens,
    bosToken: tokenText('tokenizer.ggml.bos_token_id'),
    eosToken: tokenText('tokenizer.ggml.eos_token_id'),
    chatTemplate: typeof template === 'string' ? template : null,
    path,
  };
}

function texts(metadata: ReadonlyMap<string, GgufValue>, key: string, path: string): string[] {
  const value = metadata.get(key);
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => typeof item === 'string')) {
    throw inputError(`${path}: ${key} is missing or not a list of texts. The file is damaged or carries no tokenizer.`);
  }
  return value;
}
