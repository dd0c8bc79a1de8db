/** Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere. */
import { SingleBar } from 'cli-progress';

export interface Task {
  /** `tokens` are those sampled or trained meanwhile: the rate is shown in them where there are any. */
  advance(items?: number, tokens?: number): void;
  /** Ends the task; the note stands behind it. */
  done(note?: string): void;
}

export interface Progress {
  task(title: string, total: number): Task;
  say(line: string): void;
}

/** For callers that want none. */
export const silent: Progress = { task: () => ({ advance: () => undefined, done: () => undefined }), say: () => undefined };

export interface ProgressOptions {
  stream?: NodeJS.WriteStream;
  /** Milliseconds between plain lines. */
  every?: number;
  now?: () => number;
}

/** Progress on standard error (or another stream), so that standard output stays clean. */
export function createProgress({ stream = process.stderr, every = 10_000, now = Date.now }: ProgressOptions = {}): Progress {
  const say = (line: string) => void stream.write(`${line}\n`);
  return {
    say,
    task: (title, total) => (stream.isTTY ? barTask(title, total, stream, now, say) : lineTask(title, total, every, now, say)),
  };
}

const pad = (title: string) => title.padEnd(22);

function barTask(title: string, total: number, stream: NodeJS.WriteStream, now: () => number, say: (line: string) => void): Task {
  const bar = new SingleBar({
    stream,
    format: `${pad(title)} [{bar}] {value}/{total}  {speed}  {left}`,
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  });
  const meter = new Meter(total, now);
  bar.start(total, 0, { speed: '', left: '' });
  return {
    advance: (items = 1, tokens = 0) => {
      meter.advance(items, tokens);
      bar.update(meter.done, { speed: meter.speed(), left: meter.left() });
    },
    done: (note) => {
      bar.stop();
      say(meter.summary(title, note));
    },
  };
}

function lineTask(title: string, total: number, every: number, now: () => number, say: (line: string) => void): Task {
  const meter = new Meter(total, now);
  let last = now();
  return {
    advance: (items = 1, tokens = 0) => {
      meter.advance(items, tokens);
      if (now() - last < every || meter.done >= total) return;
      last = now();
      say(`${pad(title)} ${meter.done}/${total}  ${meter.speed()}  ${meter.left()}`);
    },
    done: (note) => say(meter.summary(title, note)),
  };
}

class Meter {
  done = 0;
  private tokens = 0;
  private readonly start: number;

  constructor(
    private readonly total: number,
    private readonly now: () => number,
  ) {
    this.start = now();
  }

  advance(items: number, tokens: number): void {
    this.done += items;
    this.tokens += tokens;
  }

  private seconds = () => (this.now() - this.start) / 1000;

  speed(): string {
    const seconds = this.seconds();
    if (seconds <= 0) return '';
    return this.tokens > 0 ? `${Math.round(this.tokens / seconds)} tokens/s` : `${(this.done / seconds).toFixed(1)}/s`;
  }

  left(): string {
    if (this.done <= 0 || this.done >= this.total) return '';
    return `${duration((this.seconds() / this.done) * (this.total - this.done))} left`;
  }

  summary(title: string, note?: string): string {
    const parts = [
      `${pad(title)} ${this.done}/${this.total} in ${duration(this.seconds())}`,
      this.tokens > 0 ? this.speed() : '',
      note ?? '',
    ];
    return parts.filter(Boolean).join('  ');
  }
}

/** `45 s`, `12 min`, `1 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
