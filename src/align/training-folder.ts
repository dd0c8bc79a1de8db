/** The folder of one training: metrics, checkpoints that a killed run goes on from, and a mark once it is done. */
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeTextAtomically } from '../base/atomic-text.js';
import { diskError } from '../base/disk-error.js';
import { inputError } from '../base/errors.js';
import { JsonlLog, readJsonl } from '../base/jsonl.js';
import { makeFolder } from '../base/make-folder.js';
import type { Trainer } from '../engines/types.js';

const Metrics = z.looseObject({ step: z.int() });
export type Metrics = z.infer<typeof Metrics>;

/** The adapter kept so far, where training keeps the best and not the last. */
const Best = z.strictObject({ step: z.int(), score: z.number() });
export type Best = z.infer<typeof Best>;

const State = z.strictObject({
  /** Hash of all that the training depends on: data, settings, start. */
  key: z.string(),
  /** Optimizer steps taken when the checkpoint was written. */
  step: z.int(),
  best: Best.nullable(),
  done: z.boolean(),
});
type State = z.infer<typeof State>;

export class TrainingFolder {
  private constructor(
    readonly root: string,
    private state: State,
    private readonly metrics: JsonlLog<Metrics>,
  ) {}

  /**
   * Opens the folder; one that holds another training (its data or settings changed), or not what its state names, is emptied.
   * What a killed process had not yet put in order is put in order. Metrics after the last checkpoint are dropped, for those steps
   * are taken again.
   */
  static async open(root: string, key: string): Promise<TrainingFolder> {
    let state = await readState(root);
    if (state === null || state.key !== key || !isThere(root, state)) {
      await removeTraining(root);
      state = { key, step: 0, best: null, done: false };
    }
    await makeFolder(root);
    await settle(root, state);
    const file = path.join(root, 'metrics.jsonl');
    const { step } = state;
    await dropAfter(file, Metrics, step);
    return new TrainingFolder(root, state, await JsonlLog.open(file, Metrics));
  }

  get done(): boolean {
    return this.state.done;
  }
  /** Steps that need not be taken again. */
  get step(): number {
    return this.state.step;
  }
  get best(): Best | null {
    return this.state.best;
  }
  /** Of the first optimizer step. */
  get firstMetrics(): Metrics | undefined {
    return this.metrics.records.find(({ step }) => step > 0);
  }
  readonly adapter = () => path.join(this.root, adapter);

  log(metrics: Metrics): Promise<void> {
    return this.metrics.append(metrics);
  }

  /** Logs what was measured before the first step, once: a training that was killed before its first checkpoint measures it again. */
  async logStart(metrics: Omit<Metrics, 'step'>): Promise<void> {
    if (this.metrics.records.every(({ step }) => step > 0)) await this.log({ step: 0, ...metrics });
  }

  /** Loads the last checkpoint with its optimizer state. @returns whether there was one */
  async resume(trainer: Trainer): Promise<boolean> {
    if (this.state.step === 0) return false;
    await trainer.load(path.join(this.root, checkpoint(this.state.step)), { optimizer: true });
    return true;
  }

  /** The checkpoint is whole before the state names it; older ones go after that. */
  async save(trainer: Trainer, step: number, best: Best | null = null): Promise<void> {
    await trainer.save(path.join(this.root, checkpoint(step)));
    await this.write({ ...this.state, step, best });
  }

  /** Saves an adapter that may turn out the best; it is one only once a state names it. */
  async saveCandidate(trainer: Trainer, step: number): Promise<void> {
    await trainer.save(path.join(this.root, candidate(step)));
  }

  /** Ends the training. Where the best is kept, its adapter becomes the adapter; else the caller has saved it. */
  finish(step: number, best: Best | null = null): Promise<void> {
    return this.write({ ...this.state, step, best, done: true });
  }

  close(): Promise<void> {
    return this.metrics.close();
  }

  /** The state is what counts from the instant that its file is there; the folder follows, now or when it is next opened. */
  private async write(state: State): Promise<void> {
    await writeTextAtomically(stateFile(this.root), `${JSON.stringify(state)}\n`);
    this.state = state;
    await settle(this.root, state);
  }
}

/** The norm of a gradient as metrics hold it: null where the engine does not tell it. */
export const knownNorm = (gradNorm: number): number | null => (Number.isNaN(gradNorm) ? null : gradNorm);

const adapter = 'adapter';
const candidate = (step: number) => `candidate-${step}`;
const checkpoint = (step: number) => `checkpoint-${step}`;

/** Folders with weights that a state names, whole or to be made whole by `settle`. */
const named = ({ done, step, best }: State): string[] =>
  done ? [adapter] : [...(step === 0 ? [] : [checkpoint(step)]), ...(best === null ? [] : [candidate(best.step)])];

const isBestToCome = (root: string, { done, best }: State): boolean =>
  done && best !== null && existsSync(path.join(root, candidate(best.step)));

const isThere = (root: string, state: State): boolean =>
  isBestToCome(root, state) || named(state).every((name) => existsSync(path.join(root, name)));

/** Folders with weights, under their own names and under those that they have while they are written. */
const weights = /^\.?(?:adapter|checkpoint-\d+|candidate-\d+)(?:\.|$)/;

/** Makes the best candidate of a finished training its adapter, and removes all weights that the state does not name. */
async function settle(root: string, state: State): Promise<void> {
  const kept = named(state);
  try {
    if (isBestToCome(root, state)) {
      await rm(path.join(root, adapter), { recursive: true, force: true });
      await rename(path.join(root, candidate(state.best!.step)), path.join(root, adapter));
    }
    for (const name of await readdir(root))
      if (weights.test(name) && !kept.includes(name)) await rm(path.join(root, name), { recursive: true, force: true });
  } catch (error) {
    throw diskError(root, error);
  }
}

/** Removes a training. Its state goes first: without one, what is left after a kill counts for nothing. */
export async function removeTraining(root: string): Promise<void> {
  await rm(stateFile(root), { force: true });
  await rm(root, { recursive: true, force: true });
}

const stateFile = (root: string) => path.join(root, 'training.json');

async function readState(root: string): Promise<State | null> {
  const text = await readFile(stateFile(root), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw diskError(stateFile(root), error);
  });
  if (text === null) return null;
  try {
    return State.parse(JSON.parse(text));
  } catch (error) {
    throw inputError(
      `${stateFile(root)}: is not what this program wrote. Remove the folder ${root}; the training is then done anew.`,
      error,
    );
  }
}

/** Key of the finished training in a folder, whatever it was; null when there is none, or it was killed before its adapter got its name. */
export async function finishedKey(root: string): Promise<string | null> {
  const state = await readState(root);
  return state?.done === true && existsSync(path.join(root, adapter)) ? state.key : null;
}

/** Keeps the records up to a step, each line as it was written. */
export async function dropAfter<T extends { step: number }>(file: string, schema: z.ZodType<T>, step: number): Promise<void> {
  const records = await readJsonl(file, schema);
  if (records.every((record) => record.step <= step)) return;
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw diskError(file, error);
  });
  // A torn end comes behind the whole lines.
  const lines = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, records.length);
  await writeTextAtomically(file, lines.flatMap((line, i) => (records[i]!.step <= step ? [`${line}\n`] : [])).join(''));
}
