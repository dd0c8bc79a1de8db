/** Adapters that training saved, as models that do not change: each in a place of its own on the service. */
import { dependencyError } from '../../base/errors.js';
import type { Datum } from '../types.js';
import { readSavedWeights } from './adapter-folder.js';
import type { SampleBody, SampleResult } from './protocol.js';
import { type ModelSettings, RemoteModel } from './remote-model.js';
import { StateLost, type TinkerService } from './service.js';

interface Frozen {
  opening: Promise<{ model: RemoteModel; path: string }>;
  /** Calls under way. */
  active: number;
}

/** As many stay loaded; beyond it the one that was idle longest goes. */
const mostLoaded = 3;
const mostTries = 5;

export class FrozenModels {
  /** The one that was used last comes last. */
  private readonly loaded = new Map<string, Frozen>();

  constructor(
    private readonly service: TinkerService,
    private readonly settings: ModelSettings,
  ) {}

  sample(folder: string, body: SampleBody, signal?: AbortSignal): Promise<SampleResult> {
    return this.withModel(folder, ({ path }) => this.service.sample({ model_path: path }, body, { signal }));
  }

  async logprobs(folder: string, data: readonly Datum[]): Promise<number[][]> {
    return (await this.withModel(folder, ({ model }) => model.forward(data))).logprobs;
  }

  /** Loads it where it is not loaded. @throws input error when the folder or the service has not its weights */
  async open(folder: string): Promise<void> {
    await this.withModel(folder, async () => undefined);
  }

  async close(): Promise<void> {
    const all = [...this.loaded.values()];
    this.loaded.clear();
    await Promise.all(all.map(unload));
  }

  private async withModel<T>(folder: string, work: (opened: { model: RemoteModel; path: string }) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const frozen = this.loaded.get(folder) ?? { opening: this.load(folder), active: 0 };
      this.loaded.delete(folder);
      this.loaded.set(folder, frozen);
      frozen.active++;
      try {
        return await work(await frozen.opening);
      } catch (error) {
        if (this.loaded.get(folder) === frozen && (error instanceof StateLost || !(await isOpen(frozen)))) this.loaded.delete(folder);
        if (!(error instanceof StateLost)) throw error;
        if (attempt === mostTries)
          throw dependencyError(
            `${this.service.name}: ${error.message}, ${mostTries} times in a row. Look into its log, then run the same command again.`,
            error,
          );
      } finally {
        frozen.active--;
        await this.makeRoom();
      }
    }
  }

  private async load(folder: string): Promise<{ model: RemoteModel; path: string }> {
    const { weights } = await readSavedWeights(folder);
    const model = await RemoteModel.create(this.service, this.settings);
    try {
      await model.load(weights, false);
      return { model, path: await model.saveSampler() };
    } catch (error) {
      await model.unload();
      throw error;
    }
  }

  private async makeRoom(): Promise<void> {
    for (const [folder, frozen] of this.loaded) {
      if (this.loaded.size <= mostLoaded) return;
      if (frozen.active > 0) continue;
      this.loaded.delete(folder);
      await unload(frozen);
    }
  }
}

const isOpen = ({ opening }: Frozen): Promise<boolean> =>
  opening.then(
    () => true,
    () => false,
  );

async function unload({ opening }: Frozen): Promise<void> {
  const opened = await opening.catch(() => null);
  await opened?.model.unload();
}
