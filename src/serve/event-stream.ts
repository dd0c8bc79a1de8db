/** Server-sent events as OpenAI's clients read them. */
import type { ServerResponse } from 'node:http';

/** Proxies and clients give up on a connection that is silent; a comment keeps it alive, and clients pass over it. */
const keepAliveMs = 10_000;

/**
 * The header goes out with the first event, or when the first comment is due: until then a failure can still be answered with
 * a status of its own.
 */
export class EventStream {
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly response: ServerResponse,
    /** Called before the first write. */
    private readonly onBegin: () => void,
  ) {
    this.timer = setInterval(() => this.write(': still writing\n\n'), keepAliveMs);
    this.timer.unref();
    response.once('close', () => this.cancel());
  }

  get begun(): boolean {
    return this.response.headersSent;
  }

  send(value: unknown): void {
    this.write(`data: ${JSON.stringify(value)}\n\n`);
  }

  /** No further comments. */
  cancel(): void {
    clearInterval(this.timer);
  }

  end(): void {
    this.cancel();
    this.write('data: [DONE]\n\n');
    this.response.end();
  }

  private write(text: string): void {
    if (this.response.destroyed || this.response.writableEnded) return;
    if (!this.response.headersSent) {
      // x-accel-buffering: nginx would hold the pieces back until they fill its buffer.
      const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' };
      this.onBegin();
      this.response.writeHead(200, headers);
    }
    this.response.write(text);
  }
}
