/** The embedded engine's renderer: conversations to tokens as the model's chat template does it. */
import { inputError } from '../base/errors.js';
import type { Message } from '../base/records.js';
import { findFrames, type TemplateFrames } from './template-frames.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';
import type { TokenizerSource } from './tokenizer-source.js';
import type { Renderer } from './types.js';

export interface ModelRenderer extends Renderer {
  /** The token that ends an assistant's turn. */
  readonly endOfTurn: number;
  /**
   * Tokens that every prompt starts with whose first `count` messages are these: `promptTokens(messages)` begins with them.
   * The last few tokens of the shared text are left out where they could merge with what follows.
   */
  prefixTokens(messages: readonly Message[], count: number): number[];
  /** Tokens of ordinary text; control tokens never come out of it. */
  encode(text: string): number[];
}

/**
 * Probes the template once, in a process of its own; rendering is then synchronous.
 * Contents are kept as they are: templates that drop `<think>` from earlier assistant turns are not followed in that.
 * @throws input error when there is no template or it cannot be reduced to frames
 */
export async function createRenderer(source: TokenizerSource): Promise<ModelRenderer> {
  const { chatTemplate, bosToken, eosToken } = source;
  if (chatTemplate === null)
    throw inputError(
      `the model of ${source.path} has no chat template: it is a base model. Use an instruction-tuned one, or put a chat_template.jinja into its folder.`,
    );
  const frames = await findFrames(chatTemplate, { bos_token: bosToken ?? '', eos_token: eosToken ?? '', tools: null, documents: null });
  return new FrameRenderer(createTokenizer(source), frames);
}

/** Texts of at least this length are kept with their tokens: specifications come back in thousands of prompts. */
const cachedLength = 200;
const cacheEntries = 256;

class FrameRenderer implements ModelRenderer {
  readonly endOfTurn: number;
  private readonly cache = new Map<string, number[]>();

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly frames: TemplateFrames,
  ) {
    const closing = tokenizer.splitSpecials(frames.between.get('assistant>user') ?? '').find((part) => typeof part === 'number');
    const end = closing ?? tokenizer.specialTokens.get(tokenizer.eosToken ?? '');
    if (end === undefined)
      throw inputError("the model's chat template ends the assistant's turn with no control token, and the tokenizer names no end token.");
    this.endOfTurn = end;
  }

  promptTokens(messages: readonly Message[]): number[] {
    return this.compose(messages, messages.length + 1);
  }

  prefixTokens(messages: readonly Message[], count: number): number[] {
    return this.compose(messages, count);
  }

  completionTokens(text: string, endOfTurn = true): number[] {
    const tokens = this.encode(text);
    return endOfTurn ? [...tokens, this.endOfTurn] : tokens;
  }

  decode(tokens: readonly number[]): string {
    return this.tokenizer.decode(tokens);
  }

  /** Tokens of the first `count` messages, as far as later ones cannot change them; with count = length + 1, of all and the opening of the assistant's turn. */
  private compose(messages: readonly Message[], count: number): number[] {
    if (messages.length === 0) throw inputError('a conversation needs at least one message.');
    const tokens: number[] = [];
    // Neighbouring texts are encoded together, as the tokenizer would see them in the rendered template.
    let run = '';
    const flush = () => {
      if (run !== '') tokens.push(...this.encode(run));
      run = '';
    };
    const addFrame = (frame: string) => {
      for (const part of this.tokenizer.splitSpecials(frame)) {
        if (typeof part === 'string') run += part;
        else {
          flush();
          tokens.push(part);
        }
      }
    };
    const prefill = messages.at(-1)?.role === 'assistant';
    for (const [i, message] of messages.entries()) {
      const opens = prefill && i === messages.length - 1;
      const frame = opens ? this.generationFrame(messages[i - 1]) : this.frameBetween(messages[i - 1], message);
      if (i === count) {
        if (typeof this.tokenizer.splitSpecials(frame)[0] === 'number') flush();
        return tokens;
      }
      addFrame(frame);
      run += opens ? message.content : this.strip(message);
    }
    if (!prefill) {
      const frame = this.generationFrame(messages.at(-1));
      if (count > messages.length) addFrame(frame);
      else if (typeof this.tokenizer.splitSpecials(frame)[0] !== 'number') return tokens;
    } else if (count <= messages.length) return tokens;
    flush();
    return tokens;
  }

  private frameBetween(before: Message | undefined, message: Message): string {
    const frame = this.frames.between.get(`${before?.role ?? ''}>${message.role}`);
    if (frame !== undefined) return frame;
    throw inputError(
      `the model's chat template does not take a ${message.role} message ${before ? `after a ${before.role} message` : 'first'} (${this.frames.refusal}).`,
    );
  }

  private generationFrame(last: Message | undefined): string {
    const frame = this.frames.generation.get(last?.role ?? '');
    if (frame !== undefined) return frame;
    throw inputError(
      `the model's chat template does not open an assistant turn ${last ? `after a ${last.role} message` : 'without a message before it'} (${this.frames.refusal}).`,
    );
  }

  private strip({ role, content }: Message): string {
    const { start = false, end = false } = this.frames.strips.get(role) ?? {};
    const left = start ? content.trimStart() : content;
    return end ? left.trimEnd() : left;
  }

  encode(text: string): number[] {
    if (text.length < cachedLength) return this.tokenizer.encode(text);
    const known = this.cache.get(text);
    if (known) return known.slice();
    const tokens = this.tokenizer.encode(text);
    if (this.cache.size >= cacheEntries) this.cache.delete(this.cache.keys().next().value as string);
    this.cache.set(text, tokens);
    return tokens.slice();
  }
}
