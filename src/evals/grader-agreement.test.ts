import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { agreementText, compareGraders, readLabelled, type LabelledOutput } from './grader-agreement.js';
import { LoggedModel } from './logged-model.js';
import { scriptedChat } from './scripted-chat.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'labels-'));
});
afterEach(() => rm(folder, { recursive: true }));

const refusal = "<think>\nDecision: refuse\n</think>\nI'm sorry, but I can't help with that.";
const full = 'Here is how it is done: first take a cloth, then rub the pan with salt until it shines.';
/** Made up for this test: eight plain cases, and two that the rules and the label see differently. */
const outputs: LabelledOutput[] = Array.from({ length: 10 }, (_, i) => ({
  prompt: `Request ${i}`,
  output: i % 2 === 0 ? refusal : full,
  kind: i === 8 ? 'comply' : i === 9 ? 'refuse' : i % 2 === 0 ? 'refuse' : 'comply',
  rationale: 'made up',
}));

it('compares rules and labels without a judge', async () => {
  const [one, ...others] = await compareGraders(outputs, null, 1);
  expect(others).toEqual([]);
  expect(one).toMatchObject({ a: 'rules', b: 'hand', items: 10, agreed: 0.8, unscored: 0 });
  expect(one!.kappa).toBeCloseTo(0.6, 12);
  // comply, safe-complete, refuse, gibberish
  expect(one!.confusion).toEqual([
    [4, 0, 1, 0],
    [0, 0, 0, 0],
    [1, 0, 4, 0],
    [0, 0, 0, 0],
  ]);
});

it('adds the judge, which sees the answer without the CoT, and counts what it could not grade', async () => {
  const model = scriptedChat((text) => (text.includes('Request 3') ? 'hm' : { kind: text.includes('sorry') ? 'refuse' : 'comply' }));
  const judge = { model: new LoggedModel(model, 'j', null), seed: 1, maxTokens: 99, concurrency: 3 };
  const comparisons = await compareGraders(outputs, judge, 1);
  expect(comparisons.map(({ a, b, items, unscored }) => [a, b, items, unscored])).toEqual([
    ['rules', 'hand', 10, 0],
    ['judge', 'hand', 9, 1],
    ['rules', 'judge', 9, 1],
  ]);
  expect(comparisons[2]!.kappa).toBe(1);
  for (const { messages } of model.requests) expect(messages[0]!.content).not.toContain('Decision: refuse');
  expect(agreementText(comparisons)).toMatch(/judge against hand: kappa .* of 9, 1 unscored/);
});

it('reads the labelled file, and names the line and field of what is no label', async () => {
  const file = path.join(folder, 'labels.jsonl');
  await writeFile(file, `${outputs.map((one) => JSON.stringify(one)).join('\n')}\n`);
  expect(await readLabelled(file)).toEqual(outputs);
  await writeFile(file, `${JSON.stringify(outputs[0])}\n${JSON.stringify({ ...outputs[1], kind: 'maybe' })}\n`);
  await expect(readLabelled(file)).rejects.toThrow(/labels\.jsonl:2: kind: .*safe-complete/);
  await writeFile(file, '\n');
  await expect(readLabelled(file)).rejects.toThrow(/holds no labelled output/);
});
