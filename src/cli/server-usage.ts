/** What servers were asked in a run and what it cost: a table at the end, and a line in usage.jsonl for each time that `run` ran. */
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import { diskError } from '../base/disk-error.js';
import type { ServerUsage } from '../engines/workbench.js';

/** Nothing where no server was asked. @throws dependency error when the disk refuses */
export async function recordServerUsage(root: string, rows: readonly ServerUsage[], now = new Date()): Promise<void> {
  if (rows.length === 0) return;
  const file = path.join(root, 'usage.jsonl');
  await appendFile(file, `${JSON.stringify({ at: now.toISOString(), rows })}\n`).catch((error: NodeJS.ErrnoException) => {
    // A run that was refused before its folder was made has nothing to keep.
    if (error.code !== 'ENOENT') throw diskError(file, error);
  });
}

export function serverUsageTable(rows: readonly ServerUsage[]): string {
  const number = (value: number) => (value === 0 ? '–' : Math.round(value).toLocaleString('en'));
  const cost = (value: number | undefined) => (value === undefined ? '' : value.toFixed(value < 1 ? 4 : 2));
  const total = rows.some((row) => row.cost !== undefined) ? cost(rows.reduce((sum, row) => sum + (row.cost ?? 0), 0)) : '';
  const table = [
    ['stage', 'role', 'calls', 'cached', 'retries', 'in', 'out', 'thought', 'cost'],
    ...rows.map((row) => [
      row.stage,
      row.role,
      number(row.calls),
      number(row.cached),
      number(row.retries),
      number(row.promptTokens),
      `${number(row.completionTokens)}${row.uncounted > 0 ? '+' : ''}`,
      number(row.reasoningTokens),
      cost(row.cost),
    ]),
    ...(total === '' ? [] : [['in all', '', '', '', '', '', '', '', total]]),
  ];
  return table
    .map((row) =>
      row
        .map((cell, i) => (i < 2 ? cell.padEnd(13) : cell.padStart(11)))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}
