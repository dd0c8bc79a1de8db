/** One LoRA model on a Tinker-compatible service: the primitives as the service has them. */
import { randomBytes } from 'node:crypto';
import { inputError } from '../../base/errors.js';
import { lossOf } from '../../lm/loss.js';
import type { AdamParams, Datum, ForwardBackwardResult, LossFunction } from '../types.js';
import { Anything, CreatedModel, datumJson, inRequests, type LossReduction, PassResult, SavedPath, StepResult } from './protocol.js';
import { type CallOptions, StateLost, type TinkerService } from './service.js';

export interface ModelSettings {
  /** As the service calls it. */
  baseModel: string;
  rank: number;
  seed: number;
  reduction: LossReduction;
  /** Never unloads: for services whose other processes are not told of it. */
  keepModels: boolean;
  /** Whether the service does a model's calls in their order: then the next is sent before the one before it is done. */
  pipelined: boolean;
}

/** Weights on the service: for training, with the optimizer's state, and for sampling and download. */
export interface SavedWeights {
  weights: string;
  sampler: string;
}

/**
 * Calls that return `{ result }` return once the service has taken the call: it does them in that order, so the next may be sent
 * before the result is there. All throw StateLost where the service has lost the model, or may have done a call or not.
 */
export class RemoteModel {
  private calls = 0;

  private constructor(
    private readonly service: TinkerService,
    private readonly settings: ModelSettings,
    readonly id: string,
  ) {}

  /** A model with a fresh LoRA: that of the seed, where the service keeps to it. */
  static async create(service: TinkerService, settings: ModelSettings): Promise<RemoteModel> {
    const session_id = await service.openSession();
    const lora_config = { rank: settings.rank, seed: settings.seed, train_attn: true, train_mlp: true, train_unembed: false };
    const body = { session_id, model_seq_id: 0, base_model: settings.baseModel, lora_config, type: 'create_model' };
    const { model_id, request_id } = await service
      .post('create_model', body, CreatedModel, { repeatable: false })
      .catch((error: unknown) => {
        if (error instanceof StateLost && /session/i.test(error.message)) service.dropSession();
        throw error;
      });
    await service.future(request_id, 'create_model', Anything);
    return new RemoteModel(service, settings, model_id);
  }

  /** Adds gradients, in as many requests as the data need. */
  async forwardBackward(data: readonly Datum[], loss: LossFunction): Promise<{ result: Promise<ForwardBackwardResult> }> {
    return this.passes('forward_backward', data, loss);
  }

  async forward(data: readonly Datum[]): Promise<ForwardBackwardResult> {
    return (await this.passes('forward', data, 'cross_entropy')).result;
  }

  /** @returns the norm of the gradient where the service tells it, else NaN */
  async optimStep(params: AdamParams): Promise<{ result: Promise<{ gradNorm: number }> }> {
    const { learningRate, beta1 = 0.9, beta2 = 0.95, eps = 1e-12, weightDecay = 0, gradClipNorm = 0 } = params;
    const adam_params = {
      learning_rate: learningRate,
      beta1,
      beta2,
      eps,
      weight_decay: weightDecay,
      // Unknown to some services, which then do not clip.
      ...(gradClipNorm > 0 && { grad_clip_norm: gradClipNorm }),
    };
    const { result } = await this.submit('optim_step', { adam_params }, StepResult);
    return { result: quiet(result.then((step) => ({ gradNorm: gradNormOf(step?.metrics ?? {}) }))) };
  }

  /** Saves for training and for sampling, under a name that no other save has. */
  async save(): Promise<SavedWeights> {
    const name = uniqueName();
    const training = await this.submit('save_weights', { path: name, type: 'save_weights' }, SavedPath);
    const sampler = await this.saveSampler(name);
    return { weights: (await training.result).path, sampler };
  }

  /** @returns the path to sample from */
  async saveSampler(name = uniqueName()): Promise<string> {
    const { result } = await this.submit('save_weights_for_sampler', { path: name, type: 'save_weights_for_sampler' }, SavedPath);
    return (await result).path;
  }

  /** The first call of a model, or the service may refuse. @throws input error when it has not these weights */
  async load(weights: string, optimizer: boolean): Promise<void> {
    try {
      const { result } = await this.submit('load_weights', { path: weights, optimizer, type: 'load_weights' }, Anything);
      await result;
    } catch (error) {
      if (!/checkpoint not found/i.test((error as Error).message)) throw error;
      throw inputError(
        `${this.service.name}: the service no longer has the weights ${weights}, and they cannot be sent to it. Do the training anew with --redo sft (the adapter itself is kept beside, as PEFT).`,
        error,
      );
    }
  }

  /** Frees its place; what was saved stays. Failure changes nothing for us: a service that restarted has no model left. */
  async unload(): Promise<void> {
    if (!this.settings.keepModels) await this.service.tell('unload_model', { model_id: this.id, type: 'unload_model' });
  }

  private async passes(
    path: 'forward' | 'forward_backward',
    data: readonly Datum[],
    loss: LossFunction,
  ): Promise<{ result: Promise<ForwardBackwardResult> }> {
    const parts: Promise<number[][]>[] = [];
    const input = path === 'forward' ? 'forward_input' : 'forward_backward_input';
    for (const part of inRequests(data)) {
      const content = { loss_fn: loss, data: part.map((datum) => datumJson(datum, loss, this.settings.reduction)) };
      const { result } = await this.submit(path, { [input]: content }, PassResult, { repeatable: path === 'forward' });
      parts.push(quiet(result.then(({ loss_fn_outputs }) => loss_fn_outputs.map(({ logprobs }) => logprobs.data))));
    }
    return { result: quiet(Promise.all(parts).then((all) => this.measured(data, loss, all.flat()))) };
  }

  /** The loss as we define it, out of the log-probabilities: services differ in what they report. */
  private measured(data: readonly Datum[], loss: LossFunction, all: readonly number[][]): ForwardBackwardResult {
    let lossSum = 0;
    const logprobs = data.map((datum, i) => {
      const given = all[i];
      if (given === undefined || given.length < datum.targets.length)
        throw new StateLost(`the service gave ${given?.length ?? 0} log-probabilities for ${datum.targets.length} targets`);
      return datum.targets.map((_, t) => {
        if (datum.weights[t] === 0) return 0;
        lossSum += lossOf(loss, datum, t, given[t]!);
        return given[t]!;
      });
    });
    return { lossSum, logprobs };
  }

  private submit<T>(path: string, body: object, read: Parameters<typeof this.service.post<T>>[2], options: CallOptions = {}) {
    return this.service.submit(path, { model_id: this.id, seq_id: ++this.calls, ...body }, read, { repeatable: false, ...options });
  }
}

/** The service keeps to one file a name. Letters that every service takes in a path. */
const uniqueName = (): string => `d-${Date.now().toString(36)}-${randomBytes(4).toString('hex')}`;

function gradNormOf(metrics: Record<string, unknown>): number {
  const found = Object.entries(metrics).find(([name]) => /grad_norm/.test(name));
  return typeof found?.[1] === 'number' ? found[1] : Number.NaN;
}

/** A promise whose failure may be looked at later. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
