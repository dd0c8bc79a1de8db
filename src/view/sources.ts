/** The files of a run that the viewer queries, and the columns it takes from each. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';

export interface Source {
  /** Table of the raw records; several files may share one. */
  table: string;
  file: string;
}

const message = 'STRUCT(role VARCHAR, content VARCHAR)[]';
const judgeRuns = 'STRUCT(score DOUBLE, rationale VARCHAR, unscored VARCHAR)[]';

/** Columns by table. The first one is present in every whole record: a line without it could not be read. */
export const tables: Record<string, Record<string, string>> = {
  prompts: {
    id: 'VARCHAR',
    messages: message,
    category: 'VARCHAR',
    ideal: 'VARCHAR',
    split: 'VARCHAR',
    request: 'VARCHAR',
    technique: 'VARCHAR',
    tags: 'VARCHAR[]',
  },
  categories: { promptId: 'VARCHAR', category: 'VARCHAR' },
  completions: {
    id: 'VARCHAR',
    promptId: 'VARCHAR',
    sample: 'INTEGER',
    cot: 'VARCHAR',
    answer: 'VARCHAR',
    stopReason: 'VARCHAR',
    decision: 'VARCHAR',
    citations: 'STRUCT(code VARCHAR)[]',
    checks:
      'STRUCT(wellFormed BOOLEAN, citedClauseExists BOOLEAN, quoteOccurs BOOLEAN, rulingMatchesDecision BOOLEAN, answerMatchesDecision BOOLEAN, leaksSpec BOOLEAN)',
  },
  judgements: {
    id: 'VARCHAR',
    completionId: 'VARCHAR',
    runs: judgeRuns,
    score: 'DOUBLE',
  },
  sft: { id: 'VARCHAR', promptId: 'VARCHAR', cot: 'VARCHAR', answer: 'VARCHAR' },
  rollouts: {
    id: 'VARCHAR',
    step: 'INTEGER',
    promptId: 'VARCHAR',
    sample: 'INTEGER',
    cot: 'VARCHAR',
    answer: 'VARCHAR',
    outcome: 'VARCHAR',
    reward: 'DOUBLE',
    advantage: 'DOUBLE',
    tokens: 'INTEGER',
    judgeRequest: `STRUCT(messages ${message}, answer VARCHAR, category VARCHAR)`,
    judgeRuns,
  },
  evals: {
    promptId: 'VARCHAR',
    arm: 'VARCHAR',
    suite: 'VARCHAR',
    request: 'VARCHAR',
    technique: 'VARCHAR',
    category: 'VARCHAR',
    ideal: 'VARCHAR',
    prompt: 'VARCHAR',
    cot: 'VARCHAR',
    answer: 'VARCHAR',
    stopReason: 'VARCHAR',
    tokens: 'INTEGER',
    kind: 'VARCHAR',
    score: 'DOUBLE',
    unscored: 'VARCHAR',
    faults: 'VARCHAR[]',
  },
  overrides: {
    id: 'VARCHAR',
    record: 'VARCHAR',
    answerDigest: 'VARCHAR',
    verdict: 'INTEGER',
    judged: 'DOUBLE',
    note: 'VARCHAR',
    at: 'VARCHAR',
  },
};

/** Files that are there now. */
export async function findSources(root: string): Promise<Source[]> {
  const found: Source[] = ['prompts', 'categories', 'completions', 'judgements', 'sft', 'overrides'].map((table) => ({
    table,
    file: path.join(root, `${table}.jsonl`),
  }));
  const arms = await readdir(path.join(root, 'arms')).catch(() => [] as string[]);
  for (const arm of arms.sort()) {
    const folder = path.join(root, 'arms', arm);
    found.push({ table: 'rollouts', file: path.join(folder, 'rl', 'rollouts.jsonl') });
    const suites = await readdir(path.join(folder, 'evals')).catch(() => [] as string[]);
    for (const name of suites.sort())
      if (name.endsWith('.jsonl') && name !== 'answers.jsonl' && !name.startsWith('.'))
        found.push({ table: 'evals', file: path.join(folder, 'evals', name) });
  }
  return found.filter(({ file }) => existsSync(file));
}
