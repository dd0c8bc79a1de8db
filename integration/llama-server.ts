/**
 * The engine for servers against the real llama.cpp server with the demo's model, Q4_1 file and reasoner as a LoRA: what the engine
 * asks of it (seeds, several samples, JSON by schema, log-probabilities after a prefill), then a run that generates and judges there
 * while the server is killed with −9 and started again. What went over the wire is counted between the two.
 * Started by integration/llama-server.sh.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJsonl } from '../src/base/jsonl.js';
import { Completion, Judgement, type Message } from '../src/base/records.js';
import { createEmbeddedEngine } from '../src/engines/embedded/index.js';
import { openServerModel } from '../src/engines/openai/server-model.js';
import { defaultModel, resolveModel } from '../src/lm/models.js';
import { CountingProxy } from './counting-proxy.js';
import { LlamaServer, sayLlamaVersion } from './llama-process.js';
import { check, deliberate, inTemporaryFolder, makeReasonerRun, reasoner, say } from './proof.js';

const sizes = { train: 3, ordinary: 1, samples: 2 };
const expected = (sizes.train + sizes.ordinary) * sizes.samples;
/** Completions that the server gives before it is killed. */
const beforeKill = 3;
const slots = 2;

const legs: Message[] = [
  { role: 'user', content: 'Which digit is the number of legs of a dog?' },
  { role: 'assistant', content: 'The number is ' },
];

/** What one request asks, without a run around it. */
async function askDirectly(server: LlamaServer, model: string): Promise<void> {
  const settings = { engine: 'openai', baseUrl: server.url, model: 'smollm2' } as const;
  const undecided = await openServerModel({ role: 'judge', settings });
  check('a model that reasons by itself is not graded by log-probabilities, unless told so', undecided.model.choiceLogprobs === undefined);
  await undecided.close();
  // What it has kept of a prompt makes it round otherwise, and with a long text the same seed ends elsewhere.
  const body = { cache_prompt: false };
  const opened = await openServerModel({ role: 'judge', settings: { ...settings, logprobs: true, body } });
  const { model: chat, profile } = opened;
  try {
    check(`the server is recognised as ${profile.kind}`, profile.kind === 'llamacpp');
    const messages: Message[] = [{ role: 'user', content: 'Invent a name for a small boat.' }];
    // Long enough for an answer: the first line of the reasoner's chain of thought is the same under every seed.
    const ask = async (seed: number, n = 1) =>
      (await chat.chat({ messages, maxTokens: 112, temperature: 1, seed, n })).choices.map(({ text }) => text);
    const [first, again, other] = [await ask(7), await ask(7), await ask(8)];
    check('the same seed gives the same text, with cache_prompt: false', first[0] === again[0]);
    check('another seed gives another', first[0] !== other[0]);
    const several = await ask(7, 3);
    check(`three samples are three texts, ${new Set(several).size} of them different`, several.length === 3 && new Set(several).size === 3);

    const schema = {
      type: 'object',
      properties: { name: { type: 'string', maxLength: 20 }, masts: { enum: [1, 2, 3] } },
      required: ['name', 'masts'],
      additionalProperties: false,
    };
    const question: Message[] = [{ role: 'user', content: 'Describe a boat as JSON: {"name": "…", "masts": 1 to 3}' }];
    const told = await chat.chat({
      messages: question,
      maxTokens: 80,
      temperature: 0.6,
      seed: 1,
      jsonSchema: { name: 'boat', schema },
    });
    const boat = readJson(told.choices[0]?.text ?? '');
    check(
      `JSON is held to its schema: ${JSON.stringify(boat)}`,
      typeof boat?.['name'] === 'string' && [1, 2, 3].includes(Number(boat['masts'])),
    );

    check('it gives log-probabilities after a turn that the assistant has begun', chat.choiceLogprobs !== undefined);
    if (chat.choiceLogprobs === undefined) return;
    const choices = ['2', '4', '8'];
    const theirs = await chat.choiceLogprobs({ messages: legs, choices });
    const engine = await createEmbeddedEngine({ model, memoryGb: 4, adapter: reasoner });
    const ours = (await engine.policy.choiceLogprobs?.({ messages: legs, choices })) ?? [];
    await engine.close();
    const gap = Math.max(...ours.map((logprob, i) => Math.abs(logprob - (theirs[i] ?? Number.NaN))));
    const text = (logprobs: readonly number[]) => logprobs.map((logprob) => logprob.toFixed(2)).join(' ');
    // It computes on the 4-bit file with 8-bit activations, we on the numbers that the file stands for: near, not equal.
    check(`log-probabilities of ${choices.join(', ')}: ${text(theirs)} there, ${text(ours)} in the embedded engine`, gap < 0.5);
  } finally {
    await opened.close();
  }
}

function readJson(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** Settings of the run. The embedded model is loaded beside it, without adapter, and asked for nothing here. */
const settings = (url: string) => {
  const server = { engine: 'openai', baseUrl: url, model: 'smollm2-reasoner', maxConcurrency: 4 };
  return {
    name: 'llama-server',
    engine: { adapter: null, threads: 1 },
    prompts: { train: sizes.train, ordinary: sizes.ordinary, validation: 1, wrappedShare: 0 },
    generate: { samples: sizes.samples, layout: 'shared', specParts: 'clauses', maxTokens: 112 },
    generator: server,
    judge: { ...server, runs: 1, readings: 2, maxTokens: 96, logprobs: true, kindCheck: false },
    // All that has a chain of thought and an answer is judged: the judge is to be seen at work.
    filter: { requiredChecks: ['wellFormed'], citation: false },
  };
};

/** Kills the server once it has answered so many, and starts it again after a while. @returns what was under way when it died */
async function killMeanwhile(server: LlamaServer, proxy: CountingProxy, restart: () => Promise<LlamaServer>) {
  const completions = () => proxy.passed.filter(({ body, status }) => status === 200 && body.includes('"seed"')).length;
  await new Promise<void>((resolve) => {
    proxy.onAnswer = () => completions() >= beforeKill && resolve();
  });
  const underWay = proxy.underWay();
  await server.kill();
  await sleep(3000);
  return { underWay, server: await restart() };
}

async function generateOverAKill(
  root: string,
  config: string,
  server: LlamaServer,
  proxy: CountingProxy,
  restart: () => Promise<LlamaServer>,
) {
  const running = deliberate('generate', root, '--config', config);
  // What goes wrong before there is anything to kill is told by the command.
  const killed = await Promise.race([killMeanwhile(server, proxy, restart), running.then(() => null)]);
  proxy.onAnswer = () => undefined;
  await running;
  check(
    `generate: the server was killed −9 after ${beforeKill} completions, ${killed?.underWay ?? 0} requests under way, and started again`,
    killed !== null && killed.underWay > 0,
  );
  const completions = await readJsonl(path.join(root, 'completions.jsonl'), Completion);
  const ids = new Set(completions.map(({ id }) => id));
  check(
    `generate: nothing is lost or there twice: ${completions.length} records, ${ids.size} different, ${expected} wanted`,
    completions.length === expected && ids.size === expected,
  );
  const asked = proxy.passed.filter(({ body }) => body.includes('"seed"'));
  const answers = new Map<string, number>();
  for (const { key, status } of asked) if (status === 200) answers.set(key, (answers.get(key) ?? 0) + 1);
  const broken = asked.filter((one) => one.broken).length;
  check(
    `generate: ${asked.length} requests went out, ${broken} broke off, each of ${answers.size} was answered once`,
    answers.size === expected && [...answers.values()].every((times) => times === 1) && broken > 0,
  );
  const withCot = completions.filter(({ cot }) => cot !== null);
  check(
    `generate: ${withCot.length} of ${expected} chains of thought were read out of inline tags, no tag is left in an answer`,
    withCot.length > 0 && completions.every(({ answer }) => !/<\/?think/i.test(answer)),
  );
  say(`        ${completions.filter(({ checks }) => checks.wellFormed).length} of ${expected} are well-formed`);
  const before = proxy.passed.length;
  await deliberate('generate', root);
  check('generate again: nothing is asked', proxy.passed.length === before);
  return killed?.server ?? server;
}

async function judgeThere(root: string, proxy: CountingProxy): Promise<void> {
  const before = proxy.passed.length;
  const told = await deliberate('judge', root);
  const judgements = await readJsonl(path.join(root, 'judgements.jsonl'), Judgement);
  const ids = new Set(judgements.map(({ completionId }) => completionId));
  const scores = judgements.flatMap(({ score }) => score ?? []);
  check(
    `judge: ${judgements.length} completions judged once each with ${proxy.passed.length - before} requests, ${scores.length} scored: ${scores.map((score) => score.toFixed(2)).join(' ')}`,
    judgements.length > 0 && ids.size === judgements.length && scores.length > 0,
  );
  check('judge: grades are read off log-probabilities', told.includes('grades by log-probabilities'));
  const graded = proxy.passed.slice(before).filter(({ body }) => body.includes('"top_logprobs"'));
  check(`judge: ${graded.length} requests for a grade, all answered`, graded.length > 0 && graded.every(({ status }) => status === 200));
}

await inTemporaryFolder(async (home) => {
  await sayLlamaVersion();
  const model = await resolveModel(defaultModel);
  const reasonerRun = path.join(home, 'reasoner');
  await makeReasonerRun(reasonerRun);
  await deliberate('export', reasonerRun, '--to', 'gguf-lora', '--out', path.join(home, 'lora'));
  const start = (port?: number) =>
    LlamaServer.start({ model, slots, more: ['--lora', path.join(home, 'lora', 'adapter.gguf')], ...(port !== undefined && { port }) });
  let server = await start();
  const proxy = await CountingProxy.start(server.url);
  try {
    await askDirectly(server, model);
    const [config, root] = [path.join(home, 'run.yaml'), path.join(home, 'run')];
    await writeFile(config, JSON.stringify(settings(proxy.url))); // JSON is YAML
    server = await generateOverAKill(root, config, server, proxy, () => start(server.port));
    await judgeThere(root, proxy);
  } finally {
    await proxy.close();
    await server.kill();
  }
});
