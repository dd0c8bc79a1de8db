/**
 * Trains G_base, the reader: `npm run reasoner [-- --steps 450 --seed 1 --out adapters/reasoner]`.
 * 1. The bare base model answers everyday requests (self-distillation: nothing is borrowed).
 * 2. A LoRA learns from generated policies to restate, cite, decide, answer and grade.
 * 3. It is measured on policies and topics that it never saw, and written as a BF16 PEFT adapter.
 * Every part goes on where it stopped.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../src/base/package-root.js';
import { Random } from '../../src/base/random.js';
import { createEmbeddedEngine, type EmbeddedEngine } from '../../src/engines/embedded/index.js';
import { readAdapter, writeAdapter } from '../../src/lm/peft.js';
import { readAnswers } from './answers.js';
import { datumOf, promptOf } from './datum.js';
import type { AnswerOf } from './examples.js';
import { type GroupOptions, makeGroup, plainRequests, textRequests } from './group.js';
import { measure, measureGroups, measureTable, type Output, seenOf } from './measure.js';
import { readTopics, splitTopics, type TopicSplit } from './topics.js';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '450' },
    seed: { type: 'string', default: '1' },
    rate: { type: 'string', default: '1e-3' },
    answers: { type: 'string', default: '1200' },
    model: { type: 'string', default: 'smollm2-135m-instruct' },
    memory: { type: 'string', default: '14' },
    work: { type: 'string', default: path.join(packageRoot, 'runs', 'reasoner') },
    out: { type: 'string', default: path.join(packageRoot, 'adapters', 'reasoner') },
    groups: { type: 'string', default: '12' },
    /** Only measure the adapter in --out, with so many groups. */
    measure: { type: 'string' },
  },
});
const steps = Number(values.steps);
const seed = Number(values.seed);
const answerTokens = 48;
/** Policies a step: more of them make a calmer gradient than more questions under one, and cost little more. */
const groupsPerStep = 2;

/**
 * What is learnt when. First to find a subject: short policies that mix families, requests that name the subject, no answers, for
 * they are most of the tokens and teach nothing of reading. Then to find it by meaning, in longer policies. Last all skills at once.
 */
function optionsAt(progress: number, random: Random): GroupOptions {
  const spread = random.uniform();
  const listed = random.uniform() < 0.6 ? 0.75 : 0;
  if (progress < 0.2)
    return {
      perFamily: 1,
      clauses: 3 + random.integer(6),
      summaries: 2,
      richness: 0,
      listed: 0,
      examples: 12,
      grading: 0,
      withoutPolicy: 0,
      plain: 0.75,
      named: 0.2 + 0.6 * (1 - progress / 0.2),
      until: progress < 0.13 ? 'ruling' : 'reasoning',
    };
  if (progress < 0.72)
    return {
      perFamily: spread < 0.5 ? 1 : spread < 0.75 ? 2 : undefined,
      clauses: 5 + random.integer(8),
      summaries: 2 + random.integer(3),
      richness: 0,
      listed,
      examples: 14,
      grading: 0,
      withoutPolicy: 0.02,
      plain: 0.6,
      named: 0.35,
      until: random.uniform() < 0.65 ? 'ruling' : 'reasoning',
    };
  return {
    perFamily: spread < 0.35 ? 1 : spread < 0.6 ? 2 : undefined,
    clauses: 6 + random.integer(6),
    summaries: 3 + random.integer(5),
    richness: 0,
    listed,
    named: 0.25,
    examples: 8,
    grading: 0.25,
  };
}

async function sampleAnswers(engine: EmbeddedEngine, split: TopicSplit, file: string): Promise<AnswerOf> {
  const known = new Set(
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .filter(Boolean)
          .map((line) => (JSON.parse(line) as { request: string }).request)
      : [],
  );
  const bare = await engine.withAdapter(null);
  const ask = async (requests: string[]) => {
    const waiting = [...new Set(requests)].filter((request) => !known.has(request));
    let done = 0;
    await Promise.all(
      waiting.map(async (request) => {
        const { choices } = await bare.chat({
          messages: [{ role: 'user', content: request }],
          maxTokens: answerTokens,
          temperature: 0.5,
          topP: 0.95,
          seed,
        });
        appendFileSync(file, `${JSON.stringify({ request, answer: choices[0]?.text ?? '' })}\n`);
        if (++done % 100 === 0) console.log(`answers ${done}/${waiting.length}`);
      }),
    );
  };
  const random = new Random(`answers ${seed}`);
  const families = [...split.training, ...split.heldOut];
  await ask(random.shuffle(plainRequests(families)).slice(0, Number(values.answers)));
  const plain = readAnswers(readFileSync(file, 'utf8'), file);
  await ask(new Random(`texts ${seed}`).shuffle(textRequests(families, plain)).slice(0, Number(values.answers) / 6));
  return readAnswers(readFileSync(file, 'utf8'), file);
}

/** The sorts of policies that it is measured on, all of about the length that the method compiles for the embedded model. */
const measuredOn: [string, GroupOptions][] = [
  ['Clauses of one family or two, close to each other', {}],
  ['Clauses of many families', { perFamily: 1 }],
  // As in real policies and prompts: most clauses say what belongs to them, and a request often holds a word of its clause.
  ['Clauses of one family or two that list what belongs to them; a third of the requests name the subject', { listed: 0.75, named: 0.35 }],
];

async function measureReader(engine: EmbeddedEngine, split: TopicSplit, answerOf: AnswerOf, groups: number): Promise<string> {
  const tables: string[] = [];
  const written: string[] = [];
  for (const [title, sort] of measuredOn) {
    const outputs: Output[] = [];
    await Promise.all(
      measureGroups(seed, groups, split, answerOf, { richness: 0, summaries: 7, clauses: 11, examples: 12, ...sort }).flatMap((group) =>
        group.examples.map(async (example) => {
          const { choices } = await engine.policy.chat({
            messages: promptOf(group, example),
            sharedMessages: group.system === null ? 0 : 1,
            maxTokens: example.kind === 'grade' ? 40 : 128,
            temperature: 0,
          });
          outputs.push({ example, output: choices[0]?.text ?? '' });
        }),
      ),
    );
    written.push(...outputs.map(({ example, output }) => JSON.stringify({ policies: title, ...example, output })));
    tables.push(`${title}\n${measureTable(measure(outputs, (example) => seenOf(split, example)))}`);
  }
  writeFileSync(path.join(values.work, 'measured.jsonl'), written.join('\n'));
  return tables.join('\n\n');
}

async function main(): Promise<void> {
  mkdirSync(values.work, { recursive: true });
  const engine = await createEmbeddedEngine({ model: values.model, memoryGb: Number(values.memory), seed, onProgress: console.log });
  const split = splitTopics(readTopics(path.join(packageRoot, 'recipes', 'reasoner', 'topics')), seed);
  const answerOf = await sampleAnswers(engine, split, path.join(values.work, 'answers.jsonl'));
  const checkpoint = path.join(values.work, 'checkpoint');
  const metrics = path.join(values.work, 'metrics.jsonl');
  if (values.measure !== undefined) {
    await engine.reset(values.out);
    console.log(await measureReader(engine, split, answerOf, Number(values.measure)));
    await engine.close();
    return;
  }
  let first = 0;
  if (existsSync(path.join(checkpoint, 'step.json'))) {
    first = (JSON.parse(readFileSync(path.join(checkpoint, 'step.json'), 'utf8')) as { step: number }).step;
    await engine.load(checkpoint, { optimizer: true });
    console.log(`going on after step ${first}`);
  }
  const started = Date.now();
  for (let step = first; step < steps; step++) {
    const random = new Random(`reasoner ${seed} ${step}`);
    const data = Array.from({ length: groupsPerStep }, () =>
      makeGroup(random, split.training, answerOf, optionsAt(step / steps, random)),
    ).flatMap((group) => group.examples.map((example) => datumOf(engine.renderer, group, example)));
    const { lossSum, logprobs } = await engine.forwardBackward(data, 'cross_entropy');
    const warm = Math.min(1, (step + 1) / 15);
    const decay = Math.max(0.05, Math.min(1, (1 - step / steps) / 0.3));
    const { gradNorm } = await engine.optimStep({
      learningRate: Number(values.rate) * warm * decay,
      beta2: 0.98,
      eps: 1e-8,
      gradClipNorm: 1,
    });
    // What shows progress: how sure the reader is of what it must choose, and of grades.
    const meanProbability = (of: (datum: (typeof data)[number]) => number[]) => {
      const all = data.flatMap((datum, i) => of(datum).map((t) => Math.exp(logprobs[i]?.[t] ?? 0)));
      return all.reduce((a, b) => a + b, 0) / all.length;
    };
    const choices = meanProbability((datum) => datum.choices);
    const grades = meanProbability((datum) => datum.grade);
    const minutes = (Date.now() - started) / 60000;
    const left = (minutes / (step + 1 - first)) * (steps - step - 1);
    appendFileSync(metrics, `${JSON.stringify({ step, lossSum, choices, grades, gradNorm, minutes })}\n`);
    if (step % 5 === 0)
      console.log(
        `step ${step} loss ${(lossSum / data.length).toFixed(3)} choices ${choices.toFixed(2)} grades ${grades.toFixed(2)} grad ${gradNorm.toFixed(2)} ${minutes.toFixed(1)} min, ${left.toFixed(0)} left`,
      );
    if ((step + 1) % 20 === 0 || step + 1 === steps) {
      await engine.save(checkpoint);
      writeFileSync(path.join(checkpoint, 'step.json'), JSON.stringify({ step: step + 1 }));
      // An adapter that can be used while the training goes on.
      await writeAdapter(values.out, await readAdapter(checkpoint), { baseModel: values.model, dtype: 'BF16' });
    }
  }
  // Measured after rounding to BF16: what is committed is what was measured.
  await engine.reset(values.out);
  const table = await measureReader(engine, split, answerOf, Number(values.groups));
  console.log(table);
  writeFileSync(path.join(values.out, 'measured.txt'), `${table}\n`);
  await engine.close();
}

await main();
