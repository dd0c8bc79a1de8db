/** Runs the sampling graph and its heads: tokens in, hidden states out, hidden states in, tokens out. */
import { Session, type SessionOptions, type TensorData } from '../tensor/session.js';
import type { LlamaConfig } from './config.js';
import { type PrefixKv, type RowCaches, toPrefix } from './kv-cache.js';
import type { LoraParameters } from './lora.js';
import { buildHead, buildSamplingGraph, type HeadKind } from './sampling-graph.js';
import type { ModelParts } from './trainer.js';
import { masked } from './training-graph.js';

/** How a row picks its next token. Temperature 0 is greedy. */
export interface Pick {
  uniform: number;
  temperature: number;
  topP: number;
  topK: number;
}

export class Decoder {
  private readonly heads = new Map<HeadKind, Promise<Session>>();
  private body: Promise<Session> | null = null;
  /** Stands in for caches that a call does not have: one masked slot. */
  private readonly blank: PrefixKv;

  constructor(
    private readonly model: ModelParts,
    private readonly options: SessionOptions = {},
  ) {
    const { kvHeads, headDim, layers } = model.config;
    const zeros = Array.from({ length: layers }, () => new Float32Array(kvHeads * headDim));
    this.blank = { length: 1, k: zeros, v: zeros };
  }

  get config(): LlamaConfig {
    return this.model.config;
  }

  private head(kind: HeadKind): Promise<Session> {
    let session = this.heads.get(kind);
    if (!session) {
      session = Session.create(buildHead(kind, this.config, this.model.head), this.options);
      this.heads.set(kind, session);
    }
    return session;
  }

  /**
   * @param tokens R rows of T tokens each (padded on the right where a row is shorter)
   * @param starts position of each row's first token
   * @param selected flat index (r · T + t) of each hidden state wanted
   * @param caches null: rows have no cache yet
   */
  async run(
    tokens: readonly (readonly number[])[],
    starts: readonly number[],
    selected: readonly number[],
    adapter: LoraParameters,
    prefix: PrefixKv | null,
    caches: RowCaches | null,
  ): Promise<{ hidden_M_D: Float32Array; newKv: Float32Array }> {
    const { config, embedding, weights, lora } = this.model;
    this.body ??= Session.create(buildSamplingGraph(config, weights, lora), this.options);
    const session = await this.body;
    const [R, T, D] = [tokens.length, tokens[0]?.length ?? 0, config.hiddenSize];
    const x = new Float32Array(R * T * D);
    const position = new BigInt64Array(R * T);
    tokens.forEach((row, r) =>
      row.forEach((token, t) => {
        x.set(embedding.subarray(token * D, (token + 1) * D), (r * T + t) * D);
        position[r * T + t] = BigInt(Math.min((starts[r] as number) + t, config.maxPositions - 1));
      }),
    );
    const newMask = new Float32Array(T * T);
    for (let t = 0; t < T; t++) newMask.fill(masked, t * T + t + 1, (t + 1) * T);
    const shared = prefix ?? this.blank;
    const C = caches?.capacity ?? 1;
    const cacheMask = new Float32Array(R * C);
    for (let r = 0; r < R; r++) cacheMask.fill(masked, r * C + (caches?.lengths[r] ?? 0), (r + 1) * C);
    const feeds = new Map<string, TensorData>([
      ['x', x],
      ['position', position],
      ['prefix_mask', new Float32Array(shared.length).fill(prefix ? 0 : masked)],
      ['cache_mask', cacheMask],
      ['new_mask', newMask],
      ['selected', BigInt64Array.from(selected, BigInt)],
    ]);
    const noCache = caches ? null : new Float32Array(R * config.kvHeads * config.headDim);
    for (let layer = 0; layer < config.layers; layer++) {
      feeds.set(`prefix_k.${layer}`, shared.k[layer] as Float32Array);
      feeds.set(`prefix_v.${layer}`, shared.v[layer] as Float32Array);
      const own = caches?.layer(layer, R);
      feeds.set(`cache_k.${layer}`, own?.k ?? (noCache as Float32Array));
      feeds.set(`cache_v.${layer}`, own?.v ?? (noCache as Float32Array));
    }
    for (const [name, tensor] of adapter.tensors) feeds.set(name, tensor);
    const bindings = { R, T, C, P: shared.length, S: shared.length + C + T, M: selected.length };
    const outputs = await session.run(feeds, bindings);
    return { hidden_M_D: outputs.get('hidden') as Float32Array, newKv: outputs.get('new_kv') as Float32Array };
  }

  /** Keys and values of a prefix, in chunks so that attention's memory stays small. */
  async computePrefix(tokens: readonly number[], adapter: LoraParameters): Promise<PrefixKv> {
    let prefix: PrefixKv | null = null;
    const chunk = 1024;
    for (let start = 0; start < tokens.length; start += chunk) {
      const part = tokens.slice(start, start + chunk);
      const { newKv } = await this.run([part], [start], [0], adapter, prefix, null);
      prefix = toPrefix(this.config, newKv, part.length, prefix);
    }
    return prefix as PrefixKv;
  }

  /** Next token of each hidden state, and its log-probability at temperature 1. */
  async pick(hidden_M_D: Float32Array, picks: readonly Pick[]): Promise<{ token: number; logprob: number }[]> {
    const D = this.config.hiddenSize;
    const kindOf = ({ temperature, topP, topK }: Pick): HeadKind =>
      temperature === 0 ? 'greedy' : topP < 1 || topK > 0 ? 'nucleus' : 'sample';
    const results = new Array<{ token: number; logprob: number }>(picks.length);
    for (const kind of ['sample', 'greedy', 'nucleus'] as const) {
      const rows = picks.flatMap((pick, m) => (kindOf(pick) === kind ? [m] : []));
      if (rows.length === 0) continue;
      const hidden = rows.length === picks.length ? hidden_M_D : new Float32Array(rows.length * D);
      if (hidden !== hidden_M_D) rows.forEach((m, i) => hidden.set(hidden_M_D.subarray(m * D, (m + 1) * D), i * D));
      const column = (value: (pick: Pick) => number) => Float32Array.from(rows, (m) => value(picks[m] as Pick));
      const feeds = new Map<string, TensorData>([
        ['hidden', hidden],
        ['uniform', column(({ uniform }) => uniform)],
        ['inverse_temperature', column(({ temperature }) => 1 / temperature)],
        ['top_p', column(({ topP }) => topP)],
        ['top_k', column(({ topK }) => (topK > 0 ? topK : 1e9))],
      ]);
      const outputs = await (await this.head(kind)).run(feeds, { M: rows.length });
      const tokens = outputs.get('token') as BigInt64Array;
      const logprobs = outputs.get('logprob') as Float32Array;
      rows.forEach((m, i) => (results[m] = { token: Number(tokens[i]), logprob: logprobs[i] as number }));
    }
    return results;
  }

  /** Log-probability of each of `choices` (token ids) as the next token, for one hidden state. */
  async choices(hidden_D: Float32Array, choices: readonly number[]): Promise<number[]> {
    const feeds = new Map<string, TensorData>([
      ['hidden', hidden_D],
      ['choice', BigInt64Array.from(choices, BigInt)],
    ]);
    const outputs = await (await this.head('choices')).run(feeds, { M: 1, C: choices.length });
    return Array.from(outputs.get('logprob') as Float32Array);
  }

  /** Gives back the graphs, with their copies of the weights and the room of the activations; the next call builds them anew. */
  async close(): Promise<void> {
    const sessions = [...this.heads.values(), ...(this.body ? [this.body] : [])];
    this.heads.clear();
    this.body = null;
    for (const session of sessions) await (await session).close();
  }
}
