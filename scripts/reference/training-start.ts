/**
 * Writes what both sides of the loss curve start from: a fresh adapter as a PEFT folder, and 20 batches of 4 sequences.
 * Usage: node dist/scripts/reference/training-start.js FOLDER, then real_model.py --start FOLDER.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { packageRoot } from '../../src/base/package-root.js';
import type { Message } from '../../src/base/records.js';
import { createRenderer } from '../../src/lm/chat-template.js';
import { openCheckpoint } from '../../src/lm/checkpoint.js';
import { allTargets } from '../../src/base/lora-targets.js';
import { freshLora } from '../../src/lm/lora.js';
import { defaultModel, resolveModel } from '../../src/lm/models.js';
import { writeAdapter } from '../../src/lm/peft.js';

const settings = { seed: 3, rank: 16, alpha: 32, learningRate: 5e-4 };
const [steps, batchSize] = [20, 4];

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: training-start.js FOLDER');
await mkdir(folder, { recursive: true });
const checkpoint = await openCheckpoint(await resolveModel(defaultModel));
const renderer = await createRenderer(checkpoint.tokenizer);

const { tensors } = freshLora(checkpoint.config, { rank: settings.rank, alpha: settings.alpha, targets: allTargets }, settings.seed);
const sites = [...tensors.keys()].filter((name) => name.endsWith('.A')).map((name) => name.slice(0, -2));
const pairs = new Map(
  sites.map((site) => [site, { A: tensors.get(`${site}.A`) as Float32Array, B: tensors.get(`${site}.B`) as Float32Array }]),
);
await writeAdapter(
  path.join(folder, 'adapter'),
  { r: settings.rank, alpha: settings.alpha, targets: [...allTargets], tensors: pairs },
  { baseModel: defaultModel, dtype: 'F32' },
);

interface PromptLine {
  messages: Message[];
  tags: string[];
}
const prompts = (await readFile(path.join(packageRoot, 'data', 'prompts.jsonl'), 'utf8'))
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as PromptLine)
  .filter(({ tags, messages }) => tags.includes('ordinary') && messages.length === 1);
const replies = [
  'Gladly. Tell me how much detail you want, and I will begin.',
  'Here is a short reply to that, in two parts.',
  'I can help with this. First, the facts as I know them.',
];

/** Half weight on the reasoning, whole weight on the answer, none on the prompt. */
const sequences = prompts.slice(0, steps * batchSize).map(({ messages }, i) => {
  const prompt = renderer.promptTokens([{ role: 'system', content: 'Think first.' }, ...messages]);
  const cot = renderer.completionTokens(
    `<think>\nThe user asks: ${messages[0]?.content}\nNo policy covers this.\nDecision: comply\n</think>\n`,
    false,
  );
  const reply = renderer.completionTokens(replies[i % replies.length] as string);
  const tokens = [...prompt, ...cot, ...reply];
  const weights = [...prompt.map(() => 0), ...cot.map(() => 0.5), ...reply.map(() => 1)].slice(1);
  return { tokens: tokens.slice(0, -1), targets: tokens.slice(1), weights };
});
if (sequences.length < steps * batchSize) throw new Error(`data/prompts.jsonl has only ${sequences.length} ordinary prompts`);
const batches = Array.from({ length: steps }, (_, step) => sequences.slice(step * batchSize, (step + 1) * batchSize));
await writeFile(path.join(folder, 'batches.json'), JSON.stringify({ ...settings, batches }));
await checkpoint.close();
console.log(
  `${folder}: ${steps} batches of ${batchSize} sequences, ${Math.round(sequences.reduce((n, { tokens }) => n + tokens.length, 0) / sequences.length)} tokens each`,
);
