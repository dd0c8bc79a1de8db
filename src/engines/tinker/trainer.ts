/**
 * The Tinker primitives on a service, as if it could not fail. Everything done since the weights were last saved is remembered;
 * when the service has lost the model (it was restarted, or a call's fate is unknown), a new one is made from the saved weights
 * and the same is done again.
 */
import { dependencyError } from '../../base/errors.js';
import { cutAtStop } from '../../lm/text-stream.js';
import type { ModelRenderer } from '../../lm/chat-template.js';
import type {
  AdamParams,
  ChatModel,
  Datum,
  ForwardBackwardResult,
  LossFunction,
  SampledSequence,
  SamplingParams,
  Trainer,
} from '../types.js';
import { downloadAdapter, readSavedWeights, writeAdapterFolder } from './adapter-folder.js';
import { type Ask, remoteChatModel, sampleBody, sequencesOf, type StopTokens } from './chat-model.js';
import type { SampleBody, SampleResult } from './protocol.js';
import { type ModelSettings, RemoteModel } from './remote-model.js';
import { StateLost, type TinkerService } from './service.js';

type Operation = { kind: 'pass'; data: Datum[]; loss: LossFunction } | { kind: 'step'; params: AdamParams };

/** Weights to begin from: saved ones, or a fresh LoRA. */
type Source = { path: string; optimizer: boolean } | null;

/** A model that is lost as often as this while one call is tried is lost for good. */
const mostRebuilds = 5;
/** Steps after which the weights are saved on the service by themselves, so that no more than these are done twice. */
const mostRemembered = 25;

export interface TrainerOptions {
  service: TinkerService;
  settings: ModelSettings;
  renderer: ModelRenderer;
  stops: StopTokens;
  name: string;
  say: (line: string) => void;
}

export class TinkerTrainer implements Trainer {
  readonly renderer: ModelRenderer;
  readonly policy: ChatModel;
  private queue: Promise<unknown> = Promise.resolve();
  private model: RemoteModel | null = null;
  private source: Source = null;
  private done: Operation[] = [];
  /** Where the present weights are for sampling; null where they were not saved so. */
  private sampler: string | null = null;
  private readonly sampling = new Set<Promise<unknown>>();

  constructor(private readonly options: TrainerOptions) {
    this.renderer = options.renderer;
    const { renderer, name, stops } = options;
    this.policy = remoteChatModel({ name, renderer, stops, ask: this.ask });
  }

  async sample(request: { promptTokens: number[]; n: number; params: SamplingParams; signal?: AbortSignal }): Promise<SampledSequence[]> {
    const { promptTokens, n, params, signal } = request;
    const sequences = sequencesOf(await this.ask(sampleBody(promptTokens, n, params, this.options.stops), signal));
    return params.stopAfter === undefined ? sequences : sequences.map((sequence) => cutTokens(sequence, params, this.renderer));
  }

  forward(data: Datum[]): Promise<ForwardBackwardResult> {
    return this.exclusive(() => this.withModel((model) => model.forward(data)));
  }

  forwardBackward(data: Datum[], loss: LossFunction): Promise<ForwardBackwardResult> {
    return this.exclusive(async () => {
      const result = await this.withModel(async (model) => (await model.forwardBackward(data, loss)).result);
      this.done.push({ kind: 'pass', data, loss });
      return result;
    });
  }

  optimStep(params: AdamParams): Promise<{ gradNorm: number }> {
    return this.changing(async () => {
      const result = await this.withModel(async (model) => (await model.optimStep(params)).result);
      await this.stepped({ kind: 'step', params });
      return result;
    });
  }

  /** Both in one go: where the service keeps the order, the step is on its way before the gradients are back. */
  trainStep(data: Datum[], loss: LossFunction, params: AdamParams): Promise<ForwardBackwardResult & { gradNorm: number }> {
    return this.changing(async () => {
      const result = await this.withModel(async (model) => {
        const pass = await model.forwardBackward(data, loss);
        if (!this.options.settings.pipelined) await pass.result;
        const step = await model.optimStep(params);
        const [measured, { gradNorm }] = await Promise.all([pass.result, step.result]);
        return { ...measured, gradNorm };
      });
      await this.stepped({ kind: 'pass', data, loss }, { kind: 'step', params });
      return result;
    });
  }

  /** The adapter comes back as PEFT; the optimizer's state stays on the service, and the folder names it. */
  save(folder: string): Promise<void> {
    return this.exclusive(async () => {
      const { service, settings } = this.options;
      const { saved, files } = await this.withModel(async (model) => {
        const saved = await model.save();
        return { saved, files: await downloadAdapter(service, saved.sampler) };
      });
      this.savedTo(saved);
      await writeAdapterFolder(folder, files, { service: service.name, baseModel: settings.baseModel, ...saved });
    });
  }

  /** Into another model: services take weights as the first call of a model alone. */
  load(folder: string, { optimizer = false }: { optimizer?: boolean } = {}): Promise<void> {
    return this.changing(async () => {
      const { weights } = await readSavedWeights(folder);
      this.begin({ path: weights, optimizer });
      await this.abandon();
      await this.withModel(async () => undefined);
    });
  }

  /** Back to a fresh LoRA, which changes nothing. */
  reset(): Promise<void> {
    return this.changing(async () => {
      this.begin(null);
      await this.abandon();
    });
  }

  async close(): Promise<void> {
    await this.exclusive(() => this.abandon());
  }

  /** Samples of the policy as it is when its turn comes; a step waits until they are there. */
  private readonly ask: Ask = async (body: SampleBody, signal?: AbortSignal): Promise<SampleResult> => {
    for (let attempt = 1; ; attempt++) {
      // Begun within the turn, so that nothing can change the weights between their save and the request.
      const { path, sampled } = await this.exclusive(async () => {
        const path = await this.withModel(async (model) => (this.sampler ??= await model.saveSampler()));
        return { path, sampled: this.counted(this.options.service.sample({ model_path: path }, body, { signal })) };
      });
      try {
        return await sampled;
      } catch (error) {
        if (!(error instanceof StateLost)) throw error;
        if (attempt === mostRebuilds) throw lostForGood(this.options.service, error);
        await this.exclusive(async () => {
          if (this.sampler === path) await this.lost(error);
        });
      }
    }
  };

  private counted<T>(promise: Promise<T>): Promise<T> {
    const settled = promise.then(
      () => undefined,
      () => undefined,
    );
    this.sampling.add(settled);
    void settled.then(() => this.sampling.delete(settled));
    return promise;
  }

  /** One after the other, in the order of the calls. */
  private exclusive<T>(work: () => Promise<T>): Promise<T> {
    const next = this.queue.then(work);
    this.queue = next.catch(() => undefined);
    return next;
  }

  /**
   * For what changes the weights. SkyRL tx samples in the place of the model that trains, so samples of earlier weights must be
   * there before: else they would put those weights back.
   */
  private changing<T>(work: () => Promise<T>): Promise<T> {
    return this.exclusive(async () => {
      await Promise.all(this.sampling);
      return work();
    });
  }

  private async stepped(...operations: Operation[]): Promise<void> {
    this.done.push(...operations);
    this.sampler = null;
    if (this.done.filter(({ kind }) => kind === 'step').length >= mostRemembered)
      this.savedTo(await this.withModel((model) => model.save()));
  }

  /** Gradients that wait for a step are in no save. */
  private savedTo({ weights, sampler }: { weights: string; sampler: string }): void {
    const lastStep = this.done.findLastIndex(({ kind }) => kind === 'step');
    this.source = { path: weights, optimizer: true };
    this.done = this.done.slice(lastStep + 1);
    this.sampler = sampler;
  }

  private begin(source: Source): void {
    this.source = source;
    this.done = [];
    this.sampler = null;
  }

  private async withModel<T>(work: (model: RemoteModel) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work(await this.ready());
      } catch (error) {
        if (!(error instanceof StateLost)) {
          // What the service did of it is not known: the next call begins from what is.
          await this.abandon();
          throw error;
        }
        if (attempt === mostRebuilds) throw lostForGood(this.options.service, error);
        await this.lost(error);
      }
    }
  }

  private async lost(error: StateLost): Promise<void> {
    const steps = this.done.filter(({ kind }) => kind === 'step').length;
    this.options.say(`${this.options.service.name}: ${error.message}. The policy is made again; steps done anew: ${steps}.`);
    await this.abandon();
  }

  /** The model, made again from what is remembered where there is none. */
  private async ready(): Promise<RemoteModel> {
    if (this.model !== null) return this.model;
    const { service, settings } = this.options;
    const model = await RemoteModel.create(service, settings);
    try {
      if (this.source !== null) await model.load(this.source.path, this.source.optimizer);
      const results: Promise<unknown>[] = [];
      for (const operation of this.done) {
        const { result } =
          operation.kind === 'pass' ? await model.forwardBackward(operation.data, operation.loss) : await model.optimStep(operation.params);
        if (!settings.pipelined) await result;
        results.push(result);
      }
      await Promise.all(results);
    } catch (error) {
      await model.unload();
      throw error;
    }
    this.model = model;
    return model;
  }

  private async abandon(): Promise<void> {
    const { model } = this;
    this.model = null;
    this.sampler = null;
    await model?.unload();
  }
}

const lostForGood = (service: TinkerService, error: StateLost) =>
  dependencyError(
    `${service.name}: ${error.message}, ${mostRebuilds} times in a row. Look into its log, then run the same command again: what was made is kept.`,
    error,
  );

/** The sample up to the token that completes a stop string. */
function cutTokens(sequence: SampledSequence, { stop = [], stopAfter }: SamplingParams, renderer: ModelRenderer): SampledSequence {
  const cut = (length: number) => {
    const text = renderer.decode(sequence.tokens.slice(0, length));
    return cutAtStop(text, stop, stopAfter).length < text.length;
  };
  const length = sequence.tokens.findIndex((_, i) => cut(i + 1)) + 1;
  if (length === 0) return sequence;
  return { tokens: sequence.tokens.slice(0, length), logprobs: sequence.logprobs.slice(0, length), stopReason: 'stop' };
}
