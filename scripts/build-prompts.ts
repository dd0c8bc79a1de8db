/**
 * Makes data/prompts.jsonl from data/source/*.txt, the same bytes on every machine: parse, drop repeats, split.
 * Run: npm run build && node dist/scripts/build-prompts.js
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inputError, internalError } from '../src/base/errors.js';
import { packageRoot } from '../src/base/package-root.js';
import { Prompt } from '../src/base/records.js';
import { overlapAcrossSplits, promptCell, splitPrompts } from '../src/prompts/split.js';
import { parsePromptSource, type SourcePrompt } from './prompt-source.js';

const splitSeed = 3;

/**
 * The text of prompts.jsonl.
 * @throws an input error when one request stands in the sources twice with different labels.
 */
export async function buildPrompts(folder: string): Promise<{ text: string; prompts: Prompt[]; repeats: SourcePrompt[] }> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.txt')).sort();
  const first = new Map<string, SourcePrompt>();
  const repeats: SourcePrompt[] = [];
  for (const name of files) {
    for (const prompt of parsePromptSource(name, await readFile(path.join(folder, name), 'utf8'))) {
      const earlier = first.get(prompt.id);
      if (earlier === undefined) first.set(prompt.id, prompt);
      else if (promptCell(earlier) === promptCell(prompt)) repeats.push(prompt);
      else throw inputError(`${prompt.file}:${prompt.line}: stands in ${earlier.file}:${earlier.line} with other labels.`);
    }
  }
  const prompts = splitPrompts(
    [...first.values()].map(({ file: _file, line: _line, ...prompt }) => Prompt.parse(prompt)),
    { seed: splitSeed },
  );
  const across = overlapAcrossSplits(prompts);
  if (across.length > 0) throw internalError(`near-duplicates across splits: ${JSON.stringify(across[0])}`);
  return { text: prompts.map((prompt) => JSON.stringify(prompt) + '\n').join(''), prompts, repeats };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { text, prompts, repeats } = await buildPrompts(path.join(packageRoot, 'data/source'));
  await writeFile(path.join(packageRoot, 'data/prompts.jsonl'), text);
  for (const { file, line } of repeats) console.log(`repeat left out: ${file}:${line}`);
  const cells = new Map<string, Record<string, number>>();
  for (const prompt of prompts) {
    const counts = cells.get(promptCell(prompt)) ?? {};
    counts[prompt.split!] = (counts[prompt.split!] ?? 0) + 1;
    cells.set(promptCell(prompt), counts);
  }
  for (const [cell, counts] of [...cells].sort(([a], [b]) => (a < b ? -1 : 1))) {
    console.log(`${cell.padEnd(55)} train ${counts['train'] ?? 0}  validation ${counts['validation'] ?? 0}  test ${counts['test'] ?? 0}`);
  }
  console.log(`${prompts.length} prompts`);
}
