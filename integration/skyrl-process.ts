/** The real SkyRL tx as processes that may be killed: its API, the engine that the API starts, and further JAX processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { freePort } from './proof.js';

/** JAX processes, as the scripts say. */
export const processes = Number(process.env['SKYRL_PROCESSES'] ?? 1);

export interface SkyrlOptions {
  /** Where compiled kernels and the log are kept. */
  home: string;
  /** Where checkpoints and the database are: they outlive a kill. */
  state: string;
  /** Checkpoint folder; the service knows the model by this name. */
  model: string;
  adapters: number;
  rank: number;
  /** Sequences that are sampled together. */
  rows: number;
  share?: keyof typeof sharding;
}

/**
 * What several processes do with a model: share out its sequences and send each other all weights for each token, which takes
 * seconds a token at 135M on two cores; or hold it whole each (the axis of experts, of which a dense model has none).
 */
const sharding = {
  sequences: { fully_sharded_data_parallel_size: processes },
  nothing: { expert_parallel_size: processes },
};

export class SkyrlService {
  private members: ChildProcess[] = [];

  private constructor(
    private readonly options: SkyrlOptions,
    private readonly port: number,
  ) {}

  /** Returns at once: whoever asks waits until it answers. */
  static async start(options: SkyrlOptions): Promise<SkyrlService> {
    const service = new SkyrlService(options, await freePort());
    process.once('exit', () => service.signal());
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
    await service.again();
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it under the same address with what it had saved. */
  async again(): Promise<void> {
    const { state, model, adapters, rank, rows, share = 'sequences' } = this.options;
    mkdirSync(state, { recursive: true });
    const coordinator = `127.0.0.1:${await freePort()}`;
    const backend = {
      max_lora_adapters: adapters,
      max_lora_rank: rank,
      sample_max_num_sequences: rows,
      // One shape for every number of sequences.
      train_micro_batch_size: 1,
      ...(processes > 1 && { coordinator_address: coordinator, num_processes: processes, ...sharding[share] }),
    };
    const where = ['--host', '127.0.0.1', '--port', String(this.port), '--checkpoints-base', path.join(state, 'checkpoints')];
    const database = ['--database-url', `sqlite:///${path.join(state, 'tinker.db')}`];
    const served = ['--base-model', model, '--backend', 'jax', '--backend-config', JSON.stringify(backend)];
    // The first process is the engine of the API; the others wait for what it tells them.
    this.members = [this.python('tx.tinker.api', ...served, ...where, ...database)];
    for (let id = 1; id < processes; id++) {
      const place = ['--coordinator-address', coordinator, '--num-processes', String(processes), '--process-id', String(id)];
      this.members.push(this.python('tx.tinker.backends.jax', ...place));
    }
  }

  /** SIGKILL to all of it: nothing is flushed or answered. */
  async kill(): Promise<void> {
    const gone = this.members
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      .map((one) => once(one, 'exit'));
    this.signal();
    await Promise.all(gone);
  }

  private signal(): void {
    for (const { pid, exitCode, signalCode } of this.members) {
      if (pid === undefined) continue;
      try {
        process.kill(-pid, 'SIGKILL');
      } catch (error) {
        // The group may have ended by itself.
        if (exitCode === null && signalCode === null && (error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  /** A group of its own, with which the API's engine goes as well. */
  private python(module: string, ...args: string[]): ChildProcess {
    const log = openSync(path.join(this.options.home, 'service.log'), 'a');
    const env = {
      ...process.env,
      JAX_PLATFORMS: 'cpu',
      JAX_COMPILATION_CACHE_DIR: path.join(this.options.home, 'compiled'),
      HF_HUB_OFFLINE: '1',
    };
    return spawn('python', ['-m', module, ...args], { detached: true, stdio: ['ignore', log, log], env });
  }
}
