/** The only importer of onnxruntime-node. Sessions compute synchronously inside `run`: keep them in a worker thread. */
import * as ort from 'onnxruntime-node';
import { dependencyError, internalError } from '../base/errors.js';
import type { Bindings } from './dims.js';
import { evaluate } from './dims.js';
import type { Graph } from './graph.js';
import { weightsFile, writeOnnx } from './onnx.js';

export interface SessionOptions {
  /** Kernel threads; default: the machine's cores. */
  threads?: number;
  /** Keep packed copies of the weights (faster small matrices, twice the memory). */
  prepack?: boolean;
  /** Write a profile with this file prefix. */
  profile?: string;
}

export type TensorData = Float32Array | BigInt64Array;

export class Session {
  private constructor(
    private readonly graph: Graph,
    private readonly session: ort.InferenceSession,
  ) {}

  /** @throws dependency error when the runtime refuses the graph or memory is short */
  static async create(graph: Graph, options: SessionOptions = {}): Promise<Session> {
    const { model, weights } = writeOnnx(graph);
    try {
      const session = await ort.InferenceSession.create(model, {
        executionProviders: ['cpu'],
        ...(weights.byteLength > 0 ? { externalData: [{ path: weightsFile, data: weights }] } : {}),
        ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
        graphOptimizationLevel: 'all',
        enableMemPattern: false,
        logSeverityLevel: 3,
        extra: { session: { disable_prepacking: options.prepack === false ? '1' : '0' } },
        ...(options.profile ? { enableProfiling: true, profileFilePrefix: options.profile } : {}),
      });
      return new Session(graph, session);
    } catch (cause) {
      throw dependencyError(
        `ONNX Runtime could not prepare a model of ${graph.nodes.length} nodes and ${(weights.byteLength / 2 ** 20).toFixed(0)} MB of weights: ${String(cause)}. If memory is short, set engine.memoryGb lower or choose a smaller model.`,
        cause,
      );
    }
  }

  /**
   * @param feeds data of every graph input, in its shape under `bindings`; not copied
   * @returns data of every output by name, each a fresh array
   */
  async run(feeds: ReadonlyMap<string, TensorData>, bindings: Bindings): Promise<Map<string, TensorData>> {
    const tensors: Record<string, ort.Tensor> = {};
    for (const input of this.graph.inputs) {
      const data = feeds.get(input.name);
      const shape = input.shape.map((dim) => evaluate(dim, bindings));
      const size = shape.reduce((a, b) => a * b, 1);
      if (!data || data.length !== size) {
        throw internalError(`input ${input.name} needs ${size} elements [${shape.join(', ')}], got ${data?.length ?? 'none'}`);
      }
      tensors[input.name] = new ort.Tensor(data as Float32Array, shape);
    }
    for (const [name, values] of this.graph.dimFeeds(bindings)) tensors[name] = new ort.Tensor('int64', values, [values.length]);
    let outputs: ort.InferenceSession.ReturnType;
    try {
      outputs = await this.session.run(tensors);
    } catch (cause) {
      throw dependencyError(
        `ONNX Runtime failed on ${JSON.stringify(bindings)}: ${String(cause)}. If it speaks of memory, set engine.memoryGb lower.`,
        cause,
      );
    }
    return new Map(this.graph.outputs.map(({ name }) => [name, outputs[name]?.data as TensorData]));
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}
