/** Results on sets that a run does not ask by itself, kept beside the rows so that a later scorecard holds them too. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeTextAtomically } from '../base/atomic-text.js';
import { inputError } from '../base/errors.js';
import type { ArmResult } from './evaluate.js';
import { EvalResult } from './records.js';
import { scorecard, SuiteInfo, type Scorecard } from './scorecard.js';

const StoredResult = z.strictObject({
  /** The weights that were asked: a result of other weights is left out. */
  modelDigest: z.string(),
  suite: SuiteInfo,
  result: EvalResult,
  units: z.array(z.strictObject({ id: z.string(), cluster: z.string(), value: z.number() })),
  /** Where it came from, for the reader of the folder. */
  source: z.strictObject({
    set: z.string(),
    /** Name and digest of the user's file; null for our own sets. */
    file: z.strictObject({ name: z.string(), sha256: z.string() }).nullable(),
    /** The judge's model; null: graded by rules. */
    judge: z.string().nullable(),
    techniques: z.array(z.string()),
    leftOut: z.record(z.string(), z.int()),
    /** Rows that were asked and lack something; results of earlier versions do not have it. */
    noted: z.record(z.string(), z.int()).optional(),
    failedAttacks: z.record(z.string(), z.int()),
  }),
});
export type StoredResult = z.infer<typeof StoredResult>;

const ending = '.result.json';

/** `arms/<arm>/evals/<suite>.result.json` */
export const storeResult = (evalsFolder: string, stored: StoredResult): Promise<void> =>
  writeTextAtomically(path.join(evalsFolder, `${stored.suite.name}${ending}`), `${JSON.stringify(stored, null, 1)}\n`);

/** Results of an arm whose weights are these. @throws input error for a file that this version did not write */
export async function storedResults(evalsFolder: string, modelDigest: string): Promise<StoredResult[]> {
  const names = await readdir(evalsFolder).catch(() => [] as string[]);
  const found: StoredResult[] = [];
  for (const name of names.filter((one) => one.endsWith(ending) && !one.startsWith('.')).sort()) {
    const file = path.join(evalsFolder, name);
    let stored: StoredResult;
    try {
      stored = StoredResult.parse(JSON.parse(await readFile(file, 'utf8')));
    } catch (error) {
      throw inputError(`${file}: is not what this version writes. Remove it, and give the command for its suite again.`, error);
    }
    if (stored.modelDigest === modelDigest) found.push(stored);
  }
  return found;
}

/** A scorecard of stored results, one list an arm. */
export function storedScorecard(arms: readonly (readonly StoredResult[])[], seed: number | string): Scorecard {
  const infos = new Map(arms.flat().map(({ suite }) => [suite.name, suite]));
  const results = arms.map((list) => list.map(({ result, units }): ArmResult => ({ result, units })));
  return scorecard(results, seed, [...infos.values()]);
}

/** `under` with the suites of `over` put in their place or behind the others. */
export function mergeScorecards(under: Scorecard, over: Scorecard): Scorecard {
  const fresh = new Set(over.suites.map(({ name }) => name));
  const kept = <T extends { suite: string }>(list: readonly T[]): T[] => list.filter(({ suite }) => !fresh.has(suite));
  return {
    arms: [...new Set([...under.arms, ...over.arms])],
    suites: [...under.suites.filter(({ name }) => !fresh.has(name)), ...over.suites],
    results: [...kept(under.results), ...over.results],
    differences: [...kept(under.differences), ...over.differences],
  };
}
