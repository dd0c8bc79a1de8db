/**
 * Trains a tiny model on a real SkyRL tx through the Tinker engine, and checks it against the embedded engine:
 * log-probabilities before training, the adapter that comes back, samples, the end of the server within a training.
 * Started by integration/skyrl.sh.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEmbeddedEngine } from '../src/engines/embedded/index.js';
import { openTinkerWorkbench } from '../src/engines/tinker/index.js';
import type { Datum } from '../src/engines/types.js';
import { writeSpellingModel } from '../src/lm/spelling-model.js';

const port = 8123;
const say = (line: string) => void process.stdout.write(`${line}\n`);
const home = path.resolve(process.argv[2] ?? '.cache/skyrl');

/** What its transformers (4.57) wants to find. */
async function makeModel(folder: string): Promise<void> {
  await writeSpellingModel(folder, 'llama-tied');
  const file = path.join(folder, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ rope_theta: 10000, ...config, torch_dtype: 'float32' }));
}

function serve(model: string): ChildProcess {
  const backend = { max_lora_adapters: 8, max_lora_rank: 8, sample_max_num_sequences: 8, train_micro_batch_size: 8 };
  const args = ['-m', 'tx.tinker.api', '--base-model', model, '--backend', 'jax', '--backend-config', JSON.stringify(backend)];
  const where = ['--host', '127.0.0.1', '--port', String(port), '--checkpoints-base', path.join(home, 'checkpoints')];
  const database = ['--database-url', `sqlite:///${path.join(home, 'tinker.db')}`];
  // A group of its own: the API's engine goes with it.
  return spawn('python', [...args, ...where, ...database], { detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
}

function kill(server: ChildProcess): void {
  if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid, 'SIGKILL');
}

const largest = (a: readonly number[][], b: readonly number[][]) =>
  a.flat().reduce((most, value, i) => Math.max(most, Math.abs(value - (b.flat()[i] ?? Number.NaN))), 0);

function check(what: string, good: boolean): void {
  say(`${good ? 'ok    ' : 'FAILED'}  ${what}`);
  if (!good) process.exitCode = 1;
}

const model = path.join(home, 'model');
await rm(path.join(home, 'checkpoints'), { recursive: true, force: true });
await rm(path.join(home, 'tinker.db'), { force: true });
await mkdir(home, { recursive: true });
await makeModel(model);
let server = serve(model);
const embedded = await createEmbeddedEngine({ model, rank: 4, alpha: 32, threads: 1, memoryGb: 2 });
const bench = await openTinkerWorkbench({
  baseUrl: `http://127.0.0.1:${port}`,
  model,
  name: 'tiny',
  servedModel: model,
  rank: 4,
  seed: 0,
  lossReduction: 'mean',
  patienceSeconds: 600,
  say,
});
try {
  const { trainer } = bench;
  const data: Datum[] = ['Say a.', 'Say b.', 'Say c.'].map((text) => {
    const prompt = trainer.renderer.promptTokens([{ role: 'user', content: text }]);
    const all = [...prompt, ...trainer.renderer.completionTokens(`Is ${text.slice(4)}`)];
    return { tokens: all.slice(0, -1), targets: all.slice(1), weights: all.slice(1).map((_, t) => (t < prompt.length - 1 ? 0 : 0.1)) };
  });
  const before = await embedded.forward(data);
  const there = await trainer.forward(data);
  check(
    `log-probabilities before training differ by ${largest(before.logprobs, there.logprobs).toExponential(1)}`,
    largest(before.logprobs, there.logprobs) < 1e-3,
  );

  const losses: number[] = [];
  const train = async (steps: number) => {
    for (let step = 0; step < steps; step++) {
      const start = performance.now();
      losses.push((await trainer.trainStep(data, 'cross_entropy', { learningRate: 0.02, gradClipNorm: 1 })).lossSum);
      say(`        step ${losses.length}: loss ${losses.at(-1)?.toFixed(4)}, ${((performance.now() - start) / 1000).toFixed(1)} s`);
    }
  };
  await train(3);
  const folder = path.join(home, 'adapter');
  await trainer.save(folder);
  await train(2);
  kill(server);
  await sleep(500);
  server = serve(model);
  await train(3);
  check(`the loss fell from ${losses[0]?.toFixed(3)} to ${losses.at(-1)?.toFixed(3)}, over a kill`, losses.at(-1)! < losses[0]! * 0.8);

  await embedded.load(folder);
  const [here, tuned] = [await embedded.forward(data), await bench.logprobs!(folder, data)];
  check(
    `the adapter in the embedded engine differs by ${largest(here.logprobs, tuned).toExponential(1)}`,
    largest(here.logprobs, tuned) < 1e-3,
  );

  const request = { messages: [{ role: 'user' as const, content: 'Say a.' }], maxTokens: 12, temperature: 0 };
  const [told, expected] = [await (await bench.tuned(folder)).chat(request), await embedded.policy.chat(request)];
  check(`greedy samples: ${JSON.stringify(told.choices[0]?.text)}`, told.choices[0]?.text === expected.choices[0]?.text);
  const grade = { messages: request.messages, choices: ['1', '2', '3'] };
  const grades = [
    await (await bench.base()).choiceLogprobs!(grade),
    await (await embedded.withAdapter(null)).choiceLogprobs!(grade),
  ] as const;
  check(`grades of the base differ by ${largest([grades[0]], [grades[1]]).toExponential(1)}`, largest([grades[0]], [grades[1]]) < 1e-3);

  const prompt = trainer.renderer.promptTokens(request.messages);
  const groups = await Promise.all(
    [1, 2, 3].map((seed) => trainer.sample({ promptTokens: prompt, n: 4, params: { maxTokens: 12, seed } })),
  );
  const rollouts: Datum[] = groups.flat().map(({ tokens, logprobs }, i) => {
    const all = [...prompt, ...tokens];
    const on = (value: (t: number) => number) => all.slice(1).map((_, t) => (t < prompt.length - 1 ? 0 : value(t - prompt.length + 1)));
    return {
      tokens: all.slice(0, -1),
      targets: all.slice(1),
      weights: on(() => 1),
      logprobs: on((t) => logprobs[t]!),
      advantages: on(() => (i % 2 ? 1 : -1)),
    };
  });
  const { logprobs } = await trainer.trainStep(rollouts, 'importance_sampling', { learningRate: 1e-3 });
  const gap = largest(
    rollouts.map(({ logprobs }) => logprobs!),
    logprobs,
  );
  check(`RL: sampler and trainer differ by ${gap.toExponential(1)}`, gap < 1e-3);
} finally {
  await bench.close().catch(() => undefined);
  await embedded.close();
  kill(server);
}
