/** Text to tokens and back. Text never becomes control tokens, whatever it says. */
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { inputError } from '../base/errors.js';
import type { TokenizerSource } from './tokenizer-source.js';

export class Tokenizer {
  /** Knows no special tokens, so no text is ever read as one. */
  private readonly plain: HuggingFaceTokenizer;
  /** Control tokens, by their text. */
  readonly specialTokens: ReadonlyMap<string, number>;
  private readonly specialIds: ReadonlySet<number>;
  readonly bosToken: string | null;
  readonly eosToken: string | null;
  private readonly path: string;

  /** @throws input error when the tokenizer has a component that the library does not know */
  constructor(source: TokenizerSource) {
    const special = source.addedTokens.filter((token) => token.special);
    this.specialTokens = new Map(special.map(({ content, id }) => [content, id]));
    this.specialIds = new Set(this.specialTokens.values());
    this.bosToken = source.bosToken;
    this.eosToken = source.eosToken;
    const { model } = source.json;
    const json = {
      ...source.json,
      pre_tokenizer: adjustedPreTokenizer(source.json.pre_tokenizer),
      added_tokens: source.addedTokens.filter((token) => !token.special),
      // A byte that the vocabulary lacks is dropped rather than becoming a control token.
      model: this.specialTokens.has(String(model['unk_token'])) ? { ...model, unk_token: null } : model,
    };
    this.path = source.path;
    this.plain = this.guarded(() => new HuggingFaceTokenizer(json, { clean_up_tokenization_spaces: false }));
    // What is wrong with its parts often shows only at work.
    this.decode(this.encode('Hello, 12 words:\n é ㎏ \u{1F642}'));
  }

  /** The library throws what it likes on a tokenizer.json that is not as it expects. */
  private guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw inputError(`the tokenizer of ${this.path} cannot be used: ${(cause as Error).message}`, cause);
    }
  }

  /** Tokens of ordinary text: `<|im_end|>` in it becomes several plain tokens. */
  encode(text: string): number[] {
    const tokens = this.ids(text);
    if (!tokens.some((token: number) => this.specialIds.has(token))) return tokens;
    // The vocabulary itself can hold the text of a control token as one piece: cut such texts after their first character.
    const pieces = this.cutSpecials(text).flatMap((piece) => this.ids(piece));
    if (pieces.some((token) => this.specialIds.has(token)))
      throw inputError(
        `the tokenizer of ${this.path} makes control tokens of the ordinary text ${JSON.stringify(text.slice(0, 200))}: one of them is a single letter. Use another model.`,
      );
    return pieces;
  }

  private ids(text: string): number[] {
    const { ids } = this.guarded(() => this.plain.encode(text, { add_special_tokens: false }));
    // A merge into a piece that the vocabulary lacks.
    if (ids.some((id: number) => !Number.isInteger(id) || id < 0))
      throw inputError(`the tokenizer of ${this.path} makes pieces that its vocabulary does not have. The file is damaged.`);
    return ids;
  }

  private cutSpecials(text: string): string[] {
    let marked = text;
    const mark = '\u{F0000}';
    for (const special of this.specialTokens.keys()) {
      const [first = ''] = special;
      marked = marked.replaceAll(special, `${first}${mark}${special.slice(first.length)}`);
    }
    return marked.split(mark);
  }

  /** The text of tokens; control tokens and ids beyond the vocabulary have none. Incomplete UTF-8 becomes U+FFFD. */
  decode(tokens: readonly number[]): string {
    const ordinary = tokens.filter((token) => !this.specialIds.has(token) && this.plain.id_to_token(token) !== undefined);
    return ordinary.length === 0 ? '' : this.guarded(() => this.plain.decode(ordinary, { clean_up_tokenization_spaces: false }));
  }

  /**
   * Tokens of a part of a rendered template: control tokens where it names them, text between them.
   * Returns text not yet encoded as strings, so that it can grow together with what follows.
   */
  splitSpecials(text: string): (number | string)[] {
    const parts: (number | string)[] = [];
    let plain = 0;
    for (let at = 0; at < text.length;) {
      const special = this.longestSpecialAt(text, at);
      if (special === null) {
        at++;
        continue;
      }
      if (at > plain) parts.push(text.slice(plain, at));
      parts.push(this.specialTokens.get(special) as number);
      at += special.length;
      plain = at;
    }
    if (plain < text.length) parts.push(text.slice(plain));
    return parts;
  }

  private longestSpecialAt(text: string, at: number): string | null {
    let longest: string | null = null;
    for (const special of this.specialTokens.keys()) {
      if (text.startsWith(special, at) && special.length > (longest?.length ?? 0)) longest = special;
    }
    return longest;
  }
}

export const createTokenizer = (source: TokenizerSource): Tokenizer => new Tokenizer(source);

interface PreTokenizerJson {
  type?: string;
  prepend_scheme?: string;
  individual_digits?: boolean;
  pretokenizers?: unknown[];
}

/** Two steps of a pre-tokenizer that the library takes differently from what the model was trained with here. */
function adjustedPreTokenizer(preTokenizer: unknown): unknown {
  if (preTokenizer === null || typeof preTokenizer !== 'object') return preTokenizer;
  const json = preTokenizer as PreTokenizerJson;
  switch (json.type) {
    case 'Sequence':
      return { ...json, pretokenizers: (json.pretokenizers ?? []).map(adjustedPreTokenizer) };
    case 'Metaspace':
      // `first` puts a space before the first word of the input; text here always follows the opening of a turn.
      return json.prepend_scheme === 'first' ? { ...json, prepend_scheme: 'never' } : json;
    case 'Digits':
      // The original cuts at every numeric character (² and Ⅷ too); the library's port at decimal digits only.
      return { type: 'Split', pattern: { Regex: json.individual_digits ? '\\p{N}' : '\\p{N}+' }, behavior: 'Isolated', invert: false };
    default:
      return json;
  }
}
