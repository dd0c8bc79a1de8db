/** Training through the protocol against training without it, over the same tiny model; and through every fault. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../base/config.js';
import type { ModelRenderer } from '../../lm/chat-template.js';
import { readAdapter } from '../../lm/peft.js';
import { writeSpellingModel } from '../../lm/spelling-model.js';
import { Model } from '../embedded/model.js';
import type { EngineSettings } from '../embedded/protocol.js';
import type { AdamParams, Datum, LossFunction } from '../types.js';
import { openTinkerWorkbench, type TinkerOptions } from './index.js';
import { tinyEngine, TinyService, type TinyServiceOptions } from './tiny-service.js';

let home: string;
let engine: EngineSettings;
let renderer: ModelRenderer;
const opened: { close(): Promise<void> }[] = [];
const services: TinyService[] = [];

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-tinker-'));
  const checkpoint = path.join(home, 'model');
  await writeSpellingModel(checkpoint, 'llama-tied');
  ({ engine, renderer } = await tinyEngine(checkpoint, 3));
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  for (const one of services.splice(0)) await one.kill();
});
afterAll(() => rm(home, { recursive: true, force: true }));

async function service(options: Partial<TinyServiceOptions> = {}): Promise<TinyService> {
  const started = await new TinyService({ engine, folder: path.join(home, 'service'), ...options }).start();
  services.push(started);
  return started;
}

async function workbench({ url }: TinyService, options: Partial<TinkerOptions> = {}) {
  const bench = await openTinkerWorkbench({
    baseUrl: url,
    model: engine.checkpoint,
    name: 'tiny',
    rank: 4,
    seed: 3,
    lossReduction: 'sum',
    say: () => undefined,
    waits: { first: 10, longest: 50 },
    ...options,
  });
  opened.push(bench);
  return bench;
}

const params: AdamParams = { learningRate: 0.02, gradClipNorm: 1 };

function batch(step: number, loss: LossFunction): Datum[] {
  return [6, 9, 4].map((length, row) => {
    const tokens = Array.from({ length }, (_, t) => (step * 31 + row * 17 + t * 7) % 90);
    const datum = {
      tokens,
      targets: tokens.map((token) => (token + 5 + row) % 90),
      weights: tokens.map((_, t) => (t < 2 ? 0 : 0.4 + 0.1 * row)),
    };
    if (loss === 'cross_entropy') return datum;
    return { ...datum, logprobs: tokens.map((_, t) => -4.5 + 0.3 * (t % 4)), advantages: tokens.map((_, t) => Math.sin(step + row + t)) };
  });
}

/** Losses, log-probabilities and norms of n steps. */
async function steps(
  trainer: Pick<Model, 'optimStep' | 'forwardBackward'> | Awaited<ReturnType<typeof workbench>>['trainer'],
  n: number,
  loss: LossFunction,
  from = 0,
) {
  const all: { lossSum: number; logprobs: number[][]; gradNorm: number }[] = [];
  for (let step = from; step < n; step++) {
    const data = batch(step, loss);
    if ('trainStep' in trainer) all.push(await trainer.trainStep(data, loss, params));
    else {
      const measured = await trainer.forwardBackward({ data, loss });
      all.push({ ...measured, ...trainer.optimStep(params) });
    }
  }
  return all;
}

async function embeddedSteps(n: number, loss: LossFunction) {
  return steps(await Model.load(engine), n, loss);
}

function expectEqual(given: Awaited<ReturnType<typeof steps>>, expected: Awaited<ReturnType<typeof steps>>) {
  expect(given).toHaveLength(expected.length);
  given.forEach(({ lossSum, logprobs, gradNorm }, i) => {
    expect(lossSum).toBeCloseTo(expected[i]!.lossSum, 4);
    expect(gradNorm).toBeCloseTo(expected[i]!.gradNorm, 3);
    logprobs.flat().forEach((logprob, t) => expect(logprob).toBeCloseTo(expected[i]!.logprobs.flat()[t]!, 4));
  });
}

describe('training on a Tinker service', () => {
  it.each(['cross_entropy', 'importance_sampling', 'ppo'] as const)('takes the steps that the embedded engine takes: %s', async (loss) => {
    const tiny = await service({ latency: 30 });
    const bench = await workbench(tiny, { pipelined: true });
    expectEqual(await steps(bench.trainer, 4, loss), await embeddedSteps(4, loss));
    expect(tiny.pipelined).toBeGreaterThan(0);
  });

  it('makes up for a service that divides the losses of RL by the weights', async () => {
    const bench = await workbench(await service({ reduction: 'mean' }), { lossReduction: 'mean' });
    expectEqual(await steps(bench.trainer, 3, 'importance_sampling'), await embeddedSteps(3, 'importance_sampling'));
  });

  it('gives the adapter back as PEFT, which the embedded engine loads', async () => {
    const bench = await workbench(await service());
    await steps(bench.trainer, 2, 'cross_entropy');
    const folder = path.join(home, 'arms', 'sft', 'sft', 'adapter');
    await bench.trainer.save(folder);
    expect(await readAdapter(folder)).toMatchObject({ r: 4, alpha: 32 });
    const embedded = await Model.load(engine);
    await embedded.load({ folder, optimizer: false });
    const data = batch(9, 'cross_entropy');
    const { logprobs } = await embedded.forward({ data, adapter: 'policy' });
    (await bench.logprobs!(folder, data)).flat().forEach((one, t) => expect(one).toBeCloseTo(logprobs.flat()[t]!, 4));
    // The saved adapter stays what it is while the policy goes on.
    await steps(bench.trainer, 4, 'cross_entropy', 2);
    (await bench.logprobs!(folder, data)).flat().forEach((one, t) => expect(one).toBeCloseTo(logprobs.flat()[t]!, 4));
    expect((await bench.trainer.forward(data)).logprobs).not.toEqual(logprobs);
  });

  it('goes on from a saved folder in another process, optimizer and all, and from a fresh LoRA after a reset', async () => {
    const tiny = await service();
    const whole = await embeddedSteps(4, 'cross_entropy');
    const folder = path.join(home, 'checkpoint-2');
    const first = await workbench(tiny);
    await steps(first.trainer, 2, 'cross_entropy');
    await first.trainer.save(folder);
    const second = await workbench(tiny);
    await second.trainer.load(folder, { optimizer: true });
    expectEqual(await steps(second.trainer, 4, 'cross_entropy', 2), whole.slice(2));
    await second.resetPolicy();
    expectEqual(await steps(second.trainer, 1, 'cross_entropy'), whole.slice(0, 1));
    await second.trainer.load(folder, { optimizer: false });
    expect(tiny.lastOptimizerFlag).toBe(false);
  });

  it('unloads the models that it needs no longer, unless it is told to keep them', async () => {
    for (const keepModels of [false, true]) {
      const tiny = await service();
      const bench = await workbench(tiny, { keepModels });
      await steps(bench.trainer, 1, 'cross_entropy');
      await bench.resetPolicy();
      await steps(bench.trainer, 1, 'cross_entropy');
      await opened.pop()!.close();
      expect(tiny.posts.get('unload_model') ?? 0).toBe(keepModels ? 0 : 2);
    }
  });
});

describe('a Tinker service that fails', () => {
  it('is killed between and within steps, and the training goes on as if it had not been', async () => {
    const kills: Promise<unknown>[] = [];
    let passes = 0;
    const tiny: TinyService = await service({
      onWork: (call) => {
        if (call !== 'forward_backward' || ++passes !== 4) return;
        kills.push(
          tiny
            .kill()
            .then(() => new Promise((resolve) => void setTimeout(resolve, 200)))
            .then(() => tiny.start()),
        );
      },
    });
    const said: string[] = [];
    const bench = await workbench(tiny, { say: (line) => void said.push(line) });
    const given = await steps(bench.trainer, 2, 'cross_entropy');
    await bench.trainer.save(path.join(home, 'before-kill'));
    given.push(...(await steps(bench.trainer, 5, 'cross_entropy', 2)));
    await Promise.all(kills);
    expectEqual(given, await embeddedSteps(5, 'cross_entropy'));
    expect(said.join('\n')).toContain('The policy is made again');
    await tiny.kill();
    await tiny.start();
    given.push(...(await steps(bench.trainer, 6, 'cross_entropy', 5)));
    expectEqual(given, await embeddedSteps(6, 'cross_entropy'));
    // Not over http: SkyRL tx 0.3.0 takes a step before gradients that were asked for earlier.
    expect(tiny.pipelined).toBe(0);
  });

  it('does no step twice when answers are lost, and repeats what was not taken', async () => {
    const tiny = await service({
      fault: (call, count) => {
        if (call === 'optim_step' && count === 2) return 'drop-after';
        if (call === 'forward_backward' && count === 2) return { status: 429, headers: { 'retry-after': '0' } };
        if (call === 'create_session' && count === 1) return 'drop';
        if (call === 'retrieve_future' && count % 5 === 0) return 'drop';
        if (call === 'retrieve_future' && count % 7 === 0) return { status: 502 };
        return null;
      },
    });
    const bench = await workbench(tiny);
    expectEqual(await steps(bench.trainer, 4, 'cross_entropy'), await embeddedSteps(4, 'cross_entropy'));
  });

  it('says what to do: no server, no room, a wrong key', async () => {
    const tiny = await service({ maxAdapters: 1, key: 'right' });
    process.env['TINY_KEY'] = 'wrong';
    await expect(workbench(tiny, { apiKeyEnv: 'TINY_KEY' })).rejects.toThrow(/Check the key in the variable TINY_KEY/);
    process.env['TINY_KEY'] = 'right';
    const bench = await workbench(tiny, { apiKeyEnv: 'TINY_KEY' });
    await expect(bench.trainer.forward(batch(0, 'cross_entropy'))).rejects.toThrow(/Maximum number of LoRA adapters.*max_lora_adapters/s);
    delete process.env['TINY_KEY'];
    await expect(workbench(tiny, { apiKeyEnv: 'TINY_KEY' })).rejects.toThrow(/TINY_KEY is not set/);
    await tiny.kill();
    await expect(workbench(tiny, { patienceSeconds: 0.1 })).rejects.toThrow(/See whether it runs/);
  });
});

describe('sampling on a Tinker service', () => {
  const request = { messages: [{ role: 'user' as const, content: 'Say a.' }], maxTokens: 12 };

  it('overlaps, follows the policy, and is what the embedded engine samples', async () => {
    const tiny = await service();
    const bench = await workbench(tiny);
    const embedded = await Model.load(engine);
    const signal = new AbortController().signal;
    const promptTokens = renderer.promptTokens(request.messages);
    const greedy = { maxTokens: 12, temperature: 0 };
    for (const trained of [false, true]) {
      if (trained) {
        await steps(bench.trainer, 2, 'cross_entropy');
        await steps(embedded, 2, 'cross_entropy');
      }
      const asked = Array.from({ length: 6 }, () => bench.trainer.sample({ promptTokens, n: 2, params: greedy }));
      // A step that comes while samples are written does not change them.
      const step = trained ? bench.trainer.trainStep(batch(2, 'cross_entropy'), 'cross_entropy', params) : null;
      const [expected] = await embedded.sample(
        { promptTokens, sharedPrefix: 0, n: 1, params: greedy, adapter: 'policy' },
        signal,
        () => undefined,
      );
      for (const sequences of await Promise.all(asked)) {
        expect(sequences).toHaveLength(2);
        for (const sequence of sequences) expect(sequence.tokens).toEqual(expected!.tokens);
        sequences[0]!.logprobs.forEach((one, t) => expect(one).toBeCloseTo(expected!.logprobs[t]!, 3));
      }
      await step;
    }
    expect(tiny.mostSamplesPending).toBeGreaterThan(2);
    expect(tiny.stale).toBe(0);
  });

  it('asks the base again when the service was killed meanwhile', async () => {
    const restarts: Promise<unknown>[] = [];
    let samples = 0;
    const tiny: TinyService = await service({
      onWork: (call) => {
        if (call === 'asample' && ++samples === 2) restarts.push(tiny.kill().then(() => tiny.start()));
      },
    });
    const base = await (await workbench(tiny)).base();
    const answers = await Promise.all([1, 2, 3].map(() => base.chat({ ...request, temperature: 0 })));
    await Promise.all(restarts);
    expect(restarts).toHaveLength(1);
    expect(new Set(answers.map(({ choices }) => choices[0]!.text)).size).toBe(1);
    expect(samples).toBeGreaterThan(3);
  });

  it('gives chat models of the base and of saved adapters, and the log-probabilities of choices', async () => {
    const tiny = await service();
    const bench = await workbench(tiny);
    const base = await bench.base();
    const before = await base.chat({ ...request, temperature: 0, n: 2 });
    expect(before.choices).toHaveLength(2);
    expect(before.usage.promptTokens).toBe(renderer.promptTokens(request.messages).length);
    const choices = ['1', '2', '3'];
    const expected = await (
      await Model.load(engine)
    ).choices({
      promptTokens: renderer.promptTokens(request.messages),
      sharedPrefix: 0,
      choices: choices.map((choice) => renderer.encode(choice)[0]!),
      adapter: 'policy',
    });
    (await base.choiceLogprobs!({ messages: request.messages, choices })).forEach((one, i) => expect(one).toBeCloseTo(expected[i]!, 3));
    await steps(bench.trainer, 6, 'cross_entropy');
    const folder = path.join(home, 'arms', 'answer-only', 'sft', 'adapter');
    await bench.trainer.save(folder);
    const tuned = await bench.tuned(folder);
    expect(tuned.name).toBe('tiny+answer-only');
    const [after, policy] = await Promise.all([
      tuned.chat({ ...request, temperature: 0 }),
      bench.trainer.policy.chat({ ...request, temperature: 0 }),
    ]);
    expect(after.choices[0]!.text).toBe(policy.choices[0]!.text);
    expect(after.choices[0]!.text).not.toBe(before.choices[0]!.text);
    // And after the service was started again.
    await tiny.kill();
    await tiny.start();
    expect((await tuned.chat({ ...request, temperature: 0 })).choices[0]!.text).toBe(after.choices[0]!.text);
    const stopped = await tuned.chat({ ...request, temperature: 0, stop: [after.choices[0]!.text.slice(-1)] });
    expect(stopped.choices[0]!.text.length).toBeLessThan(after.choices[0]!.text.length);
    expect(stopped.choices[0]!.stopReason).toBe('stop');
  });
});

describe('settings of a Tinker engine', () => {
  const parse = (engine: object) => parseConfig({ engine }, 'run.yaml');

  it('ask for a checkpoint that holds the reader', () => {
    expect(parse({ kind: 'tinker', baseUrl: 'http://127.0.0.1:8000', adapter: null }).engine).toMatchObject({ kind: 'tinker', rank: 16 });
    expect(() => parse({ kind: 'tinker', baseUrl: 'http://127.0.0.1:8000' })).toThrow(/engine.adapter.*--to merged/);
    expect(() => parse({ kind: 'tinker', adapter: null })).toThrow(/engine.baseUrl: is missing/);
    expect(() => parse({ kind: 'tinker', adapter: null, baseUrl: 'http://a:8000', alpha: 16 })).toThrow(/engine.alpha: must be 32/);
    expect(() => parse({ baseUrl: 'http://127.0.0.1:8000' })).toThrow(/engine.baseUrl: is for engine.kind: tinker/);
  });
});
