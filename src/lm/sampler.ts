/** Continuous batching over a Decoder: requests wait in a queue, a finished row makes room for the next, shared prefixes are computed once. */
import { inputError } from '../base/errors.js';
import { Random } from '../base/random.js';
import type { Decoder, Pick } from './decoder.js';
import { type PrefixKv, RowCaches } from './kv-cache.js';
import type { LoraParameters } from './lora.js';
import type { SampledSequence, SamplingParams } from './types.js';

export interface SampleJob {
  adapter: LoraParameters;
  /** Changes whenever the adapter's values change: prefixes computed under an older version are not used again. */
  adapterVersion: string;
  promptTokens: number[];
  /** The first so many tokens are shared with other jobs. */
  sharedPrefix: number;
  n: number;
  params: SamplingParams;
  signal?: AbortSignal;
  /** Needed where `params.stop` is given. */
  decode?: (tokens: readonly number[]) => string;
  /** Called with each token as it is picked. */
  onToken?: (copy: number, token: number) => void;
}

export interface ChoiceJob {
  adapter: LoraParameters;
  adapterVersion: string;
  promptTokens: number[];
  sharedPrefix: number;
  choices: number[];
}

type Unit = { key: string; prefix: number[]; own: number[]; since: number } & (
  | {
      kind: 'sample';
      job: SampleJob;
      copies: number[];
      done: (copy: number, result: SampledSequence) => void;
      fail: (error: unknown) => void;
    }
  | { kind: 'choices'; job: ChoiceJob; done: (logprobs: number[]) => void; fail: (error: unknown) => void }
);

interface Row {
  unit: Extract<Unit, { kind: 'sample' }>;
  copy: number;
  random: Random;
  tokens: number[];
  logprobs: number[];
  /** Tokens before this one are searched for no stop string; null while `stopAfter` has not come. */
  stopsFrom: number | null;
}

/** Prompt tokens that one prefill call may hold: larger calls gain nothing and cost attention memory. */
const prefillTokens = 1536;
/** Shared prefixes kept: a specification a category, and then some. */
const prefixesKept = 12;

export class Sampler {
  private queue: Unit[] = [];
  private active: Row[] = [];
  private readonly prefixes = new Map<string, PrefixKv>();
  private readonly caches: RowCaches;
  private running: Promise<void> | null = null;
  private key = '';

  constructor(
    private readonly decoder: Decoder,
    private readonly maxRows: number,
    /** A request of another prefix than the one at work lets no more than this time's requests go before it, ms. */
    private readonly patience = Infinity,
  ) {
    this.caches = new RowCaches(decoder.config, maxRows);
  }

  sample(job: SampleJob): Promise<SampledSequence[]> {
    this.check(job.promptTokens.length + 1);
    const results: SampledSequence[] = [];
    let missing = job.n;
    return new Promise((resolve, reject) => {
      const done = (copy: number, result: SampledSequence) => {
        results[copy] = result;
        if (--missing === 0) resolve(results);
      };
      for (let first = 0; first < job.n; first += this.maxRows) {
        const copies = Array.from({ length: Math.min(this.maxRows, job.n - first) }, (_, i) => first + i);
        this.enqueue({ kind: 'sample', job, copies, done, fail: reject, ...this.cut(job) });
      }
    });
  }

  choices(job: ChoiceJob): Promise<number[]> {
    this.check(job.promptTokens.length);
    return new Promise((resolve, reject) => {
      this.enqueue({ kind: 'choices', job, done: resolve, fail: reject, ...this.cut(job) });
    });
  }

  /** Gives back the memory of decoding while there is nothing to sample; prefixes stay. */
  async releaseIdle(): Promise<void> {
    if (this.running !== null) return;
    this.caches.shrink();
    await this.decoder.close();
  }

  private check(tokens: number): void {
    const { maxPositions } = this.decoder.config;
    if (tokens > maxPositions) {
      throw inputError(
        `a prompt of ${tokens} tokens does not fit the model's context of ${maxPositions}. Shorten it, or lower spec.maxTokens.`,
      );
    }
  }

  private cut({ promptTokens, sharedPrefix, adapterVersion }: { promptTokens: number[]; sharedPrefix: number; adapterVersion: string }) {
    // The last token of a prompt is never part of the prefix: its hidden state is where sampling starts.
    const shared = Math.min(sharedPrefix, promptTokens.length - 1);
    const prefix = promptTokens.slice(0, shared);
    return { key: `${adapterVersion}|${prefix.join(',')}`, prefix, own: promptTokens.slice(shared), since: performance.now() };
  }

  private enqueue(unit: Unit): void {
    this.queue.push(unit);
    // The loop starts after the caller has queued all it has, so that the first batch is full.
    this.running ??= new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.loop())
      .finally(() => {
        this.running = null;
      });
  }

  private async loop(): Promise<void> {
    while (this.queue.length > 0 || this.active.length > 0) {
      try {
        this.dropAborted();
        if (this.active.length === 0) {
          const next = this.queue[0];
          if (!next) break;
          this.key = next.key;
          this.caches.shrink();
        }
        await this.admit();
        if (this.active.length > 0) await this.step();
      } catch (error) {
        // A failed kernel call says nothing about who caused it: everyone in the batch learns of it.
        for (const row of this.active) row.unit.fail(error);
        for (const unit of this.queue) unit.fail(error);
        this.active = [];
        this.queue = [];
      }
      // Let messages in between two steps.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  private dropAborted(): void {
    const aborted = (unit: Unit) => unit.kind === 'sample' && unit.job.signal?.aborted === true;
    for (const unit of this.queue) if (aborted(unit)) unit.fail((unit.job as SampleJob).signal?.reason);
    this.queue = this.queue.filter((unit) => !aborted(unit));
    const dead = this.active.flatMap((row, slot) => (aborted(row.unit) ? [slot] : []));
    for (const slot of dead) (this.active[slot] as Row).unit.fail((this.active[slot] as Row).unit.job.signal?.reason);
    this.vacate(dead);
  }

  /** Prefills waiting units of the current prefix into free rows, several at a time. */
  private async admit(): Promise<void> {
    const filling = this.active.length === 0;
    for (;;) {
      let free = this.maxRows - this.active.length;
      const candidates = this.queue.filter((unit) => unit.key === this.key);
      if (candidates.length === 0) return;
      if (!filling && this.othersWaited()) return;
      // Prefilling one row costs as much as a decoding step of all: wait until a few rows are free.
      if (!filling && free < Math.min(Math.max(4, this.maxRows / 8), this.maxRows)) return;
      candidates.sort((a, b) => a.own.length - b.own.length);
      const chosen: Unit[] = [];
      let longest = 0;
      for (const unit of candidates) {
        const rows = unit.kind === 'sample' ? unit.copies.length : 0;
        const grown = Math.max(longest, unit.own.length);
        if (rows > free || (chosen.length > 0 && grown * (chosen.length + 1) > prefillTokens)) continue;
        chosen.push(unit);
        longest = grown;
        free -= rows;
      }
      if (chosen.length === 0) return;
      const taken = new Set(chosen);
      this.queue = this.queue.filter((unit) => !taken.has(unit));
      await this.prefill(chosen, longest);
    }
  }

  /** Then the batch runs empty, and the oldest request decides what comes next. */
  private othersWaited(): boolean {
    const other = this.queue.find((unit) => unit.key !== this.key);
    return other !== undefined && performance.now() - other.since > this.patience;
  }

  private async prefixOf(unit: Unit): Promise<PrefixKv | null> {
    if (unit.prefix.length === 0) return null;
    let prefix = this.prefixes.get(unit.key);
    if (!prefix) {
      prefix = await this.decoder.computePrefix(unit.prefix, unit.job.adapter);
      if (this.prefixes.size >= prefixesKept) this.prefixes.delete(this.prefixes.keys().next().value as string);
    } else this.prefixes.delete(unit.key);
    this.prefixes.set(unit.key, prefix);
    return prefix;
  }

  private async prefill(units: Unit[], T: number): Promise<void> {
    try {
      const first = units[0] as Unit;
      const prefix = await this.prefixOf(first);
      const start = first.prefix.length;
      const tokens = units.map(({ own }) => [...own, ...new Array<number>(T - own.length).fill(0)]);
      const last = units.map(({ own }, r) => r * T + own.length - 1);
      const { hidden_M_D, newKv } = await this.decoder.run(
        tokens,
        units.map(() => start),
        last,
        first.job.adapter,
        prefix,
        null,
      );
      const D = this.decoder.config.hiddenSize;
      const fresh: Row[] = [];
      const origins: number[] = [];
      for (const [r, unit] of units.entries()) {
        if (unit.kind === 'choices') {
          unit.done(await this.decoder.choices(hidden_M_D.slice(r * D, (r + 1) * D), unit.job.choices));
          continue;
        }
        this.caches.reserve(Math.max(this.caches.capacity, unit.own.length + 1));
        for (const copy of unit.copies) {
          const slot = this.active.length + fresh.length;
          this.caches.lengths[slot] = 0;
          this.caches.append(slot, newKv, units.length, T, r, unit.own.length);
          const { seed = 0, stopAfter } = unit.job.params;
          const stopsFrom = stopAfter === undefined ? 0 : null;
          fresh.push({ unit, copy, random: new Random(`${seed}:${copy}`), tokens: [], logprobs: [], stopsFrom });
          origins.push(r);
        }
      }
      const hidden = new Float32Array(fresh.length * D);
      origins.forEach((r, i) => hidden.set(hidden_M_D.subarray(r * D, (r + 1) * D), i * D));
      this.active.push(...fresh);
      if (fresh.length > 0) await this.advance(hidden, fresh, this.active.length - fresh.length);
    } catch (error) {
      for (const unit of units) unit.fail(error);
      throw error;
    }
  }

  /** One decoding step of all active rows. */
  private async step(): Promise<void> {
    const rows = this.active;
    const prefix = await this.prefixOf((rows[0] as Row).unit);
    const shared = prefix?.length ?? 0;
    this.caches.reserve(Math.max(...rows.map((_, slot) => this.caches.lengths[slot] as number)) + 1);
    const tokens = rows.map((row) => [row.tokens.at(-1) as number]);
    const starts = rows.map((_, slot) => shared + (this.caches.lengths[slot] as number));
    const { hidden_M_D, newKv } = await this.decoder.run(
      tokens,
      starts,
      rows.map((_, r) => r),
      (rows[0] as Row).unit.job.adapter,
      prefix,
      this.caches,
    );
    rows.forEach((_, slot) => this.caches.append(slot, newKv, rows.length, 1, slot, 1));
    await this.advance(hidden_M_D, rows, 0);
  }

  /** Picks the next token of `rows` (in slots from `firstSlot` on) and lets finished rows go. */
  private async advance(hidden_M_D: Float32Array, rows: readonly Row[], firstSlot: number): Promise<void> {
    const picks = rows.map(({ unit: { job }, random }): Pick => {
      const { temperature = 1, topP = 1, topK = 0 } = job.params;
      return { uniform: random.uniform(), temperature, topP, topK };
    });
    const next = await this.decoder.pick(hidden_M_D, picks);
    const finished: number[] = [];
    rows.forEach((row, i) => {
      const { token, logprob } = next[i] as { token: number; logprob: number };
      row.tokens.push(token);
      row.logprobs.push(logprob);
      row.unit.job.onToken?.(row.copy, token);
      const stopReason = this.stopReason(row);
      if (stopReason === null) return;
      finished.push(firstSlot + i);
      row.unit.done(row.copy, { tokens: row.tokens, logprobs: row.logprobs, stopReason });
    });
    this.vacate(finished);
  }

  private stopReason(row: Row): 'stop' | 'length' | null {
    const { unit, tokens } = row;
    const { job, own, prefix } = unit;
    if (this.decoder.config.eosTokens.includes(tokens.at(-1) as number)) return 'stop';
    if (atStopString(row)) return 'stop';
    const { maxTokens } = job.params;
    const used = prefix.length + own.length + tokens.length;
    return tokens.length >= maxTokens || used >= this.decoder.config.maxPositions ? 'length' : null;
  }

  /** Frees rows; the last rows move into the holes, for active rows are the first rows of the buffer. */
  private vacate(slots: readonly number[]): void {
    for (const slot of slots.toSorted((a, b) => b - a)) {
      const last = this.active.length - 1;
      if (slot !== last) {
        this.caches.copy(last, slot);
        this.active[slot] = this.active[last] as Row;
      }
      this.active.pop();
    }
  }
}

/** Tokens in which a stop string is looked for: one that takes more of them is never found. */
const stopWindow = 32;

function atStopString(row: Row): boolean {
  const { tokens, unit } = row;
  const { decode, params } = unit.job;
  const { stop = [], stopAfter } = params;
  if (stop.length === 0 || !decode) return false;
  const from = Math.max(row.stopsFrom ?? 0, tokens.length - stopWindow);
  let tail = decode(tokens.slice(from));
  if (stopAfter !== undefined) {
    if (row.stopsFrom === null) {
      const at = tail.indexOf(stopAfter);
      if (at === -1) return false;
      row.stopsFrom = tokens.length;
      tail = tail.slice(at + stopAfter.length).trimStart();
    } else if (from === row.stopsFrom) tail = tail.trimStart();
  }
  return stop.some((text) => tail.includes(text));
}
