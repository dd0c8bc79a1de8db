/** The machine that the figures belong to, and how fast a bare matrix product runs on it through the same runtime. */
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { Graph } from '../src/tensor/graph.js';
import { Session } from '../src/tensor/session.js';
import { median } from './workload.js';

export interface Machine {
  cpu: string;
  /** Widest vector instructions, which decide how fast f32 kernels are: AVX-512, AVX2, or unknown. */
  vectors: string;
  cores: number;
  memoryGb: number;
  node: string;
  /** f32 matrix product [1024, 2048] · [2048, 2048]. */
  gflops: number;
}

export async function describeMachine(): Promise<Machine> {
  const [rows, size] = [1024, 2048];
  const graph = new Graph();
  const x = graph.input('x', 'float32', [rows, size]);
  graph.output(graph.apply('linear', [x, graph.weight('w', new Float32Array(size * size).fill(0.5), [size, size])]), 'y');
  const session = await Session.create(graph);
  const feeds = new Map([['x', new Float32Array(rows * size).fill(0.25)]]);
  const gflops: number[] = [];
  for (let run = 0; run < 12; run++) {
    const start = performance.now();
    await session.run(feeds, {});
    if (run > 1) gflops.push((2 * rows * size * size) / ((performance.now() - start) * 1e6));
  }
  await session.close();
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    vectors: await vectorInstructions(),
    cores: os.availableParallelism(),
    memoryGb: os.totalmem() / 1e9,
    node: process.version,
    gflops: median(gflops),
  };
}

/** A virtual machine may hide what its processor has, so the name of the processor does not tell. */
async function vectorInstructions(): Promise<string> {
  const flags = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  if (/\bavx512f\b/.test(flags)) return 'AVX-512';
  return /\bavx2\b/.test(flags) ? 'AVX2' : 'unknown';
}

export const machineLine = ({ cpu, vectors, cores, memoryGb, node, gflops }: Machine): string =>
  `${cpu} (${vectors}), ${cores} cores, ${memoryGb.toFixed(0)} GB, Node ${node}; a bare f32 matrix product runs at ${gflops.toFixed(0)} GFLOP/s`;
