/**
 * A whole `deliberate run` whose policy lives on a real SkyRL tx: the reasoner merged into SmolLM2-135M, sampled, judged by, trained
 * and evaluated there, killed with −9 in the middle of SFT. Then the embedded engine takes the same steps of SFT from the same
 * fresh LoRA, and answers the same evaluation with the adapter that came back. Started by integration/skyrl-run.sh.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { reasoningDatum, perToken } from '../src/align/sft-data.js';
import { learningRateAt, planBatches } from '../src/align/sft.js';
import { loadSpec } from '../src/align/spec/parse.js';
import { type Config, parseConfig } from '../src/base/config.js';
import { readJsonl, writeJsonl } from '../src/base/jsonl.js';
import { packageRoot } from '../src/base/package-root.js';
import { Prompt, SftRecord } from '../src/base/records.js';
import { RunPaths } from '../src/base/run-folder.js';
import { suiteSizesOf } from '../src/cli/evaluate-arms.js';
import { createEmbeddedEngine } from '../src/engines/embedded/index.js';
import { openTinkerWorkbench } from '../src/engines/tinker/index.js';
import { trainStep } from '../src/engines/train-step.js';
import { EvalAnswer } from '../src/evals/records.js';
import { suites } from '../src/evals/suites.js';
import { splitCot } from '../src/lm/split-cot.js';
import { check, deliberate, inTemporaryFolder, makeReasonerRun, say } from './proof.js';
import { processes, SkyrlService } from './skyrl-process.js';

const rank = 8;
/** The only category: with the others' summaries each grade would take three times the tokens. */
const category = 'regulated-advice';
/** Longest prompt, in characters: SkyRL tx compiles for each range of lengths. */
const longest = 60;
/** Steps of SFT that are logged when the service is killed. */
const beforeKill = 3;

const Metrics = z.looseObject({ step: z.int(), loss: z.number() });

/** Small: a CPU does some 170 tokens a second there, and each further shape is compiled first. */
const settings = (url: string, model: string, { spec, prompts }: { spec: string; prompts: string }) => ({
  name: 'skyrl',
  spec,
  engine: { kind: 'tinker', baseUrl: url, model, adapter: null, servedModel: model, rank, patienceSeconds: 600, keepModels: processes > 1 },
  prompts: { file: prompts, train: 3, ordinary: 0, validation: 2, wrappedShare: 0 },
  generate: { samples: 2, layout: 'shared', specParts: 'clauses', specTokens: 220, maxTokens: 96 },
  judge: { runs: 1, readings: 3, maxTokens: 96, kindCheck: false, hint: false },
  // All that has a chain of thought and an answer is trained on.
  filter: { requiredChecks: ['wellFormed'], citation: false, threshold: 0 },
  // One record a step: so it makes no difference that SkyRL tx weighs records alike, and the embedded engine tokens.
  // SkyRL tx 0.3.0 does not clip gradients, so neither side does.
  sft: { epochs: 2, batchSize: 1, gradClipNorm: 0, checkpointEvery: 2 },
  rl: {
    steps: 1,
    gradClipNorm: 0,
    promptsPerStep: 2,
    samplesPerPrompt: 2,
    maxTokens: 96,
    klSamples: 0,
    validateEvery: 1,
    checkpointEvery: 1,
  },
  eval: { arms: ['sft', 'sft+rl'], plain: 1, jailbroken: 0, techniques: 1, maxTokens: 96 },
});

const stepsOf = (paths: RunPaths) => readJsonl(path.join(paths.training('sft', 'sft'), 'metrics.jsonl'), Metrics);

/** @returns the steps that were done when it died; null where the command ended before */
async function killInSft(paths: RunPaths, service: SkyrlService, isOver: () => boolean): Promise<number | null> {
  while (!isOver()) {
    const { length } = await stepsOf(paths);
    if (length >= beforeKill) {
      await service.kill();
      await sleep(2000);
      await service.again();
      return length;
    }
    await sleep(200);
  }
  return null;
}

async function runOverAKill(config: string, paths: RunPaths, service: SkyrlService): Promise<void> {
  const start = performance.now();
  let over = false;
  const running = deliberate('run', config, '--out', paths.root).finally(() => (over = true));
  const [told, killed] = await Promise.all([running, killInSft(paths, service, () => over)]);
  say(`        run: ${Math.round((performance.now() - start) / 1000)} s`);
  const again = [...told.matchAll(/The policy is made again; steps done anew: (\d+)/g)].map(([, steps]) => Number(steps));
  check(
    `run: the service was killed −9 after step ${killed ?? 0} of SFT and started again; the policy was made again, ${again.join(', ')} steps done anew`,
    killed !== null && again.length > 0,
  );
  const records = await readJsonl(paths.sftRecords(), SftRecord);
  const sft = await stepsOf(paths);
  check(
    `run: went on by itself to its end: ${records.length} records, steps ${sft.map(({ step }) => step).join(' ')} of SFT`,
    sft.length === 2 * records.length && sft.every(({ step }, i) => step === i + 1) && existsSync(paths.report()),
  );
  const [rl] = await readJsonl(path.join(paths.training('sft+rl', 'rl'), 'metrics.jsonl'), z.looseObject({ step: z.int() }));
  const number = (name: string) => (typeof rl?.[name] === 'number' ? rl[name] : Number.NaN);
  check(
    `run: a step of RL on ${number('rollouts')} rollouts, mean reward ${number('reward').toFixed(2)}, sampler and trainer ${number('samplerGap').toExponential(1)} nats apart`,
    number('samplerGap') < 0.01 && number('rollouts') > 0 && number('loss') !== 0,
  );
}

/** The run's steps of SFT in the embedded engine, from the fresh LoRA that the service made for it. */
async function compareCurves(config: Config, paths: RunPaths, service: SkyrlService, work: string): Promise<void> {
  const { engine, seed, sft } = config;
  const fresh = path.join(work, 'fresh');
  const bench = await openTinkerWorkbench({ ...engine, baseUrl: service.url, name: 'fresh', seed, say: () => undefined });
  await bench.trainer.save(fresh);
  await bench.close();
  const there = (await stepsOf(paths)).map(({ loss }) => loss);
  const records = await readJsonl(paths.sftRecords(), SftRecord);
  const embedded = await createEmbeddedEngine({ model: engine.model, rank, alpha: 32, memoryGb: 4 });
  const curve = async (gradClipNorm: number) => {
    await embedded.load(fresh);
    const data = records.map((record) => reasoningDatum(record, embedded.renderer, { cot: sft.cotWeight, answer: sft.answerWeight }));
    const batches = planBatches(data, sft, seed);
    const losses: number[] = [];
    for (const [i, batch] of batches.entries()) {
      const params = { learningRate: learningRateAt(i + 1, batches.length, sft), gradClipNorm };
      losses.push((await trainStep(embedded, perToken(batch), 'cross_entropy', params)).lossSum / batch.length);
    }
    return losses;
  };
  const apart = (losses: readonly number[]) => Math.max(...losses.map((loss, i) => Math.abs(loss / (there[i] ?? Number.NaN) - 1)));
  const [here, clipped] = [await curve(sft.gradClipNorm), await curve(1)];
  await embedded.close();
  const percent = (value: number) => `${(100 * value).toPrecision(2)} %`;
  say(`        loss there     ${there.map((loss) => loss.toFixed(3)).join(' ')}`);
  say(`        loss embedded  ${here.map((loss) => loss.toFixed(3)).join(' ')}`);
  // The default clips in the embedded engine: another algorithm, whose distance is told and not judged.
  say(`        with the default clipping, which SkyRL tx does not do, the curves would differ by ${percent(apart(clipped))} at most`);
  check(`SFT: with the same settings the curves differ by ${percent(apart(here))} at most`, apart(here) < 0.02);
}

/** Greedy answers of the adapters that came back, in the embedded engine. */
async function compareAnswers(config: Config, paths: RunPaths): Promise<void> {
  const spec = await loadSpec(config.spec!);
  const prompts = await readJsonl(paths.prompts(), Prompt);
  const chosen = { prompts: prompts.filter(({ split }) => split === 'test'), spec, seed: config.seed, sizes: suiteSizesOf(config.eval) };
  const messagesOf = new Map(suites.flatMap((suite) => suite.select(chosen)).map(({ id, messages }) => [id, messages]));
  const embedded = await createEmbeddedEngine({ model: config.engine.model, rank, alpha: 32, memoryGb: 4 });
  for (const arm of ['sft', 'sft+rl']) {
    const model = await embedded.withAdapter(paths.adapter(arm, arm === 'sft' ? 'sft' : 'rl'));
    const answers = await readJsonl(paths.answers(arm), EvalAnswer);
    const same = await Promise.all(
      answers.map(async ({ promptId, cot, answer }) => {
        const { choices } = await model.chat({
          messages: messagesOf.get(promptId) ?? [],
          maxTokens: config.eval.maxTokens,
          temperature: 0,
        });
        const here = splitCot(choices[0]?.text ?? '');
        return here.cot === cot && here.answer === answer;
      }),
    );
    const equal = same.filter(Boolean).length;
    check(
      `eval ${arm}: ${equal} of ${same.length} greedy answers are the same text with the adapter in the embedded engine`,
      same.length > 0 && equal >= 0.8 * same.length,
    );
  }
  await embedded.close();
}

/** Of the package: one category of the specification, and short prompts. */
async function makePolicy(work: string): Promise<{ spec: string; prompts: string }> {
  const [spec, prompts] = [path.join(work, 'spec'), path.join(work, 'prompts.jsonl')];
  await mkdir(spec);
  for (const name of ['principles', 'styles', category])
    await cp(path.join(packageRoot, 'spec', `${name}.md`), path.join(spec, `${name}.md`));
  const all = await readJsonl(path.join(packageRoot, 'data', 'prompts.jsonl'), Prompt);
  const fits = ({ messages: [first, ...more], tags, category: given }: Prompt) =>
    more.length === 0 &&
    first!.content.length <= longest &&
    !tags.includes('benign-twin') &&
    (given === category || tags.includes('ordinary'));
  await writeJsonl(prompts, all.filter(fits));
  return { spec, prompts };
}

await inTemporaryFolder(async (work) => {
  const home = path.resolve(process.argv[2] ?? '.cache/skyrl');
  const model = path.join(work, 'base');
  await makeReasonerRun(path.join(work, 'reasoner'));
  await deliberate('export', path.join(work, 'reasoner'), '--to', 'merged', '--arm', 'base', '--out', model);
  const policy = await makePolicy(work);
  const state = path.join(work, 'state');
  const service = await SkyrlService.start({ home, state, model, adapters: processes > 1 ? 12 : 6, rank, rows: 4, share: 'nothing' });
  say(`        SkyRL tx in ${processes} JAX process${processes > 1 ? 'es' : ''}`);
  try {
    const config = path.join(work, 'run.yaml');
    const given = settings(service.url, model, policy);
    await writeFile(config, JSON.stringify(given)); // JSON is YAML
    const paths = new RunPaths(path.join(work, 'run'));
    await runOverAKill(config, paths, service);
    const parsed = parseConfig(given, config);
    await compareCurves(parsed, paths, service, work);
    await service.kill();
    await compareAnswers(parsed, paths);
  } finally {
    await service.kill();
  }
});
