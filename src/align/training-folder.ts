/** The folder of one training: metrics, checkpoints that a killed run goes on from, and a mark once it is done. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeTextAtomically } from '../base/atomic-text.js';
import { diskError } from '../base/disk-error.js';
import { inputError } from '../base/errors.js';
import { JsonlLog, readJsonl, writeJsonl } from '../base/jsonl.js';
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
   * Opens the folder; one that holds another training (its data or settings changed) is emptied. Metrics after the last
   * checkpoint are dropped, for those steps are taken again.
   */
  static async open(root: string, key: string): Promise<TrainingFolder> {
    let state = await readState(root);
    if (state === null || state.key !== key) {
      await rm(root, { recursive: true, force: true });
      state = { key, step: 0, best: null, done: false };
    }
    await mkdir(root, { recursive: true }).catch((error) => {
      throw diskError(root, error);
    });
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
  get firstMetrics(): Metrics | undefined {
    return this.metrics.records[0];
  }
  readonly adapter = () => path.join(this.root, 'adapter');
  private readonly candidate = (step: number) => path.join(this.root, `candidate-${step}`);
  private readonly checkpoint = (step: number) => path.join(this.root, `checkpoint-${step}`);

  log(metrics: Metrics): Promise<void> {
    return this.metrics.append(metrics);
  }

  /** Loads the last checkpoint with its optimizer state. @returns whether there was one */
  async resume(trainer: Trainer): Promise<boolean> {
    if (this.state.step === 0) return false;
    await trainer.load(this.checkpoint(this.state.step), { optimizer: true });
    return true;
  }

  /** The checkpoint is whole before the state names it; older ones go after that. */
  async save(trainer: Trainer, step: number, best: Best | null = null): Promise<void> {
    await trainer.save(this.checkpoint(step));
    await this.write({ ...this.state, step, best });
    await this.removeOld();
  }

  /** Saves an adapter that may turn out the best; it is one only once a state names it. */
  async saveCandidate(trainer: Trainer, step: number): Promise<void> {
    await trainer.save(this.candidate(step));
  }

  /** Ends the training. Where the best is kept, its adapter becomes the adapter; else the caller has saved it. */
  async finish(step: number, best: Best | null = null): Promise<void> {
    if (best !== null && existsSync(this.candidate(best.step))) {
      await rm(this.adapter(), { recursive: true, force: true });
      await rename(this.candidate(best.step), this.adapter());
    }
    await this.write({ ...this.state, step, best, done: true });
    await this.removeOld();
  }

  close(): Promise<void> {
    return this.metrics.close();
  }

  private async write(state: State): Promise<void> {
    await writeTextAtomically(stateFile(this.root), `${JSON.stringify(state)}\n`);
    this.state = state;
  }

  /** Removes checkpoints and candidates that the state does not name. */
  private async removeOld(): Promise<void> {
    const { done, step, best } = this.state;
    const kept = done
      ? []
      : [this.checkpoint(step), ...(best === null ? [] : [this.candidate(best.step)])].map((folder) => path.basename(folder));
    const names = (await readdir(this.root)).filter((name) => /^(checkpoint|candidate)-/.test(name) && !kept.includes(name));
    for (const name of names) await rm(path.join(this.root, name), { recursive: true, force: true });
  }
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

/** Key of the finished training in a folder, whatever it was; null when there is none. */
export async function finishedKey(root: string): Promise<string | null> {
  const state = await readState(root);
  return state?.done === true ? state.key : null;
}

/** Keeps the records up to a step. */
export async function dropAfter<T extends { step: number }>(file: string, schema: z.ZodType<T>, step: number): Promise<void> {
  const records = await readJsonl(file, schema);
  const kept = records.filter((record) => record.step <= step);
  if (kept.length < records.length) await writeJsonl(file, kept);
}
