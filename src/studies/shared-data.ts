/** Data by content: a record's id hashes all it depends on, so what one folder has made another need not make again. */
import { mkdir, readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { JsonlLog, readJsonl } from '../base/jsonl.js';
import { writeTextAtomically } from '../base/atomic-text.js';
import { Completion, Judgement, type Prompt } from '../base/records.js';
import type { RunPaths } from '../base/run-folder.js';
import { completionIds } from '../align/generate.js';
import type { StageContext } from '../align/stage.js';

/** Puts into the context's folder what another run has made of the completions that it needs, and their judgements. */
export async function shareData(from: RunPaths, context: StageContext, asked: readonly Prompt[]): Promise<void> {
  const wanted = new Set(asked.flatMap((prompt) => completionIds(context, prompt)));
  const completions = (await readJsonl(from.completions(), Completion)).filter(({ id }) => wanted.has(id));
  await append(context.paths.completions(), Completion, completions);
  const judgements = (await readJsonl(from.judgements(), Judgement)).filter(({ completionId }) => wanted.has(completionId));
  await append(context.paths.judgements(), Judgement, judgements);
}

async function append<T extends { id: string }>(
  file: string,
  schema: Parameters<typeof JsonlLog.open<T>>[1],
  records: readonly T[],
): Promise<void> {
  const log = await JsonlLog.open(file, schema);
  try {
    const have = new Set(log.records.map(({ id }) => id));
    const fresh = records.filter(({ id }) => !have.has(id));
    if (fresh.length > 0) await log.append(...fresh);
  } finally {
    await log.close();
  }
}

/** Begins a file of answers with those of another evaluation, whose ids hold for any folder. Does nothing where there is a file already. */
export async function shareAnswers(from: string, to: string): Promise<void> {
  if (existsSync(to) || !existsSync(from)) return;
  await mkdir(path.dirname(to), { recursive: true });
  await writeTextAtomically(to, await readFile(from, 'utf8'));
}
