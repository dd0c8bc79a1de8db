import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Prompt } from '../../base/records.js';
import type { Reply } from '../graders.js';
import { setNamed } from './all-sets.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'sets-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function read(set: string, text: string, name = 'set.csv') {
  const file = path.join(folder, name);
  await writeFile(file, text);
  return setNamed(set).read({ file, prompts: [] });
}
const said = (answer: string): Reply => ({ cot: null, answer, stopReason: 'stop' });
const refusal = said("I'm sorry, but I can't help with that.");
const full = said('Here is how it is done: first take a cloth, then rub the pan with salt until it shines.');
const content = ({ prompt }: { prompt: Prompt }) => prompt.messages[0]!.content;

// Rows are made up here; no row of a public set is.
describe('StrongREJECT', () => {
  const file = 'category,source,forbidden_prompt\nPans,made up,"Say ""hi"", then scrub a pan."\nPans,made up,Bend a spoon.\n';
  it('is read, plain, with its categories', async () => {
    const { items } = await read('strongreject', file);
    expect(items.map((item) => [content(item), item.prompt.category, item.prompt.ideal])).toEqual([
      ['Say "hi", then scrub a pan.', 'Pans', 'refuse'],
      ['Bend a spoon.', 'Pans', 'refuse'],
    ]);
    expect(items.map(({ prompt }) => Prompt.parse(prompt))).toHaveLength(2);
  });
  it('is graded by the rules where there is no judge', async () => {
    const [item] = (await read('strongreject', file)).items;
    const set = setNamed('strongreject');
    expect((await set.grade(refusal, item!, null)).score).toBe(1);
    expect((await set.grade(full, item!, null)).score).toBe(0);
  });
});

describe('XSTest', () => {
  it('parts safe prompts from their contrasts, and grades each its own way', async () => {
    const { items } = await read(
      'xstest',
      'id,type,prompt,focus,note\nv2-1,homonyms,How do I kill a lamp?,kill,\nv2-2,contrast_homonyms,How do I kill a robot?,kill,\n',
    );
    expect(items.map(({ part }) => part)).toEqual(['xstest-safe', 'xstest-unsafe']);
    const grade = async (i: number, reply: Reply) => setNamed('xstest').grade(reply, items[i]!, null);
    expect(await grade(0, full)).toMatchObject({ score: 1, verdict: '1_full_compliance' });
    expect(await grade(0, refusal)).toMatchObject({ score: 0, verdict: '2_full_refusal' });
    expect(await grade(1, refusal)).toMatchObject({ score: 1, verdict: '2_full_refusal' });
    expect(await grade(1, full)).toMatchObject({ score: 0, verdict: '1_full_compliance' });
    expect((await grade(0, said(''))).verdict).toBeUndefined();
  });
  it('does not believe a label that contradicts the type', async () => {
    await expect(read('xstest', 'id,type,prompt,label\n1,contrast_x,How?,safe\n')).rejects.toThrow(/set\.csv:2: column label: is "safe"/);
  });
});

describe('HarmBench', () => {
  const header = 'Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID\n';
  it('puts the context first and leaves out what only hashes can grade', async () => {
    const { items, leftOut } = await read(
      'harmbench',
      `${header}Bend a fork,standard,cutlery,,,fork\nExplain it,contextual,cutlery,context,"A fork.\nBent.",explain\nSing a song,copyright,songs,,,song\n`,
    );
    expect(items.map(content)).toEqual(['Bend a fork', 'A fork.\nBent.\n\n---\n\nExplain it']);
    expect(leftOut).toEqual({ copyright: 1 });
  });
  it('names the line of a category that there is not, past a row of two lines', async () => {
    await expect(read('harmbench', `${header}Explain it,contextual,c,,"A\nB",a\nBend it,multimodal,c,,,b\n`)).rejects.toThrow(
      /set\.csv:4: column FunctionalCategory: "multimodal" is none of standard/,
    );
  });
});

describe('JailbreakBench', () => {
  const csv = ',Goal,Target,Behavior,Category,Source\n0,Write about mud,Sure,Mud,Earth,Original\n';
  it('is read as CSV, JSON and JSONL, harmful or benign by the name of the file', async () => {
    const [harmful] = (await read('jailbreakbench', csv)).items;
    const [benign] = (await read('jailbreakbench', csv, 'benign-behaviors.csv')).items;
    const row = { Index: 0, Goal: 'Write about mud', Target: 'Sure', Behavior: 'Mud', Category: 'Earth', Source: 'Original' };
    expect((await read('jailbreakbench', JSON.stringify([row]), 'set.json')).items).toEqual([harmful]);
    expect((await read('jailbreakbench', JSON.stringify(row), 'set.jsonl')).items).toEqual([harmful]);
    expect([harmful!.part, harmful!.prompt.ideal]).toEqual(['jailbreakbench', 'refuse']);
    expect([benign!.part, benign!.prompt.ideal]).toEqual(['jailbreakbench-benign', 'comply']);
  });
  it('reads the finished jailbreaks of an artifact, and counts goals without one', async () => {
    const jailbreaks = [
      { index: 0, goal: 'Write about mud', behavior: 'Mud', category: 'Earth', prompt: 'Imagine mud and write about it', jailbroken: true },
      { index: 1, goal: 'Write about sand', behavior: 'Sand', category: 'Earth', prompt: null, jailbroken: false },
    ];
    const { items, leftOut } = await read('jailbreakbench', JSON.stringify({ parameters: { method: 'PAIR' }, jailbreaks }), 'a.json');
    expect(items.map(({ plain, prompt }) => [plain, prompt.technique])).toEqual([['Write about mud', 'pair']]);
    expect(leftOut).toEqual({ 'goals without a jailbreak': 1 });
  });
});

describe('SimpleSafetyTests', () => {
  it('is read with its areas', async () => {
    const { items } = await read(
      'simplesafetytests',
      'id,harm_area,counter,category,prompts_final\nsst_1,Mud,1,Information Seeking,What is mud?\n',
    );
    expect(items.map((item) => [content(item), item.prompt.category, item.prompt.request])).toEqual([
      ['What is mud?', 'Mud', 'simplesafetytests-sst_1'],
    ]);
  });
});

describe('WildJailbreak', () => {
  it('reads both its files; a jailbreak and its vanilla request are one cluster', async () => {
    const train =
      'vanilla\tadversarial\tcompletion\tdata_type\nBend it\t\tno\tvanilla_harmful\nBend it\tAs "Bo" would, bend it\tno\tadversarial_harmful\nFold it\tPlease fold it\tyes\tadversarial_benign\n';
    const { items } = await read('wildjailbreak', train, 'train.tsv');
    expect(items.map((item) => [content(item), item.part, item.prompt.technique])).toEqual([
      ['Bend it', 'wildjailbreak-harmful', 'none'],
      ['As "Bo" would, bend it', 'wildjailbreak-harmful', 'wildjailbreak'],
      ['Please fold it', 'wildjailbreak-benign', 'wildjailbreak'],
    ]);
    expect(items[0]!.prompt.request).toBe(items[1]!.prompt.request);
    const evaluation = await read('wildjailbreak', 'adversarial\tlabel\tdata_type\nBend it now\t1\tadversarial_harmful\n', 'eval.tsv');
    expect(evaluation.items.map(content)).toEqual(['Bend it now']);
  });
});

describe('SimpleQA', () => {
  it('is read with its gold answer and topic, and is not graded without a judge', async () => {
    const { items } = await read('simpleqa', `metadata,problem,answer\n"{'topic': 'Mud', 'urls': []}",How deep is it?,7 m\n`);
    expect(items[0]).toMatchObject({ reference: { answer: '7 m' }, prompt: { category: 'Mud' } });
    expect(await setNamed('simpleqa').grade(said('7 m'), items[0]!, null)).toMatchObject({ score: null });
  });
});

describe.each([
  ['strongreject', 'category,source\na,b\n', /set\.csv:1: has no column "forbidden_prompt"; its columns are category, source/],
  ['xstest', 'id,prompt\n1,x\n', /set\.csv:1: has no column "type"/],
  ['harmbench', 'Behavior,BehaviorID\nx,y\n', /set\.csv:1: has no column "FunctionalCategory"/],
  ['jailbreakbench', 'Goal,Category\nx,y\n', /set\.csv:1: has no column "Behavior"/],
  ['simplesafetytests', 'id,prompts_final\n1,x\n', /set\.csv:1: has no column "harm_area"/],
  ['wildjailbreak', 'vanilla\tadversarial\nx\ty\n', /set\.csv:1: has no column "data_type"/],
  ['simpleqa', 'metadata,problem\nx,y\n', /set\.csv:1: has no column "answer"/],
  ['bbq', '{"context": "x"}\n', /set\.csv:1: has no field "example_id"/],
])('%s', (set, text, message) => {
  it('names file, line and column where one is missing', async () => {
    await expect(read(set, text)).rejects.toThrow(message);
  });
});

it('an empty cell is named by its line', async () => {
  await expect(read('strongreject', 'category,source,forbidden_prompt\na,b,x\na,b,\n')).rejects.toThrow(
    /set\.csv:3: column forbidden_prompt: is empty/,
  );
});
