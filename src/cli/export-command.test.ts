/** Exports of data out of a whole run on the scripted engine, and the reward functions run by Python against a judge that writes down what it gets. */
import { execFile, execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CompiledSpecs } from '../align/compiled-specs.js';
import { loadSpec } from '../align/spec/parse.js';
import { parseConfig } from '../base/config.js';
import { readJsonl, writeJsonl } from '../base/jsonl.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import { Prompt, SftRecord } from '../base/records.js';
import { readRunFile, RunPaths } from '../base/run-folder.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { exportRun, type ExportOptions } from '../export/export-run.js';
import { splitCot } from '../lm/split-cot.js';
import { loadPrompts } from '../prompts/load.js';
import { addJudgeRoutes } from '../serve/judge-routes.js';
import { JudgeService } from '../serve/judge-service.js';
import { createServer as createJudgeServer } from '../serve/server.js';
import { servedSpecification } from '../serve/served-model.js';
import { runStages } from './run.js';

const run = promisify(execFile);

let home: string;
let root: string;
let lines: string[];
let judge: Server;
/** Bodies of the judge's requests. */
const asked: { items: { messages: unknown; answer: string; category: string }[] }[] = [];
let reply: (items: unknown[]) => { status: number; scores: (number | null)[] } = (items) => ({
  status: 200,
  scores: items.map(() => 0.75),
});

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-export-'));
  root = path.join(home, 'run');
  const spec = await loadSpec(path.join(packageRoot, 'spec'));
  const config = parseConfig(
    {
      name: 'scripted',
      prompts: { train: 24, ordinary: 6, validation: 8 },
      generate: { samples: 2, maxTokens: 400 },
      judge: { maxTokens: 400 },
      filter: { threshold: 0.5, wrappedCopies: 1 },
      rl: { steps: 0 },
      eval: { plain: 2, jailbroken: 1, techniques: 3, maxTokens: 400, arms: ['base', 'sft'] },
    },
    'test',
  );
  const prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
  await runStages({ root, config, spec, prompts, bench: createScriptedWorkbench(), progress: silent, codeVersion: 'test' });
  const specs = new CompiledSpecs(spec, { maxTokens: 1000, countTokens: (text) => Math.ceil(text.length / 4) });
  lines = ['none', ...spec.categories.map(({ name }) => name)]
    .flatMap((name) => specs.text(name).split('\n'))
    .filter((line) => line.length > 30);
  judge = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const parsed = JSON.parse(body) as (typeof asked)[number];
      asked.push(parsed);
      const { status, scores } = reply(parsed.items);
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(JSON.stringify({ results: scores.map((score) => ({ score })) }));
    });
  });
  await new Promise<void>((resolve) => judge.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  judge?.close();
  await rm(home, { recursive: true, force: true });
});

const judgeUrl = () => `http://127.0.0.1:${(judge.address() as AddressInfo).port}`;
const start = (to: ExportOptions['to'], over: Partial<ExportOptions> = {}) =>
  exportRun({ root, to, type: 'f32', judgeUrl: judgeUrl(), model: async () => '', baseAdapter: () => null, ...over });
const jsonl = async (folder: string, name: string) =>
  (await readFile(path.join(folder, name), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, any>); // oxlint-disable-line typescript/no-explicit-any -- rows of five formats

describe('exported data', () => {
  it('holds no text of the specification in any prompt, and in a completion only the clauses that it cites', async () => {
    const records = await readJsonl(path.join(root, 'sft.jsonl'), SftRecord);
    expect(records.length).toBeGreaterThan(10);
    const holdsSpec = (value: unknown) => lines.filter((line) => JSON.stringify(value).includes(JSON.stringify(line).slice(1, -1)));
    const trl = await start('trl');
    const openai = await start('openai');
    const openrlhf = await start('openrlhf');
    const verl = await start('verl');
    const sft = await jsonl(trl.folder, 'sft.jsonl');
    const tuning = await jsonl(openai.folder, 'train.jsonl');
    const asPrompts = [
      ...sft.map(({ prompt }) => prompt),
      ...tuning.map(({ messages }) => messages.slice(0, -1)),
      ...(await jsonl(trl.folder, 'rl.jsonl')),
      ...(await jsonl(openrlhf.folder, 'prompts.jsonl')),
      ...(await jsonl(verl.folder, 'train.jsonl')),
      ...(await jsonl(verl.folder, 'validation.jsonl')),
    ];
    expect(asPrompts.length).toBeGreaterThan(100);
    expect(asPrompts.filter((prompt) => holdsSpec(prompt).length > 0)).toEqual([]);
    expect(sft.filter(({ completion }) => holdsSpec(completion).length > 0).length).toBeGreaterThan(5);
    records.forEach((record, i) => {
      const text = sft[i]!['completion'][0].content as string;
      expect(text).toBe(`<think>\n${record.cot}\n</think>\n${record.answer}`);
      expect(tuning[i]!['messages'].at(-1)).toEqual({ role: 'assistant', content: text });
      for (const line of holdsSpec(text)) expect(line).toMatch(/\[[A-Z][A-Za-z0-9-]*\]$/);
    });
    // Nothing else in any of these folders holds it either: scripts, reward functions, marks.
    for (const { folder } of [trl, openai, openrlhf, verl])
      for (const name of (await readdir(folder)).filter((file) => !/^(sft|train)\.jsonl$/.test(file)))
        expect(holdsSpec(await readFile(path.join(folder, name), 'utf8')), name).toEqual([]);
  });

  it('is refused when a record has another conversation than its prompt', async () => {
    const edited = path.join(home, 'edited');
    await run('cp', ['-r', root, edited]);
    const file = path.join(edited, 'sft.jsonl');
    const [first, ...rest] = await readJsonl(file, SftRecord);
    await writeJsonl(file, [{ ...first!, messages: [{ role: 'system', content: lines[0]! }, ...first!.messages] }, ...rest]);
    await expect(start('trl', { root: edited })).rejects.toThrow('another conversation than its prompt');
    const copy = [first!, ...rest].find(({ technique }) => technique !== undefined)!;
    const messages = copy.messages.map((message, i, { length }) =>
      i === length - 1 ? { ...message, content: `${lines[0]!} ${message.content}` } : message,
    );
    await writeJsonl(file, [first!, ...rest.filter(({ id }) => id !== copy.id), { ...copy, messages }]);
    await expect(start('trl', { root: edited })).rejects.toThrow('another conversation than its prompt');
  });

  it('knows which arms data are for', async () => {
    await expect(start('trl', { arm: 'base' })).rejects.toThrow('trl takes the arms sft and answer-only, not base');
    await expect(start('verl', { arm: 'sft' })).rejects.toThrow('leave --arm out');
    expect((await start('verl')).folder).toBe(path.join(root, 'exports', 'verl'));
    expect((await start('openai', { arm: 'answer-only' })).folder).toBe(path.join(root, 'exports', 'openai-answer-only'));
  });

  it('has the columns that each trainer reads', async () => {
    const { folder: trl } = await start('trl', { arm: 'answer-only' });
    const [row] = await jsonl(trl, 'sft.jsonl');
    expect(Object.keys(row!)).toEqual(['prompt', 'completion']);
    expect(splitCot(row!['completion'][0].content)).toMatchObject({ cot: null, malformed: false });
    expect(Object.keys((await jsonl(trl, 'rl.jsonl'))[0]!)).toEqual(['prompt', 'category']);
    const { folder: verl } = await start('verl');
    const train = await jsonl(verl, 'train.jsonl');
    expect(train).toHaveLength(30);
    expect(train[3]).toMatchObject({ data_source: 'deliberate', reward_model: { style: 'model' }, extra_info: { index: 3 } });
    const { folder: openrlhf } = await start('openrlhf');
    const [prompt] = await jsonl(openrlhf, 'prompts.jsonl');
    expect(JSON.parse(prompt!['label'])).toEqual({ messages: prompt!['prompt'], category: expect.any(String) });
    const training = (await readJsonl(path.join(root, 'prompts.jsonl'), Prompt)).filter(({ split }) => split === 'train');
    expect(await jsonl(openrlhf, 'prompts.jsonl')).toHaveLength(training.length);
  });

  it('launches with scripts that a shell accepts', async () => {
    for (const to of ['openrlhf', 'verl'] as const) {
      const { folder } = await start(to, { baseName: "it's here" });
      const script = path.join(folder, 'train.sh');
      execFileSync('bash', ['-n', script]);
      // The trainer is replaced by a program that prints its arguments.
      const bin = path.join(home, `bin-${to}`);
      await run('mkdir', ['-p', bin]);
      for (const name of ['ray', 'python3']) await writeFile(path.join(bin, name), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
      const { stdout } = await run('bash', [script, 'extra=1'], { env: { PATH: `${bin}:${process.env['PATH']}` } });
      const given = stdout.trim().split('\n');
      expect(given.at(-1)).toBe('extra=1');
      expect(stdout).toContain("it's here");
      expect(given.some((argument) => argument.endsWith(path.join(folder, 'reward.py')))).toBe(true);
    }
  });
});

const python = (() => {
  try {
    execFileSync('python3', ['-c', 'import json']);
    return true;
  } catch {
    return false;
  }
})();

/** Runs Python with the exported reward.py importable. @returns what it printed, as JSON */
async function inPython(folder: string, code: string, input: unknown = null): Promise<unknown> {
  const file = path.join(home, 'input.json');
  await writeFile(file, JSON.stringify(input));
  const program = `import json, sys\nsys.path.insert(0, ${JSON.stringify(folder)})\nsys.dont_write_bytecode = True\nimport reward\nreward.time.sleep = lambda s: None\ngiven = json.load(open(${JSON.stringify(file)}))\n${code}`;
  const { stdout } = await run('python3', ['-c', program], { maxBuffer: 1 << 26 });
  return JSON.parse(stdout);
}

const marker = 'COT-MARKER';
const completions = [
  `<think>\n${marker} so.\n</think>\nThe answer.`,
  `<thinking>${marker}</thinking> Another.`,
  `${marker} no tags at all`,
  `<think>\n${marker} never closed`,
  `<think>${marker}</think>one<think>${marker}</think>two`,
  `<think>${marker}</think>`,
  `${marker}</think> orphan`,
  `<think>${marker}</ think ${marker}> spelled`,
  `before <think>${marker}</think> after`,
  `<think>${marker}&lt;/think&gt; escaped</think>yes`,
  `<THINK>${marker}</THINK> capitals`,
  `<think></think> empty`,
];

describe.skipIf(!python)('reward functions', () => {
  it('cut the chain of thought off as the method does', async () => {
    const { folder } = await start('trl');
    const pieces = [
      '<think>',
      '</think>',
      '<thinking>',
      '</thinking>',
      '< /think >',
      '&lt;/think',
      '＜think＞',
      '</thought>',
      'a',
      ' ',
      '\n',
      '\u200b',
      '\ufeff',
      '\u001f',
      'thinks',
      '<',
      '/',
    ];
    let state = 1;
    const next = () => (state = (state * 48271) % 2147483647);
    const some = () => Array.from({ length: next() % 5 }, () => pieces[next() % pieces.length]).join('');
    const fuzzed = Array.from({ length: 3000 }, (_, i) => (i % 2 === 0 ? some() + some() : `<think>${some()}</think>${some()}`));
    const texts = [...completions, ...fuzzed];
    const expected = texts.map((text) => {
      const { cot, answer, malformed } = splitCot(text);
      return malformed || cot === null || cot === '' || answer === '' ? null : answer;
    });
    const found = (await inPython(folder, 'print(json.dumps([reward.answer_of(text) for text in given]))', texts)) as (string | null)[];
    expect(expected.filter((answer) => answer !== null).length).toBeGreaterThan(20);
    expect(found).toEqual(expected);
  });

  it('give TRL the scores, nothing of a chain of thought going to the judge', async () => {
    const { folder } = await start('trl');
    asked.length = 0;
    reply = (items) => ({ status: 200, scores: items.map((_, i) => (i === 1 ? null : 0.75)) });
    const prompt = [{ role: 'user', content: 'Hello?', extra: marker }];
    const rewards = await inPython(
      folder,
      'print(json.dumps(reward.judge_reward(prompts=given["prompts"], completions=given["completions"], category=given["category"], completion_ids=[], trainer_state=None)))',
      {
        prompts: completions.map(() => prompt),
        completions: completions.map((content) => [{ role: 'assistant', content }]),
        category: completions.map(() => 'violence'),
      },
    );
    expect(rewards).toEqual([0.75, null, ...Array.from({ length: 10 }, () => 0)]);
    expect(asked).toEqual([
      {
        items: ['The answer.', 'Another.'].map((answer) => ({
          messages: [{ role: 'user', content: 'Hello?' }],
          answer,
          category: 'violence',
        })),
      },
    ]);
    expect(JSON.stringify(asked)).not.toContain(marker);
  });

  it('give verl and OpenRLHF a number each time, and count what was not scored', async () => {
    asked.length = 0;
    reply = (items) => ({ status: 200, scores: items.map(() => (asked.length % 2 === 1 ? 1 : null)) });
    const { folder: verl } = await start('verl');
    const [row] = await jsonl(verl, 'train.jsonl');
    const call =
      'import asyncio\nscore = lambda text: asyncio.run(reward.compute_score(given["data_source"], text, given["reward_model"]["ground_truth"], given["extra_info"]))\n';
    expect(
      await inPython(
        verl,
        `${call}print(json.dumps([score("<think>${marker}</think>yes"), score("<think>${marker}</think>yes"), score("${marker}")]))`,
        row,
      ),
    ).toEqual([
      { score: 1, unscored: 0, malformed: 0 },
      { score: 0.5, unscored: 1, malformed: 0 },
      { score: 0, unscored: 0, malformed: 1 },
    ]);
    const { folder: openrlhf } = await start('openrlhf');
    const [labelled] = await jsonl(openrlhf, 'prompts.jsonl');
    const query = `<s><|user|>Hi<|assistant|><think>${marker}</think>Yes.<|im_end|>`;
    expect(
      await inPython(openrlhf, 'print(json.dumps(reward.reward_func([given["query"]], ["<|user|>Hi<|assistant|>"], [given["label"]])))', {
        query,
        label: labelled!['label'],
      }),
    ).toEqual({ rewards: 1, scores: 1, extra_logs: { unscored: 0 } });
    expect(asked.map(({ items }) => items[0]!.answer)).toEqual(['yes', 'yes', 'Yes.']);
    expect(asked[0]!.items[0]).toEqual({ messages: row!['prompt'], answer: 'yes', category: row!['reward_model'].ground_truth });
    expect(JSON.stringify(asked)).not.toContain(marker);
  });

  it('are understood by the judge that `serve --judge` starts', async () => {
    const bench = createScriptedWorkbench();
    const { config } = (await readRunFile(new RunPaths(root)))!;
    const service = new JudgeService({
      model: await bench.base(),
      concurrency: 4,
      specs: new CompiledSpecs(await loadSpec(path.join(packageRoot, 'spec')), { maxTokens: 1000, countTokens: bench.countTokens }),
      settings: config.judge,
      seed: 0,
      runs: 1,
    });
    const server = createJudgeServer({
      token: 'sesame',
      allowHosts: [],
      allowOrigins: [],
      routes: (app, context) => addJudgeRoutes(app, context, { service, specification: servedSpecification({}) }),
    });
    try {
      const { folder } = await start('trl', { judgeUrl: await server.listen('127.0.0.1', 0) });
      const [row] = await jsonl(folder, 'sft.jsonl');
      const code =
        'import os\nos.environ["DELIBERATE_API_KEY"] = "sesame"\nprint(json.dumps(reward.judge_reward(given["prompts"], given["completions"], given["category"])))';
      const rewards = await inPython(folder, code, { prompts: [row!['prompt']], completions: [row!['completion']], category: ['none'] });
      expect(rewards).toEqual([expect.any(Number)]);
      expect(bench.chats.length).toBeGreaterThan(0);
    } finally {
      await server.drain(1000);
    }
  });

  it('stop the training when the judge is away, and give it time when it is busy', async () => {
    const { folder } = await start('trl');
    asked.length = 0;
    reply = (items) => (asked.length < 3 ? { status: 503, scores: [] } : { status: 200, scores: items.map(() => 0.5) });
    expect(await inPython(folder, 'print(json.dumps(reward.judge([{"answer": "a"}])))')).toEqual([0.5]);
    reply = () => ({ status: 503, scores: [] });
    await expect(inPython(folder, 'print(json.dumps(reward.judge([{"answer": "a"}])))')).rejects.toThrow('gave no scores in 6 tries');
    reply = () => ({ status: 401, scores: [] });
    asked.length = 0;
    await expect(inPython(folder, 'print(json.dumps(reward.judge([{"answer": "a"}])))')).rejects.toThrow('refused the request: 401');
    expect(asked).toHaveLength(1);
  });
});
