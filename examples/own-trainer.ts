/**
 * An engine of your own, training included. The policy here is no language model but a table: replies, each with a weight. It shows
 * all that the method asks of a trainer: sample with log-probabilities, take the gradient of a loss, step, save, load.
 * Over a cluster of yours these are calls; docs/TINKER.md has an engine that is driven in this way.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  run,
  type AdamParams,
  type ChatModel,
  type ChatRequest,
  type Datum,
  type ForwardBackwardResult,
  type LibraryRun,
  type LossFunction,
  type Renderer,
  type SampledSequence,
  type Trainer,
  type Workbench,
} from 'deliberate';

/** A whole completion, and the log of its weight: its probability is the softmax over all of the table. */
interface Reply {
  text: string;
  logit: number;
}

/** Logit of what is new to the table. */
const unknown = -2;

/** Between 0 and 1, the same for the same seed: a run that was stopped goes on as it would have. */
const uniform = (...seed: unknown[]): number => createHash('sha256').update(JSON.stringify(seed)).digest().readUInt32BE(0) / 2 ** 32;

const logSumExp = (values: readonly number[]): number => {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
};

export class TableTrainer implements Trainer {
  private gradient: number[] = [];
  private sequences = 0;
  readonly replies: Reply[] = [];
  readonly policy: ChatModel;

  /** @param renderer turns conversations into the tokens of your model and back; here that of another engine */
  constructor(
    readonly renderer: Renderer,
    replies: readonly Reply[],
  ) {
    this.reset(replies);
    this.policy = tableModel('policy', () => this.replies);
  }

  /** Log-probability of a reply. */
  logprob(i: number): number {
    return (this.replies[i]?.logit ?? Number.NaN) - logSumExp(this.replies.map(({ logit }) => logit));
  }

  async sample({ promptTokens, n, params }: Parameters<Trainer['sample']>[0]): Promise<SampledSequence[]> {
    return Array.from({ length: n }, (_, sample) => {
      const i = choose(this.replies, params.temperature ?? 1, uniform(params.seed ?? 0, sample, promptTokens));
      const tokens = this.renderer.completionTokens(this.replies[i]!.text);
      // The first token decides, what follows is certain.
      return { tokens, logprobs: tokens.map((_token, t) => (t === 0 ? this.logprob(i) : 0)), stopReason: 'stop' as const };
    });
  }

  async forward(data: Datum[]): Promise<ForwardBackwardResult> {
    return this.pass(data, 'cross_entropy', () => undefined);
  }

  async forwardBackward(data: Datum[], loss: LossFunction): Promise<ForwardBackwardResult> {
    this.sequences += data.length;
    return this.pass(data, loss, (i, slope) => {
      // Of log softmax: one at the reply itself, less each reply's probability.
      this.replies.forEach((_, k) => {
        this.gradient[k] = (this.gradient[k] ?? 0) + slope * ((k === i ? 1 : 0) - Math.exp(this.logprob(k)));
      });
    });
  }

  /** @param onSlope given the reply and the slope of the loss by its log-probability */
  private pass(data: readonly Datum[], loss: LossFunction, onSlope: (reply: number, slope: number) => void): ForwardBackwardResult {
    let lossSum = 0;
    const logprobs = data.map((datum) => {
      const first = datum.weights.findIndex((weight) => weight !== 0);
      if (first === -1) return datum.targets.map(() => 0);
      const i = this.find(this.renderer.decode(datum.targets.slice(first)));
      const logprob = this.logprob(i);
      const weight = datum.weights[first] ?? 0;
      const ratio = Math.exp(logprob - (datum.logprobs?.[first] ?? logprob));
      const value = loss === 'cross_entropy' ? logprob : ratio * (datum.advantages?.[first] ?? 0);
      const slope = loss === 'cross_entropy' ? 1 : value;
      lossSum -= weight * value;
      onSlope(i, -weight * slope);
      return datum.targets.map((_, t) => (t === first ? logprob : 0));
    });
    return { lossSum, logprobs };
  }

  /** What it is taught and does not know becomes a reply of its own, with little weight. */
  private find(text: string): number {
    const plain = text.trim();
    const i = this.replies.findIndex((reply) => reply.text === plain);
    return i === -1 ? this.replies.push({ text: plain, logit: unknown }) - 1 : i;
  }

  /** Steps of a fixed length: a table needs longer ones than a network. */
  async optimStep({ learningRate }: AdamParams): Promise<{ gradNorm: number }> {
    const gradient = this.gradient.map((value) => value / Math.max(1, this.sequences));
    const gradNorm = Math.hypot(...gradient);
    if (gradNorm > 0) this.replies.forEach((reply, k) => (reply.logit -= (1000 * learningRate * (gradient[k] ?? 0)) / gradNorm));
    this.gradient = [];
    this.sequences = 0;
    return { gradNorm };
  }

  /** Whole or not at all: a process may end at any instant. */
  async save(folder: string): Promise<void> {
    await rm(`${folder}.new`, { recursive: true, force: true });
    await mkdir(`${folder}.new`, { recursive: true });
    await writeFile(path.join(`${folder}.new`, 'table.json'), JSON.stringify(this.replies));
    await rm(folder, { recursive: true, force: true });
    await rename(`${folder}.new`, folder);
  }

  async load(folder: string): Promise<void> {
    this.reset(await readTable(folder));
  }

  reset(replies: readonly Reply[]): void {
    this.replies.splice(0, this.replies.length, ...replies.map((reply) => ({ ...reply })));
    this.gradient = [];
    this.sequences = 0;
  }

  async close(): Promise<void> {}
}

const readTable = async (folder: string): Promise<Reply[]> =>
  JSON.parse(await readFile(path.join(folder, 'table.json'), 'utf8')) as Reply[];

/** @returns the number of a reply; the likeliest at temperature 0 */
function choose(replies: readonly Reply[], temperature: number, random: number): number {
  const logits = replies.map(({ logit }) => logit);
  if (temperature === 0) return logits.indexOf(Math.max(...logits));
  const total = logSumExp(logits.map((logit) => logit / temperature));
  let sum = 0;
  const i = logits.findIndex((logit) => (sum += Math.exp(logit / temperature - total)) > random);
  return i === -1 ? logits.length - 1 : i;
}

const tableModel = (name: string, replies: () => readonly Reply[]): ChatModel => ({
  name,
  async chat({ messages, n = 1, temperature = 1, seed = 0 }: ChatRequest) {
    const choices = Array.from({ length: n }, (_, sample) => {
      const { text } = replies()[choose(replies(), temperature, uniform(seed, sample, messages))]!;
      return { text, stopReason: 'stop' as const, tokens: Math.ceil(text.length / 4) };
    });
    return { choices, usage: { promptTokens: 0, completionTokens: choices.reduce((sum, { tokens }) => sum + tokens, 0) } };
  },
});

/** Another engine's workbench for G_base, which generates and judges; the policy is the table. */
export function tableWorkbench(bench: Workbench, replies: readonly Reply[]): Workbench {
  const trainer = new TableTrainer(bench.trainer.renderer, replies);
  return {
    base: () => bench.base(),
    trainer,
    resetPolicy: async () => trainer.reset(replies),
    tuned: async (folder) => {
      const table = await readTable(folder);
      return tableModel('table', () => table);
    },
    countTokens: (text) => bench.countTokens(text),
    // Of all that the policy begins as: another table is another run.
    digests: { model: createHash('sha256').update(JSON.stringify(replies)).digest('hex').slice(0, 16), adapter: 'none' },
    concurrency: bench.concurrency,
    layout: bench.layout,
    close: () => bench.close(),
  };
}

export const alignTable = (given: LibraryRun & { engine: Workbench }, replies: readonly Reply[]) =>
  run({ ...given, engine: tableWorkbench(given.engine, replies) });
