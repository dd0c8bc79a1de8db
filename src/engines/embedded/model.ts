/**
 * One model in memory: weights once, a trainer, a sampler, and adapters by name. Lives in the worker thread. Trainer and sampler
 * hold graphs with weights and room for activations of their own; the one that is idle gives these back when the other begins,
 * so that the memory setting holds for the larger of the two and not for their sum.
 */
import path from 'node:path';
import { inputError, internalError } from '../../base/errors.js';
import { replaceFolder } from '../../lm/atomic-write.js';
import { openCheckpoint } from '../../lm/checkpoint.js';
import { Decoder } from '../../lm/decoder.js';
import { readModelParts } from '../../lm/model-parts.js';
import { fitLora, freshLora, type LoraParameters } from '../../lm/lora.js';
import { readAdapter, writeAdapter } from '../../lm/peft.js';
import { readAdamState, writeAdamState } from '../../lm/optimizer-state.js';
import { Sampler } from '../../lm/sampler.js';
import { createTokenizer } from '../../lm/tokenizer.js';
import { LoraTrainer, type ModelParts } from '../../lm/trainer.js';
import type { AdamParams, SampledSequence } from '../../lm/types.js';
import { freshAdam } from '../../lm/adamw.js';
import { type Calls, type EngineSettings, policyAdapter } from './protocol.js';

type Argument<Name extends keyof Calls> = Parameters<Calls[Name]>[0];

export class Model {
  private readonly trainer: LoraTrainer;
  private readonly sampler: Sampler;
  private readonly adapters = new Map<string, LoraParameters>();
  private versions = new Map<string, number>();

  private constructor(
    private readonly settings: EngineSettings,
    private readonly parts: ModelParts,
    private readonly decode: (tokens: readonly number[]) => string,
  ) {
    const session = settings.threads === undefined ? {} : { threads: settings.threads };
    const adapter = freshLora(parts.config, parts.lora, settings.seed);
    this.adapters.set(policyAdapter, adapter);
    this.trainer = new LoraTrainer(parts, adapter, settings.trainingBytes, session);
    this.sampler = new Sampler(new Decoder(parts, session), settings.maxRows, settings.patience);
  }

  static async load(settings: EngineSettings): Promise<Model> {
    const checkpoint = await openCheckpoint(settings.checkpoint);
    const { rank, alpha, targets, trained } = settings;
    const lora = { rank, alpha, targets, ...(trained && { trained }) };
    const parts = await readModelParts(checkpoint, lora);
    const tokenizer = createTokenizer(checkpoint.tokenizer);
    await checkpoint.close();
    const config = { ...parts.config, eosTokens: [...new Set([...parts.config.eosTokens, settings.endOfTurn])] };
    return new Model(settings, { ...parts, config }, (tokens) => tokenizer.decode(tokens));
  }

  private adapter(name: string): { adapter: LoraParameters; adapterVersion: string } {
    const adapter = this.adapters.get(name);
    if (!adapter) throw internalError(`adapter ${name} was not added`);
    return { adapter, adapterVersion: `${name}:${this.versions.get(name) ?? 0}` };
  }

  private changed(name: string): void {
    this.versions.set(name, (this.versions.get(name) ?? 0) + 1);
  }

  async sample(
    { adapter, stream, ...request }: Argument<'sample'>,
    signal: AbortSignal,
    onToken: (copy: number, token: number) => void,
  ): Promise<SampledSequence[]> {
    await this.trainer.releaseIdle();
    return this.sampler.sample({ ...request, ...this.adapter(adapter), signal, decode: this.decode, ...(stream && { onToken }) });
  }

  async choices({ adapter, ...request }: Argument<'choices'>): Promise<number[]> {
    await this.trainer.releaseIdle();
    return this.sampler.choices({ ...request, ...this.adapter(adapter) });
  }

  async forward({ data, adapter }: Argument<'forward'>) {
    await this.sampler.releaseIdle();
    return this.trainer.forward(data, this.adapter(adapter).adapter);
  }

  async forwardBackward({ data, loss }: Argument<'forwardBackward'>) {
    await this.sampler.releaseIdle();
    return this.trainer.forwardBackward(data, loss);
  }

  optimStep(params: AdamParams) {
    const result = this.trainer.optimStep(params);
    this.changed(policyAdapter);
    return result;
  }

  /** Writes the policy's adapter, and its optimizer state beside it; the folder appears whole or not at all. */
  async save(folder: string): Promise<void> {
    const { tensors, shape } = this.adapter(policyAdapter).adapter;
    const adapter = { r: shape.rank, alpha: shape.alpha, targets: [...shape.targets], tensors: bySite(tensors) };
    await replaceFolder(folder, async (temporary) => {
      await writeAdapter(temporary, adapter, { baseModel: path.basename(this.settings.checkpoint), dtype: 'F32' });
      await writeAdamState(path.join(temporary, 'optimizer.safetensors'), this.trainer.adam);
    });
  }

  private async read(folder: string): Promise<LoraParameters> {
    const { r, alpha, tensors } = await readAdapter(folder);
    const flat = new Map([...tensors].flatMap(([name, { A, B }]) => [[`${name}.A`, A] as const, [`${name}.B`, B] as const]));
    const given = { shape: { rank: r, alpha, targets: this.settings.targets }, tensors: flat };
    return fitLora(this.parts.config, this.parts.lora, given, folder);
  }

  /** null: a fresh adapter that changes nothing. */
  async load({ folder, optimizer }: Argument<'load'>): Promise<void> {
    const adapter = folder === null ? freshLora(this.parts.config, this.parts.lora, this.settings.seed) : await this.read(folder);
    if (optimizer && folder === null) throw inputError('a fresh adapter has no optimizer state to load');
    this.trainer.adam = optimizer && folder !== null ? await readAdamState(path.join(folder, 'optimizer.safetensors')) : freshAdam();
    this.trainer.dropGradients();
    this.trainer.adapter = adapter;
    this.adapters.set(policyAdapter, adapter);
    this.changed(policyAdapter);
  }

  async addAdapter({ name, folder }: Argument<'addAdapter'>): Promise<void> {
    this.adapters.set(name, folder === null ? freshLora(this.parts.config, this.parts.lora, 0) : await this.read(folder));
    this.changed(name);
  }
}

function bySite(tensors: ReadonlyMap<string, Float32Array>): Map<string, { A: Float32Array; B: Float32Array }> {
  const sites = new Map<string, { A: Float32Array; B: Float32Array }>();
  for (const [name, A] of tensors) {
    if (!name.endsWith('.A')) continue;
    const site = name.slice(0, -2);
    const B = tensors.get(`${site}.B`);
    if (!B) throw internalError(`${site} has A but no B`);
    sites.set(site, { A, B });
  }
  return sites;
}
