/** Two run folders whose texts may differ: the same files, and in each the same records, none lost and none doubled. */
import { createHash } from 'node:crypto';
import { filesIn, withoutSeconds } from './scripted-run.js';

/** A file: what its records are known by, where it holds records, and a hash of all of it but the seconds that things took. */
export interface Stored {
  ids: string[] | null;
  lines: string[];
  digest: string;
}

interface Known {
  id?: string;
  step?: number;
  promptId?: string;
}

/** Records have an id, steps of a training their number, graded answers that of their prompt. */
function idOf(line: string): string {
  const { id, step, promptId } = JSON.parse(line) as Known;
  return String(id ?? step ?? promptId);
}

export async function storedIn(root: string): Promise<Map<string, Stored>> {
  const files = new Map<string, Stored>();
  for await (const [name, bytes] of filesIn(root)) {
    if (!name.endsWith('.jsonl')) {
      files.set(name, { ids: null, lines: [], digest: createHash('sha256').update(bytes).digest('hex') });
      continue;
    }
    const lines = withoutSeconds(bytes.toString())
      .split('\n')
      .filter((line) => line !== '');
    files.set(name, { ids: lines.map(idOf), lines, digest: '' });
  }
  return files;
}

export interface Comparison {
  /** What is wrong. */
  wrong: string[];
  records: number;
  /** Records that are equal in all they say. */
  equalRecords: number;
  files: number;
  /** Files of other kinds (weights, settings, tables, the report) that are equal byte for byte. */
  equalFiles: number;
  otherFiles: string[];
}

export function compareStored(expected: ReadonlyMap<string, Stored>, found: ReadonlyMap<string, Stored>): Comparison {
  const comparison: Comparison = { wrong: [], records: 0, equalRecords: 0, files: 0, equalFiles: 0, otherFiles: [] };
  const { wrong } = comparison;
  for (const name of [...new Set([...expected.keys(), ...found.keys()])].sort()) {
    const [before, after] = [expected.get(name), found.get(name)];
    if (before === undefined) wrong.push(`${name} is left over`);
    else if (after === undefined) wrong.push(`${name} is missing`);
    else if (before.ids === null || after.ids === null) {
      comparison.files++;
      if (before.digest === after.digest) comparison.equalFiles++;
      else comparison.otherFiles.push(name);
    } else {
      wrong.push(...compareIds(name, before.ids, after.ids));
      const lines = new Set(before.lines);
      comparison.records += after.lines.length;
      comparison.equalRecords += after.lines.filter((line) => lines.has(line)).length;
    }
  }
  return comparison;
}

function compareIds(name: string, before: readonly string[], after: readonly string[]): string[] {
  const count = (ids: readonly string[]) => {
    const counts = new Map<string, number>();
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  };
  const [was, is] = [count(before), count(after)];
  return [...new Set([...before, ...after])].flatMap((id) => {
    const [expected, found] = [was.get(id) ?? 0, is.get(id) ?? 0];
    if (expected === found) return [];
    return [`${name}: record ${id} is there ${found} times, not ${expected}`];
  });
}
