/**
 * The Tinker engine on a real SkyRL tx with a tiny model, against the embedded engine: log-probabilities, the curve of a training
 * over the end of the service, the adapter that comes back, greedy samples, grades, a step of RL.
 * Started by integration/skyrl.sh.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEmbeddedEngine, type EmbeddedEngine } from '../src/engines/embedded/index.js';
import { openTinkerWorkbench } from '../src/engines/tinker/index.js';
import type { AdamParams, ChatModel, Datum, Renderer, Trainer } from '../src/engines/types.js';
import { trainStep } from '../src/engines/train-step.js';
import { writeSpellingModel } from '../src/lm/spelling-model.js';
import { check, inTemporaryFolder, say } from './proof.js';
import { processes, SkyrlService } from './skyrl-process.js';

const rank = 4;
/** Not clipped: SkyRL tx does not. */
const params: AdamParams = { learningRate: 0.02 };
const steps = { beforeSave: 3, beforeKill: 2, afterKill: 3 };

type Bench = Awaited<ReturnType<typeof openTinkerWorkbench>>;

/** What its transformers (4.57) wants to find. */
async function makeModel(folder: string): Promise<void> {
  await writeSpellingModel(folder, 'llama-tied');
  const file = path.join(folder, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ rope_theta: 10000, ...config, torch_dtype: 'float32' }));
}

const largest = (a: readonly number[][], b: readonly number[][]) =>
  a.flat().reduce((most, value, i) => Math.max(most, Math.abs(value - (b.flat()[i] ?? Number.NaN))), 0);

/** The weights of each sequence add up to 1, so that it makes no difference whether a service divides by them. */
function trainingData(renderer: Renderer): Datum[] {
  return ['Say a.', 'Say b.', 'Say c.'].map((text) => {
    const prompt = renderer.promptTokens([{ role: 'user', content: text }]);
    const answer = renderer.completionTokens(`Is ${text.slice(4)}`);
    const all = [...prompt, ...answer];
    const weights = all.slice(1).map((_, t) => (t < prompt.length - 1 ? 0 : 1 / answer.length));
    return { tokens: all.slice(0, -1), targets: all.slice(1), weights };
  });
}

async function train(trainer: Trainer, data: Datum[], count: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < count; step++) losses.push((await trainStep(trainer, data, 'cross_entropy', params)).lossSum);
  return losses;
}

/** @returns the folder of an adapter that was trained there */
async function trainOverAKill(bench: Bench, embedded: EmbeddedEngine, service: SkyrlService, work: string): Promise<string> {
  const { trainer } = bench;
  const data = trainingData(trainer.renderer);
  const [before, there] = [await embedded.forward(data), await trainer.forward(data)];
  const gap = largest(before.logprobs, there.logprobs);
  check(`log-probabilities before training differ by ${gap.toExponential(1)} nats at most`, gap < 1e-3);

  // Both from the same fresh LoRA.
  const fresh = path.join(work, 'fresh');
  await trainer.save(fresh);
  await embedded.load(fresh);
  const total = steps.beforeSave + steps.beforeKill + steps.afterKill;
  const losses = await train(trainer, data, steps.beforeSave);
  const folder = path.join(work, 'arms', 'sft', 'sft', 'adapter');
  await trainer.save(folder);
  losses.push(...(await train(trainer, data, steps.beforeKill)));
  await service.kill();
  await sleep(500);
  await service.again();
  losses.push(...(await train(trainer, data, steps.afterKill)));
  const expected = await train(embedded, data, total);
  const difference = Math.max(...losses.map((loss, i) => Math.abs(loss / expected[i]! - 1)));
  check(
    `loss ${losses.map((loss) => loss.toFixed(2)).join(' ')}, killed −9 after step ${steps.beforeSave + steps.beforeKill}: within ${difference.toExponential(1)} of the embedded engine`,
    difference < 0.01 && losses.at(-1)! < losses[0]! * 0.8,
  );
  return folder;
}

async function askTheAdapter(bench: Bench, embedded: EmbeddedEngine, folder: string): Promise<void> {
  const data = trainingData(bench.trainer.renderer);
  await embedded.load(folder);
  const [here, tuned] = [await embedded.forward(data), await bench.logprobs!(folder, data)];
  const gap = largest(here.logprobs, tuned);
  check(`the adapter that came back differs by ${gap.toExponential(1)} nats in the embedded engine`, gap < 1e-3);
  const request = { messages: [{ role: 'user' as const, content: 'Say a.' }], maxTokens: 12, temperature: 0 };
  const greedy = async (model: ChatModel) => (await model.chat(request)).choices[0]?.text;
  const [told, expected] = [await greedy(await bench.tuned(folder)), await greedy(embedded.policy)];
  check(`greedy samples of it are equal: ${JSON.stringify(told)}`, told === expected);
  const grade = { messages: request.messages, choices: ['1', '2', '3'] };
  const grades = [
    await (await bench.base()).choiceLogprobs!(grade),
    await (await embedded.withAdapter(null)).choiceLogprobs!(grade),
  ] as const;
  const apart = largest([grades[0]], [grades[1]]);
  check(`grades of the base differ by ${apart.toExponential(1)} nats`, apart < 1e-3);
}

async function reinforce({ trainer }: Bench): Promise<void> {
  const prompt = trainer.renderer.promptTokens([{ role: 'user', content: 'Say a.' }]);
  const seeds = [1, 2, 3];
  const groups = await Promise.all(seeds.map((seed) => trainer.sample({ promptTokens: prompt, n: 4, params: { maxTokens: 12, seed } })));
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
  const sampled = rollouts.map((rollout) => rollout.logprobs!);
  const gap = largest(sampled, logprobs);
  check(`RL: ${rollouts.length} rollouts asked for at once; sampler and trainer differ by ${gap.toExponential(1)} nats`, gap < 1e-3);
}

await inTemporaryFolder(async (work) => {
  const home = path.resolve(process.argv[2] ?? '.cache/skyrl');
  const model = path.join(work, 'model');
  await makeModel(model);
  const service = await SkyrlService.start({ home, state: path.join(work, 'state'), model, adapters: 6, rank, rows: 4 });
  const embedded = await createEmbeddedEngine({ model, rank, alpha: 32, threads: 1, memoryGb: 2 });
  try {
    const tell = (line: string) => say(`        ${line.replaceAll(`${work}/`, '')}`);
    const policy = { model, name: 'tiny', rank, seed: 0, keepModels: processes > 1 };
    const bench = await openTinkerWorkbench({ baseUrl: service.url, ...policy, patienceSeconds: 600, say: tell });
    try {
      const folder = await trainOverAKill(bench, embedded, service, work);
      await askTheAdapter(bench, embedded, folder);
      await reinforce(bench);
    } finally {
      await bench.close();
    }
  } finally {
    await embedded.close();
    await service.kill();
  }
});
