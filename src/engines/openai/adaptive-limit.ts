/**
 * How many requests a server is given at once: more while it keeps its pace (additive increase, doubling at first), half when it
 * says that it is overloaded (multiplicative decrease), none while it has asked to wait.
 */

export interface LimitOptions {
  max: number;
  start?: number;
  /** Milliseconds. */
  now?: () => number;
}

/** The right to send one request. */
export interface Permit {
  readonly since: number;
}

/** ok: answered · overload: 429, 503, too slow · failed: says nothing about load. */
export type Outcome = { kind: 'ok' } | { kind: 'overload'; retryAfter?: number } | { kind: 'failed' };

interface Waiting {
  give: (permit: Permit) => void;
}

/** What was measured at a limit. */
interface Level {
  size: number;
  latency: number;
}

/**
 * A limit grown by a share may slow requests down by this part of that share: batches are slower a request and faster on the whole.
 * Where requests slow down as much as the limit grew, they only wait.
 */
const latencyHolds = 0.9;
/** Windows after growth that brought nothing until it is tried again: servers and requests change. */
const patience = 3;
const leastWindow = 8;

export class AdaptiveLimit {
  private size: number;
  private busy = 0;
  private readonly queue: Waiting[] = [];
  private pausedUntil = 0;
  private timer: NodeJS.Timeout | null = null;
  /** Up to here it doubles, then it grows by an eighth. */
  private threshold = Number.POSITIVE_INFINITY;
  private lastShrink = Number.NEGATIVE_INFINITY;
  private level: Level | null = null;
  private held = 0;
  private window = { answered: 0, latency: 0, full: false };
  private readonly max: number;
  private readonly now: () => number;

  constructor({ max, start = 8, now = Date.now }: LimitOptions) {
    this.max = max;
    this.now = now;
    this.size = Math.min(start, max);
  }

  /** Requests that may be in flight now. */
  get limit(): number {
    return this.size;
  }

  /** Waits for a permit. `again`: a repeated request goes before new ones, or it would starve. @throws the signal's reason */
  async acquire({ again = false, signal }: { again?: boolean; signal?: AbortSignal } = {}): Promise<Permit> {
    signal?.throwIfAborted();
    return new Promise<Permit>((resolve, reject) => {
      const waiting: Waiting = {
        give: (permit) => {
          signal?.removeEventListener('abort', leave);
          resolve(permit);
        },
      };
      const leave = () => {
        const at = this.queue.indexOf(waiting);
        if (at !== -1) this.queue.splice(at, 1);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', leave, { once: true });
      if (again) this.queue.unshift(waiting);
      else this.queue.push(waiting);
      this.pump();
    });
  }

  release(permit: Permit, outcome: Outcome): void {
    this.busy--;
    if (outcome.kind === 'ok') this.answered(permit);
    else if (outcome.kind === 'overload') this.overloaded(permit, outcome.retryAfter);
    this.pump();
  }

  private pump(): void {
    const wait = this.pausedUntil - this.now();
    if (wait > 0) {
      this.timer ??= setTimeout(() => {
        this.timer = null;
        this.pump();
      }, wait);
      return;
    }
    while (this.busy < this.size) {
      const next = this.queue.shift();
      if (next === undefined) return;
      if (++this.busy >= this.size) this.window.full = true;
      next.give({ since: this.now() });
    }
  }

  private answered({ since }: Permit): void {
    const { window } = this;
    window.answered++;
    window.latency += this.now() - since;
    if (window.answered < Math.max(leastWindow, this.size)) return;
    const latency = window.latency / window.answered;
    const used = window.full;
    this.newWindow();
    // A limit that is not reached says nothing about a higher one.
    if (used) this.judge(latency);
  }

  private judge(latency: number): void {
    const { level, size } = this;
    if (level !== null && size > level.size) {
      if (latency > level.latency * (1 + latencyHolds * (size / level.size - 1))) {
        // It brought nothing: back, and from here on in small steps.
        this.size = level.size;
        this.threshold = level.size;
        this.held = 0;
        return;
      }
    } else if (level !== null && ++this.held < patience) return;
    this.level = { size, latency };
    this.held = 0;
    this.size = Math.min(this.max, size < this.threshold ? size * 2 : size + Math.max(1, Math.floor(size / 8)));
  }

  private overloaded({ since }: Permit, retryAfter: number | undefined): void {
    if (retryAfter !== undefined) this.pausedUntil = Math.max(this.pausedUntil, this.now() + retryAfter);
    // Requests that were under way when it shrank report the same overload.
    if (since < this.lastShrink) return;
    this.lastShrink = this.now();
    this.size = Math.max(1, Math.floor(this.size / 2));
    this.threshold = this.size;
    this.level = null;
    this.newWindow();
  }

  private newWindow(): void {
    this.window = { answered: 0, latency: 0, full: this.busy >= this.size };
  }
}
