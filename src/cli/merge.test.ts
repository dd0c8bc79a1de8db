/** Three machines generate and judge, one puts it together and goes on: the same run as on one machine. */
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { mergeShards } from '../align/merge-shards.js';
import { loadSpec } from '../align/spec/parse.js';
import type { Spec } from '../align/spec/types.js';
import { parseConfig, type Config } from '../base/config.js';
import { lockFolder } from '../base/folder-lock.js';
import { readJsonl } from '../base/jsonl.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import { Completion, Judgement, Prompt } from '../base/records.js';
import { parseShard, shardOf, type Shard } from '../base/shard.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { loadPrompts } from '../prompts/load.js';
import { main } from './main.js';
import { runStages, shardStages, type RunOptions } from './run.js';

let spec: Spec;
let prompts: Prompt[];
let home: string;
let alone: string;
let shards: string[];

const settings = {
  prompts: { train: 40, ordinary: 8, validation: 4 },
  generate: { samples: 2, maxTokens: 400 },
  judge: { maxTokens: 400 },
  filter: { threshold: 0.5 },
  rl: { steps: 1, promptsPerStep: 2, samplesPerPrompt: 3, maxTokens: 400, validateEvery: 1 },
  eval: { plain: 1, jailbroken: 1, techniques: 2, maxTokens: 400, arms: ['base', 'sft+rl'] },
};
const config = (over: object = {}): Config => parseConfig({ ...settings, ...over }, 'test');
const of3 = (index: number): Shard => ({ index, of: 3 });

const start = (root: string, over: Partial<RunOptions> = {}) =>
  runStages({ root, config: config(), spec, prompts, bench: createScriptedWorkbench(), progress: silent, codeVersion: 'test', ...over });
const folder = (name: string) => path.join(home, name);

beforeAll(async () => {
  spec = await loadSpec(path.join(packageRoot, 'spec'));
  // Some without a category, so that there is something to sort.
  prompts = (await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'))).map((prompt, i) => {
    const { category: _, ...uncategorised } = prompt;
    return i % 5 === 0 ? uncategorised : prompt;
  });
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-merge-'));
  alone = folder('alone');
  await start(alone, { stages: shardStages });
  shards = [1, 2, 3].map((index) => folder(`${index}of3`));
  for (const [at, root] of shards.entries()) await start(root, { shard: of3(at + 1) });
}, 120_000);
afterAll(() => rm(home, { recursive: true, force: true }));

async function contents(root: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(root, { recursive: true })).sort()) {
    if (!(await stat(path.join(root, name))).isFile()) continue;
    files[name] = (await readFile(path.join(root, name), 'utf8')).replace(/"seconds":[\d.e-]+/g, '"seconds":0');
  }
  return files;
}
const byLine = (files: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, name.endsWith('.jsonl') ? text.split('\n').sort().join('\n') : text]),
  );

describe('shards', () => {
  it('are each a share of the requests, and together all of them', async () => {
    // As they are asked: some are wrapped.
    const asked = await readJsonl(path.join(alone, 'prompts.jsonl'), Prompt);
    const requestOf = new Map(asked.map(({ id, request }) => [id, request]));
    const all: string[] = [];
    for (const [at, root] of shards.entries()) {
      const made = await readJsonl(path.join(root, 'completions.jsonl'), Completion);
      expect(made.length).toBeGreaterThan(10);
      expect(new Set(made.map(({ promptId }) => shardOf(requestOf.get(promptId)!, 3)))).toEqual(new Set([at + 1]));
      all.push(...made.map(({ id }) => id));
    }
    expect(all.sort()).toEqual((await readJsonl(path.join(alone, 'completions.jsonl'), Completion)).map(({ id }) => id).sort());
  });

  it('are written as i/n', () => {
    expect(parseShard('2/5')).toEqual({ index: 2, of: 5 });
    for (const wrong of ['0/3', '4/3', '1', '1/0', '1/3/5', 'a/b', '1/20000']) expect(() => parseShard(wrong)).toThrow('i/n');
  });

  it('do not change places when another number of prompts is asked', () => {
    const counts = [0, 0, 0, 0];
    for (const { request } of prompts) counts[shardOf(request, 4) - 1]!++;
    for (const count of counts) expect(count).toBeGreaterThan(prompts.length / 5);
  });

  it('stop at the judge, and are no place for another shard or a whole run', async () => {
    await expect(start(folder('x'), { shard: of3(1), stages: ['sft'] })).rejects.toThrow(/sft: needs all shards.*merge/);
    await expect(start(shards[0]!, { shard: of3(2) })).rejects.toThrow('was begun as shard 1/3, not 2/3');
    await expect(start(shards[0]!)).rejects.toThrow(/is shard 1\/3 of a run.*--shard 1\/3/s);
    await expect(start(alone, { shard: of3(1) })).rejects.toThrow('was begun as a whole run');
  });
});

describe('a merge', () => {
  it('gives the run that one machine makes, and the stages after the judge go on in it', async () => {
    const root = folder('merged');
    // In any order.
    const merged = await mergeShards(root, [shards[2]!, shards[0]!, shards[1]!]);
    expect(merged).toMatchObject({ shards: 3, prompts: 48, completions: 96, already: false });
    const [one, three] = [await contents(alone), await contents(root)];
    expect(Object.keys(three)).toEqual(Object.keys(one));
    for (const name of ['run.yaml', 'prompts.jsonl', 'categories.jsonl', 'completions.jsonl']) expect(three[name]).toBe(one[name]);
    // Judging takes one answer longer than another: the order is that of work.
    expect(byLine(three)).toEqual(byLine(one));

    const bench = createScriptedWorkbench();
    await start(root, { bench, stages: ['generate', 'judge', 'filter'] });
    expect(bench.chats).toEqual([]);
    await start(root);
    await start(alone);
    const [whole, went] = [await contents(alone), await contents(root)];
    expect(Object.keys(went).length).toBeGreaterThan(20);
    expect(byLine(went)).toEqual(byLine(whole));
  }, 120_000);

  it('is done once, and gives the same when it is given again', async () => {
    const root = folder('again');
    await mkdir(root);
    await mergeShards(`${root}/`, shards);
    const before = await contents(root);
    expect(await mergeShards(root, shards)).toMatchObject({ already: true });
    expect(await mergeShards(folder('other-order'), [...shards].reverse())).toMatchObject({ already: false });
    expect(await contents(root)).toEqual(before);
    expect(await contents(folder('other-order'))).toEqual(before);
    expect((await readdir(home)).filter((name) => name.endsWith('.merging'))).toEqual([]);
  });

  it('goes on after one that was killed in the middle', async () => {
    const room = folder('.killed.merging');
    await mkdir(path.join(room, 'run'), { recursive: true });
    await mkdir(path.join(room, '.lock'));
    // No process has this number.
    await writeFile(path.join(room, '.writer.json'), JSON.stringify({ pid: 2 ** 30, host: os.hostname() }));
    await writeFile(path.join(room, 'run', 'completions.jsonl'), '{"id":"half');
    await writeFile(path.join(room, 'run', 'left-over'), '');
    await writeFile(path.join(room, `..writer.json.${2 ** 30}.new`), '{"pi');
    await mergeShards(folder('killed'), shards);
    expect(await contents(folder('killed'))).toEqual(await contents(folder('again')));
    expect(await readdir(home)).not.toContain('.killed.merging');
  });

  it('takes the same shard twice where it is the same, and says what is missing', async () => {
    await cp(shards[1]!, folder('copy'), { recursive: true });
    await mergeShards(folder('twice'), [...shards, folder('copy')]);
    expect(await contents(folder('twice'))).toEqual(await contents(folder('again')));
    await expect(mergeShards(folder('x'), [shards[1]!])).rejects.toThrow('missing: shard 1/3, 3/3');
    await expect(mergeShards(folder('x'), [shards[1]!, folder('copy'), shards[0]!])).rejects.toThrow('missing: shard 3/3');
  });

  it('refuses shards that are not of one run', async () => {
    const other = async (name: string, over: Partial<RunOptions>) => {
      await start(folder(name), { shard: of3(3), ...over });
      return mergeShards(folder('x'), [shards[0]!, shards[1]!, folder(name)]);
    };
    await expect(other('seed', { config: config({ seed: 1 }) })).rejects.toThrow('seed is 0 in the one and 1 in the other');
    const edited = structuredClone(spec);
    edited.categories.find(({ name }) => name === 'violence')!.clauses[0]!.text += ' In all cases.';
    await expect(other('spec', { spec: edited })).rejects.toThrow('specifications differ in violence');
    await expect(other('prompts', { prompts: prompts.slice(1) })).rejects.toThrow('different prompts');
    await expect(other('quarter', { shard: { index: 3, of: 4 } })).rejects.toThrow('the one is 1/3, the other 3/4');
    const bench = { ...createScriptedWorkbench(), digests: { model: 'another', adapter: 'none' } };
    await expect(other('model', { bench })).rejects.toThrow("the model's weights differ");
    await expect(mergeShards(folder('x'), [alone, ...shards])).rejects.toThrow('is a whole run');
    await expect(mergeShards(folder('x'), [folder('nowhere'), ...shards])).rejects.toThrow('holds no run');
    expect(await readdir(home)).not.toContain('x');
  }, 120_000);

  it('takes shards whose servers and names of folders differ', async () => {
    const root = folder('elsewhere');
    await start(root, { shard: of3(3), config: config({ engine: { threads: 7 }, eval: { ...settings.eval, plain: 3 } }) });
    await mergeShards(folder('from-elsewhere'), [shards[0]!, shards[1]!, root]);
    expect(await contents(folder('from-elsewhere'))).toEqual(await contents(folder('again')));
  });

  it('refuses a shard that is not done, was copied in part, or has other records than its twin', async () => {
    const without = async (name: string, change: (root: string) => Promise<unknown>, also: string[] = [shards[0]!, shards[1]!]) => {
      await cp(shards[2]!, folder(name), { recursive: true });
      await change(folder(name));
      return mergeShards(folder('x'), [...also, folder(name)]);
    };
    const controller = new AbortController();
    const bench = createScriptedWorkbench({ onCall: (call) => call === 12 && controller.abort() });
    await start(folder('stopped'), { shard: of3(3), bench, signal: controller.signal }).catch((error: Error) => error.name);
    await expect(mergeShards(folder('x'), [shards[0]!, shards[1]!, folder('stopped')])).rejects.toThrow('shard 3/3 is not done');
    await start(folder('stopped'), { shard: of3(3) });
    await mergeShards(folder('after-stop'), [shards[0]!, shards[1]!, folder('stopped')]);
    expect(byLine(await contents(folder('after-stop')))).toEqual(byLine(await contents(folder('again'))));

    const file = 'judgements.jsonl';
    const cut = async (root: string) => {
      const text = await readFile(path.join(root, file), 'utf8');
      await writeFile(path.join(root, file), text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1));
    };
    await expect(without('cut', cut)).rejects.toThrow(`has another ${file} than it was done with`);
    await expect(without('twin', cut, shards)).rejects.toThrow(/are both shard 3\/3, with different records in judgements/);
    await expect(without('line', (root) => appendFile(path.join(root, file), '{"id": 1}\n'))).rejects.toThrow('than it was done with');
    expect(await readdir(home)).not.toContain('x');
  }, 120_000);

  it('refuses a target that is in use or holds something', async () => {
    const used = folder('used');
    const lock = await lockFolder(used);
    await expect(mergeShards(used, shards)).rejects.toThrow(/another process .* is writing/);
    await lock.release();
    await mkdir(folder('full'));
    await writeFile(path.join(folder('full'), 'notes.txt'), 'mine');
    await expect(mergeShards(folder('full'), shards)).rejects.toThrow('is not empty');
    await expect(mergeShards(shards[0]!, shards)).rejects.toThrow('is not empty');
    await cp(folder('again'), folder('changed'), { recursive: true });
    await appendFile(path.join(folder('changed'), 'completions.jsonl'), '\n');
    await expect(mergeShards(folder('changed'), shards)).rejects.toThrow('is not empty');
    expect(await readFile(path.join(folder('full'), 'notes.txt'), 'utf8')).toBe('mine');
  });

  it('refuses records of one id that differ', async () => {
    // Two shards that did the same work differently, as overlapping shards would have.
    const root = folder('overlap');
    await cp(shards[2]!, root, { recursive: true });
    const [completion] = await readJsonl(path.join(shards[0]!, 'completions.jsonl'), Completion);
    await appendFile(path.join(root, 'completions.jsonl'), `${JSON.stringify({ ...completion, answer: 'Another.' })}\n`);
    await start(root, { shard: of3(3) });
    await expect(mergeShards(folder('x'), [shards[0]!, shards[1]!, root])).rejects.toThrow(
      new RegExp(`different records of one id, ${completion!.id}: these shards overlap`),
    );
    const judged = await readJsonl(path.join(root, 'judgements.jsonl'), Judgement);
    expect(judged.length).toBeGreaterThan(0);
  });
});

describe('the command line', () => {
  let said: string[];
  beforeEach(() => {
    said = [];
    for (const to of ['log', 'error'] as const) vi.spyOn(console, to).mockImplementation((text: string) => void said.push(text));
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('merges, and says how to go on', async () => {
    const root = folder('by-command');
    expect(await main(['merge', root, ...shards])).toBe(0);
    expect(said.join('\n')).toMatch(/now holds all 3 shards: 48 prompts, 96 completions, \d+ judgements.*deliberate run/);
    expect(await contents(root)).toEqual(await contents(folder('again')));
    expect(await main(['merge', root, shards[0]!])).toBe(2);
    expect(said.at(-1)).toContain('missing: shard 2/3, 3/3');
  });

  it('refuses a shard that is none', async () => {
    expect(await main(['run', '--shard', '4/3'])).toBe(2);
    expect(said.at(-1)).toContain('write it as i/n');
    expect(said.at(-1)).toContain('2/5');
  });

  it('tells what a run would cost', async () => {
    expect(await main(['cost', '--prompts', '1000,100000', '--length', 'cot=300', '--passes', '1'])).toBe(0);
    expect(said.join('\n')).toMatch(/^100,000 prompts\nstage .*\nstart .*\ngenerate +300,000 /m);
    expect(await main(['cost', '--length', 'thought=3'])).toBe(2);
    expect(said.at(-1)).toContain('Known: prompt,');
  });
});
