/** Text as it is written: from tokens that come one by one to pieces of text, none of which is ever taken back. */

/** Passes text on up to the first stop string. What may be the beginning of one is held back until more is known. */
export class StopCutter {
  private held = '';
  private found = false;

  constructor(private readonly stop: readonly string[]) {}

  /** Whether a stop string has come. What follows it is dropped. */
  get stopped(): boolean {
    return this.found;
  }

  push(piece: string): string {
    if (this.found) return '';
    const text = this.held + piece;
    const at = firstStop(text, this.stop);
    if (at !== -1) {
      this.found = true;
      this.held = '';
      return text.slice(0, at);
    }
    const keep = heldLength(text, this.stop);
    this.held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** What is held back, when no more text comes. */
  rest(): string {
    const { held } = this;
    this.held = '';
    return held;
  }
}

/** Where the first stop string begins; -1 when there is none. */
export function firstStop(text: string, stop: readonly string[]): number {
  const ends = stop.map((one) => text.indexOf(one)).filter((at) => at !== -1);
  return ends.length === 0 ? -1 : Math.min(...ends);
}

/** Length of the longest end of the text with which one of the strings begins. */
export function heldLength(text: string, strings: readonly string[]): number {
  let longest = 0;
  for (const string of strings) {
    for (let length = Math.min(string.length - 1, text.length); length > longest; length--)
      if (text.endsWith(string.slice(0, length))) longest = length;
  }
  return longest;
}

/** The text up to the first stop string; with `after`, only what follows that text and its white space is searched. */
export function cutAtStop(text: string, stop: readonly string[], after?: string): string {
  const from = after === undefined ? 0 : answerStart(text, after);
  if (from === -1) return text;
  const at = firstStop(text.slice(from), stop);
  return at === -1 ? text : text.slice(0, from + at);
}

function answerStart(text: string, after: string): number {
  const at = text.indexOf(after);
  if (at === -1) return -1;
  const rest = text.slice(at + after.length);
  return text.length - rest.trimStart().length;
}

export interface TextStreamOptions {
  decode: (tokens: readonly number[]) => string;
  stop?: readonly string[] | undefined;
  /** As in SamplingParams. */
  stopAfter?: string | undefined;
}

/**
 * Decodes the tokens of one sample as they come. The pieces joined are the beginning of what the tokens decode to as a whole:
 * characters whose bytes are spread over several tokens come once they are complete.
 */
export class TextStream {
  private readonly tokens: number[] = [];
  /** Decoding begins here: at the last token but one that was settled, for some decoders treat the first token otherwise. */
  private start = 0;
  private settled = 0;
  private readonly cutter: StopCutter;
  /** White space and text before the stop strings count; null once they do. */
  private before: string | null;

  constructor(private readonly options: TextStreamOptions) {
    this.cutter = new StopCutter(options.stop ?? []);
    this.before = options.stopAfter === undefined || (options.stop ?? []).length === 0 ? null : '';
  }

  /** @returns the text that is now certain, often none */
  push(token: number): string {
    this.tokens.push(token);
    const { decode } = this.options;
    const known = decode(this.tokens.slice(this.start, this.settled));
    const text = decode(this.tokens.slice(this.start));
    // An unfinished character decodes to U+FFFD; wait for its other bytes.
    if (text.endsWith('\ufffd') || !text.startsWith(known)) return '';
    this.start = this.settled;
    this.settled = this.tokens.length;
    return this.cut(text.slice(known.length));
  }

  private cut(piece: string): string {
    if (this.before === null) return this.cutter.push(piece);
    const text = this.before + piece;
    const from = answerStart(text, this.options.stopAfter as string);
    if (from === -1 || from === text.length) {
      this.before = text;
      return piece;
    }
    const passed = Math.max(from, this.before.length);
    const begun = text.slice(this.before.length, passed);
    this.before = null;
    return begun + this.cutter.push(text.slice(passed));
  }
}
