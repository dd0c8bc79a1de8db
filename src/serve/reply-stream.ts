/** From what a model writes, CoT first, to the two fields that clients know: `reasoning_content` and `content`. */
import { splitCot } from '../lm/split-cot.js';
import { cutAtStop, heldLength, StopCutter } from '../lm/text-stream.js';

export interface Reply {
  /** Null where there is none, and where it is hidden. */
  reasoning: string | null;
  content: string;
  /** Whether a stop string of the caller ended the answer. */
  stopped: boolean;
}

export interface ReplyOptions {
  /** Whether the CoT is shown. */
  show: boolean;
  stop: readonly string[];
}

/** A whole reply. Stop strings count in the answer alone: the caller may not even see the CoT. */
export function readReply(text: string, { show, stop }: ReplyOptions): Reply {
  const { cot, answer } = splitCot(text);
  const cut = cutAtStop(answer, stop);
  // Trimmed again: an engine that stops by itself gives a text that `splitCot` trims after the cut.
  return { reasoning: show ? cot : null, content: cut.trimEnd(), stopped: cut.length < answer.length };
}

/** What may be sent now. */
export interface ReplyPart {
  reasoning?: string;
  content?: string;
}

/** Passes text on without the white space at its ends. */
class Trimmer {
  private begun = false;
  private space = '';

  push(piece: string): string {
    const text = this.space + (this.begun ? piece : piece.trimStart());
    const kept = text.trimEnd();
    this.begun ||= kept !== '';
    this.space = text.slice(kept.length);
    return kept;
  }
}

const openings = ['<think>', '<thinking>'];

/**
 * A reply that is still being written. Pieces that went out cannot be taken back, so what is sent early depends on what is shown:
 *
 * - CoT shown: everything goes out as it comes, in the field where it belongs as far as one can tell by then. For a reply that
 *   is well-formed the pieces joined are what `readReply` says of the whole; of a malformed one nothing is lost.
 * - CoT hidden: nothing goes out before the end, for the CoT ends where the *last* tag closes, and only the end tells which is
 *   the last. A promise to hide that holds for well-formed replies only would be none.
 */
export class ReplyStream {
  private received = '';
  private waiting = '';
  private at: 'start' | 'reasoning' | 'content' = 'start';
  private closing = '';
  private readonly reasoning = new Trimmer();
  private readonly content = new Trimmer();
  private readonly cutter: StopCutter;
  /** Behind the cutter, for white space before a stop string. */
  private readonly kept = new Trimmer();

  constructor(private readonly options: ReplyOptions) {
    this.cutter = new StopCutter(options.stop);
  }

  push(piece: string): ReplyPart {
    this.received += piece;
    if (!this.options.show) return {};
    this.waiting += piece;
    if (this.at === 'start') this.readStart();
    const reasoning = this.at === 'reasoning' ? this.readReasoning() : '';
    const content = this.at === 'content' ? this.readContent() : '';
    return { ...(reasoning !== '' && { reasoning }), ...(content !== '' && { content }) };
  }

  /** @param text the whole reply @returns what has not been sent yet, and the reply as a whole */
  finish(text: string): { part: ReplyPart; reply: Reply } {
    const reply = readReply(text, this.options);
    if (!this.options.show) return { part: { content: reply.content }, reply };
    const last = this.push(text.slice(this.received.length));
    if (this.at === 'content') return { part: { ...last, content: (last.content ?? '') + this.kept.push(this.cutter.rest()) }, reply };
    const held = this.at === 'reasoning' ? this.reasoning.push(this.waiting) : (reply.reasoning ?? '');
    const reasoning = (last.reasoning ?? '') + held;
    return { part: { ...(reasoning !== '' && { reasoning }), content: reply.content }, reply };
  }

  private readStart(): void {
    const text = this.waiting.trimStart();
    const opening = openings.find((one) => text.startsWith(one));
    if (opening !== undefined) {
      this.at = 'reasoning';
      this.closing = opening.replace('<', '</');
      this.waiting = text.slice(opening.length);
    } else if (!openings.some((one) => one.startsWith(text))) this.at = 'content';
  }

  private readReasoning(): string {
    const end = this.waiting.indexOf(this.closing);
    if (end !== -1) {
      const before = this.waiting.slice(0, end);
      this.waiting = this.waiting.slice(end + this.closing.length);
      this.at = 'content';
      return this.reasoning.push(before);
    }
    const ready = this.waiting.length - heldLength(this.waiting, [this.closing]);
    const before = this.waiting.slice(0, ready);
    this.waiting = this.waiting.slice(ready);
    return this.reasoning.push(before);
  }

  private readContent(): string {
    const text = this.content.push(this.waiting);
    this.waiting = '';
    return this.kept.push(this.cutter.push(text));
  }
}
