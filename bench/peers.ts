/** Runs the peers that are installed: TRL through Python, llama.cpp's batched benchmark. What is missing is said and left out. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../src/base/package-root.js';
import { runAndRead } from './process.js';
import { type Measurement, type Section, sizes, workload } from './workload.js';

const exec = promisify(execFile);

export interface PeerOptions {
  model: string;
  repeats: number;
  sections: readonly Section[];
  note: (message: string) => void;
}

/** Every measurement of every peer at hand for these sections. */
export async function measurePeers(options: PeerOptions): Promise<Measurement[]> {
  return [...(await measureTrl(options)), ...(await measureLlamaCpp(options))];
}

interface Timed {
  seconds: number[];
  peakGb: number;
}

async function measureTrl({ model, repeats, sections, note }: PeerOptions): Promise<Measurement[]> {
  const wanted = sections.filter((section) => section === 'sft' || section === 'grpo');
  if (wanted.length === 0) return [];
  const python = process.env['PEERS_PYTHON'] || 'python3';
  const version = await exec(python, ['-c', 'import peft, torch, transformers, trl; print(trl.__version__)']).catch(() => null);
  if (version === null) {
    note(`${python} has no torch, transformers, peft and trl: TRL is left out. Set PEERS_PYTHON to a Python that has them.`);
    return [];
  }
  const trl = `TRL ${version.stdout.trim()}`;
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
  const file = path.join(folder, 'workload.json');
  await writeFile(file, JSON.stringify(workload(model, repeats)));
  /** Null where the peer fails: that is said, and the others are measured all the same. */
  const run = async (script: string, ...more: string[]) => {
    note(`${trl}: ${script} ${more.join(' ')}`);
    try {
      return (await runAndRead(python, [path.join(packageRoot, 'bench', 'peers', script), file, ...more])) as Timed;
    } catch (error) {
      note(error instanceof Error ? error.message : String(error));
      return null;
    }
  };
  const measurements: Measurement[] = [];
  try {
    if (wanted.includes('sft')) {
      for (const precision of ['f32', 'bf16']) {
        const timed = await run('sft.py', precision);
        if (timed === null) continue;
        const { seconds, peakGb } = timed;
        const tokens = sizes.sft.sequences * sizes.sft.length;
        measurements.push({
          section: 'sft',
          who: `${trl}, ${precision}`,
          unit: 'tokens/s',
          values: seconds.map((s) => tokens / s),
          peakGb,
        });
      }
    }
    if (wanted.includes('grpo')) {
      const timed = await run('grpo.py');
      if (timed !== null)
        measurements.push({ section: 'grpo', who: `${trl}, f32`, unit: 's', values: timed.seconds, peakGb: timed.peakGb });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return measurements;
}

/** Whether a peer is named or on the PATH. Python alone says nothing: most that are there have no TRL. */
export const peersAtHand = (env: NodeJS.ProcessEnv = process.env): boolean =>
  Boolean(env['PEERS_PYTHON']) || findBatchedBench(env) !== null;

export function findBatchedBench(env: NodeJS.ProcessEnv = process.env): string | null {
  const named = env['LLAMA_BATCHED_BENCH'];
  if (named) return named;
  const program = process.platform === 'win32' ? 'llama-batched-bench.exe' : 'llama-batched-bench';
  const folders = (env['PATH'] ?? '').split(path.delimiter).filter(Boolean);
  return folders.map((folder) => path.join(folder, program)).find((file) => existsSync(file)) ?? null;
}

async function measureLlamaCpp({ model, repeats, sections, note }: PeerOptions): Promise<Measurement[]> {
  const wanted = sections.filter((section) => section === 'decode' || section === 'prefix');
  if (wanted.length === 0) return [];
  const program = findBatchedBench();
  if (program === null || !model.endsWith('.gguf')) {
    note(
      program === null
        ? 'llama-batched-bench is not on the PATH: llama.cpp is left out. bench/build-llama.sh builds it.'
        : `${model} is not a GGUF file: llama.cpp is left out.`,
    );
    return [];
  }
  const byWork = new Map<string, Measurement>();
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const section of wanted) {
      note(`llama.cpp: ${section}, ${repeat + 1} of ${repeats}`);
      for (const { batch, speed } of await batchedBench(program, model, section)) {
        const key = `${section} ${batch}`;
        const known = byWork.get(key) ?? { section, batch, who: 'llama.cpp', unit: 'tokens/s', values: [] };
        known.values.push(speed);
        byWork.set(key, known);
      }
    }
  }
  return [...byWork.values()];
}

/** Decoding speeds as the program reports them, one for each batch size. */
async function batchedBench(program: string, model: string, section: 'decode' | 'prefix'): Promise<{ batch: number; speed: number }[]> {
  const { batches, prompt, newTokens } =
    section === 'decode'
      ? { batches: sizes.decode.batches, prompt: sizes.decode.context, newTokens: sizes.decode.newTokens }
      : { batches: [sizes.prefix.batch], prompt: sizes.prefix.prefix, newTokens: sizes.prefix.newTokens };
  const cells = Math.max(...batches) * (prompt + newTokens);
  const shape = `-npp ${prompt} -ntg ${newTokens} -npl ${batches.join(',')}${section === 'prefix' ? ' -pps' : ''}`;
  const settings = `-c ${cells} -b 2048 -ub 512 -t ${availableParallelism()} --output-format jsonl`;
  const { stdout } = await exec(program, ['-m', model, ...`${shape} ${settings}`.split(' ')], { maxBuffer: 1 << 26 });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { pl: number; speed_tg: number })
    .map(({ pl, speed_tg }) => ({ batch: pl, speed: speed_tg }));
}
