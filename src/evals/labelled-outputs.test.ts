/** The outputs that this project has labelled: what the file must be, and how far the published rules agree with it. */
import path from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { packageRoot } from '../base/package-root.js';
import { splitCot } from '../lm/split-cot.js';
import { compareGraders, readLabelled, type LabelledOutput } from './grader-agreement.js';
import { answerKinds } from './judged/response-kinds.js';

let outputs: LabelledOutput[];
beforeAll(async () => {
  outputs = await readLabelled(path.join(packageRoot, 'data', 'labelled-outputs.jsonl'));
});

const words = (text: string) =>
  text
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu)
    ?.join(' ') ?? '';

it('are 200 or more real outputs, thirty or more of each kind', () => {
  expect(outputs.length).toBeGreaterThanOrEqual(200);
  for (const kind of answerKinds) expect(outputs.filter((one) => one.kind === kind).length, kind).toBeGreaterThanOrEqual(30);
});

it('hold no answer twice, except that there is none', () => {
  const answers = outputs.map(({ output }) => words(splitCot(output).answer)).filter((answer) => answer !== '');
  expect(answers.length).toBeGreaterThanOrEqual(outputs.length - 4);
  expect(new Set(answers).size).toBe(answers.length);
});

it('agree with the published rules no less than was measured', async () => {
  const [rules] = await compareGraders(outputs, null, 0);
  expect(rules!.kappa).toBeGreaterThanOrEqual(0.83);
  expect(rules!.unscored).toBe(0);
});
